"""Fusion: whichever modalities are present to one emotion, age and gender.

Emotion is discounted evidence. A modality that is alone answers with its own posterior p. Where
several are, each may be astray with a chance e, and then its posterior tells nothing; if not, it is
read with an exponent a of at most 1:

    log fused(c) = sum over modalities of log((1 - e) 7 p(c)^a / Z + e), and a constant

e grows with how far the others contradict what the modality puts first, up to a share that was
learned for each emotion that it tells of, and is 0 where nobody contradicts; likewise a is then 1.
So a modality that tells nothing changes nothing. The fused posterior is then held to what its parts
allow, see `held`. Nothing else moves an emotion: no correction from features, no temperature.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.contract import EMOTIONS
from training.networks.attention import rows_present

CLASSES = len(EMOTIONS)
CHANCE = 1 / CLASSES
LOGIT_OF_CHANCE = -math.log(CLASSES - 1)
#: Posteriors are kept this far from 0 before their logarithm is taken.
_SMALLEST = 1e-6
#: Bounds the factor in `between`; float16, which TensorRT may use, holds it.
_LARGEST = 6e4
#: Keeps a mean over no rows finite; float16, which TensorRT may use, holds it.
_NOTHING = 1e-3
#: No modality is astray for surer than this, nor read with a smaller exponent.
MOST_ASTRAY, SMALLEST_EXPONENT = 0.98, 0.3
#: By how much an emotion leads, over chance or over another, so that it counts in full.
LEAD = 0.1
#: The most that an emotion gets which a modality puts behind another.
CONTRADICTED = 0.9
#: An emotion that no modality puts first has at most so much of the leading one's probability.
BEHIND = 0.99


class Clip(NamedTuple):
    """A batch of B clips as the fusion network takes it; T, N and A are padded rows.

    Field by field the served tensors in lower case, with a batch axis in front; counts are [B].
    `speech_weights` [B,N] say how much each window counts, 0..1. Of the features only the number of
    rows is used.
    """

    text_features: Tensor
    text_emotion: Tensor
    text_count: Tensor
    speech_features: Tensor
    speech_emotion: Tensor
    speech_age: Tensor
    speech_gender: Tensor
    speech_weights: Tensor
    speech_count: Tensor
    video_features: Tensor
    video_emotion: Tensor
    video_age: Tensor
    video_gender: Tensor
    video_count: Tensor


def mean_present(rows: Tensor, present: Tensor) -> Tensor:
    """Average the rows of [B,T,D] by how much each is present [B,T,1]; zeros without any."""
    kept = torch.where(present > 0, rows, torch.zeros_like(rows))
    return (kept * present).sum(1) / present.sum(1).clamp(min=_NOTHING)


def is_present(present: Tensor) -> Tensor:
    """Tell whether any row of [B,T,1] is present: 1 or 0 [B,1]."""
    return (present.amax(1) > 0).to(torch.float32)


def contradiction(posteriors: Tensor) -> Tensor:
    """Say how far the others speak against each one's leader.

    Args:
        posteriors: [...,M,7].

    Returns:
        [...,M,M], 0 to 1: how much less the second gives the first one's leader than its own. 0
        where it puts the same first or tells nothing.
    """
    leader = nn.functional.one_hot(posteriors.argmax(-1), CLASSES).to(posteriors.dtype)
    given = leader @ posteriors.transpose(-1, -2)
    return (posteriors.amax(-1).unsqueeze(-2) - given) / (1 - CHANCE)


def firsts(posteriors: Tensor) -> Tensor:
    """Mark what each of [...,7] puts first; nothing where it tells nothing. Bool [...,7]."""
    top = posteriors.amax(-1, keepdim=True)
    return (posteriors >= top) & (top > CHANCE + _NOTHING)


def held(raw: Tensor, rest: Tensor, added: Tensor) -> Tensor:
    """Hold a fused posterior to what its parts allow.

    Each part is looked at as if it were added to the rest. Where it puts the rest's leader first,
    that leader does not fall; where it puts another first, it does not rise. What leads by less
    than `LEAD` over chance binds in part. An emotion that a part puts behind another by `LEAD` gets
    `CONTRADICTED` at most; one that no part puts first does not lead, and gets no more than chance
    or the most that a part gives it. None gets more than `witnessed`. Within these bounds emotions
    keep their ratios.

    Args:
        raw: The posterior [...,7].
        rest: What the others say without each of P parts [...,P,7].
        added: What each part says [...,P,7].

    Returns:
        [...,7].
    """
    leader, first = firsts(rest), firsts(added).any(-2)
    top, best = rest.amax(-1, keepdim=True), added.amax(-1, keepdim=True)
    binds = ((top - CHANCE) / LEAD).clamp(0, 1)
    low = torch.where(leader & (added >= best), binds * top, torch.zeros_like(rest)).amax(-2)
    high = torch.where(leader & (added < best), 1 - binds * (1 - top), torch.ones_like(rest))
    behind = ((best - added) / LEAD).clamp(0, 1)
    high = torch.minimum(high, 1 - (1 - CONTRADICTED) * behind).amin(-2)
    high = torch.minimum(high, witnessed(added))
    nobodys = torch.minimum(high, added.amax(-2).clamp(min=CHANCE))
    high = torch.maximum(low, torch.where(first, high, nobodys))
    fused = between(raw, low, high)
    leading = torch.where(first, fused, torch.zeros_like(fused)).amax(-1, keepdim=True)
    nobodys = torch.where(leading > 0, torch.minimum(high, BEHIND * leading), high)
    return between(raw, low, torch.where(first, high, nobodys))


def witnessed(parts: Tensor) -> Tensor:
    """Say what independent witnesses make of each emotion who know nothing of the others.

    Each of the parts [...,P,7] is taken as if what it does not give an emotion were spread evenly
    over the others, and counts if that is for the emotion: weak evidence stays weak, however the
    parts' second choices rule each other out.

    Returns:
        The probability of each emotion by itself, at least chance [...,7].
    """
    chances = parts.clamp(min=_SMALLEST, max=1 - _SMALLEST)
    evidence = (chances.logit() - LOGIT_OF_CHANCE).clamp(min=0)
    return torch.sigmoid(evidence.sum(-2) + LOGIT_OF_CHANCE)


def between(raw: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Scale a posterior [...,7] by the factor that makes it sum to 1, each emotion in its bounds.

    The sum is piecewise linear in the factor, and 1 between two neighbouring bends.
    """
    raw = raw.clamp(min=_SMALLEST)

    def total(factor: Tensor) -> Tensor:
        scaled = factor.unsqueeze(-1) * raw.unsqueeze(-2)
        return scaled.clamp(min=low.unsqueeze(-2), max=high.unsqueeze(-2)).sum(-1)

    bends = torch.cat([low / raw, (high / raw).clamp(max=_LARGEST)], -1)
    below, farthest = total(bends) <= 1, bends.amax(-1, keepdim=True)
    begin = torch.where(below, bends, torch.zeros_like(bends)).amax(-1, keepdim=True)
    end = torch.where(below, farthest, bends).amin(-1, keepdim=True)
    reached, beyond = total(torch.cat([begin, end], -1)).split(1, -1)
    share = ((1 - reached) / (beyond - reached).clamp(min=1e-12)).clamp(0, 1)
    # Dividing by the sum gives the gradient that the factor would, and never an infinite one.
    factor = (begin + share * (end - begin)).detach()
    scaled = (factor * raw).clamp(min=low, max=high)
    return scaled / scaled.sum(-1, keepdim=True)


class Evidence(nn.Module):
    """Posteriors of the modalities to one.

    Attributes:
        astray: How prone each modality is to be astray where it tells of an emotion, logits [3,7].
        exponent: What each one's exponent falls to, logits [3].
        weight: How much each (row) is contradicted by each other one, logarithms [3,3].
    """

    #: The two modalities of each pair, by place: the pair without video, speech and text.
    PAIRS = ((0, 1), (0, 2), (1, 2))

    def __init__(self) -> None:
        super().__init__()
        self.astray = nn.Parameter(torch.full((3, CLASSES), -1.0))
        self.exponent = nn.Parameter(torch.full((3,), 2.0))
        self.weight = nn.Parameter(torch.zeros(3, 3))

    def discounted(self, posteriors: Tensor) -> Tensor:
        """Return each of [...,3,7] as far as it is believed beside the others."""
        against = (contradiction(posteriors) * self.weight.exp()).clamp(0, 1).amax(-1, keepdim=True)
        prone = MOST_ASTRAY * torch.sigmoid(self.astray)
        astray = against * (posteriors * prone).sum(-1, keepdim=True)
        least = SMALLEST_EXPONENT + (1 - SMALLEST_EXPONENT) * torch.sigmoid(self.exponent)
        exponent = 1 - against * (1 - least).unsqueeze(-1)
        read = (posteriors.clamp(min=_SMALLEST).log() * exponent).softmax(-1)
        return (1 - astray) * read + astray * CHANCE

    def forward(self, posteriors: Tensor) -> tuple[Tensor, Tensor]:
        """Fuse [B,3,7], in which uniform rows stand for what is absent.

        Returns:
            The fused posterior [B,7] and each modality's own, discounted [B,3,7].
        """
        whole = (0, 1, 2)
        members = torch.tensor([[m in part for m in whole] for part in (*self.PAIRS, whole)])
        among = torch.where(members.unsqueeze(-1), posteriors.unsqueeze(1), CHANCE)
        discounted = self.discounted(among)
        raw = discounted.log().sum(-2).softmax(-1)
        parts = posteriors[:, torch.tensor(self.PAIRS)]
        pairs = held(raw[:, :3], parts.flip(-2), parts)
        # What is left without text is the last pair, and so on.
        return held(raw[:, 3], pairs.flip(-2), posteriors), discounted[:, 3]


class AgeGender(nn.Module):
    """Face and voice to one age and gender.

    Age is what is read from the face when there is one and from the voice otherwise: so few
    speakers' ages are known that a learned share of the voice only added error on people who were
    not in training.

    A gender that a source is sure of is taken for as sure as the source was right on people who
    were kept back; then the two are multiplied as independent experts. So none can overrule the
    other by more than its own rate of errors allows.

    Attributes:
        mean_age: Years answered when neither is present: the mean of the training faces.
        gender_errors: How often a gender is wrong where a face, and a voice, is surest of it: of
            adults in AAF and speechocean, measured when the networks had learnt from neither.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean_age", torch.tensor([35.0]))
        self.register_buffer("gender_errors", torch.tensor([0.006, 0.08]))

    def forward(
        self, face: tuple[Tensor, Tensor, Tensor], voice: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Fuse (ages [B,A,1], genders [B,A,2], present [B,A,1]) of face and voice.

        Returns:
            Years [B,1] and gender logits [B,2].
        """
        has_face, has_voice = is_present(face[2]), is_present(voice[2])
        years, logits = [], []
        for index, (ages, genders, present) in enumerate((face, voice)):
            years.append(mean_present(ages, present))
            error = self.gender_errors[index]
            # Without a source its mean is 0 for both genders, which says as little.
            logits.append((error + (1 - 2 * error) * mean_present(genders, present)).log())
        read = torch.where(has_face > 0, years[0], years[1])
        nobody = 1.0 - torch.maximum(has_face, has_voice)
        return torch.where(nobody > 0, self.mean_age, read), logits[0] + logits[1]


class FusionNet(nn.Module):
    """The three modalities of a clip to emotion, age, gender and the modalities' weights."""

    def __init__(self) -> None:
        super().__init__()
        self.evidence = Evidence()
        self.people = AgeGender()

    def forward(self, clip: Clip) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the posterior [B,7], years [B,1], gender logits [B,2] and weights [B,3].

        A modality's weight is how much more its discounted posterior gives its leader than chance,
        in shares of all.
        """
        text = rows_present(clip.text_features, clip.text_count)
        speech = rows_present(clip.speech_features, clip.speech_count)
        weights = clip.speech_weights.unsqueeze(-1)
        speech = torch.where(speech > 0, weights.clamp(0.0, 1.0), torch.zeros_like(weights))
        video = rows_present(clip.video_features, clip.video_count)
        present = torch.stack([is_present(rows) for rows in (text, speech, video)], 1)
        said = torch.stack(
            [
                mean_present(clip.text_emotion, text),
                mean_present(clip.speech_emotion, speech),
                clip.video_emotion,
            ],
            1,
        )
        # Posteriors that were averaged, or came in half precision, sum to 1 but nearly.
        posteriors = torch.where(present > 0, said, torch.full_like(said, CHANCE))
        posteriors = posteriors / posteriors.sum(-1, keepdim=True)
        emotion, discounted = self.evidence(posteriors)
        counted = (discounted.amax(-1) - CHANCE + _NOTHING) * present.squeeze(-1)
        shares = counted / (counted.sum(1, keepdim=True) + 1e-30)
        faces = rows_present(clip.video_age, clip.video_count)
        years, gender = self.people(
            (clip.video_age, clip.video_gender, faces),
            (clip.speech_age, clip.speech_gender, speech),
        )
        return emotion, years, gender, shares


class ServedFusion(nn.Module):
    """`fusion` as served: one clip, posteriors out."""

    def __init__(self, network: FusionNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, *tensors: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The tensors of `Clip`, without the batch axis, to [7], [1], [2] and [3]."""
        names = Clip._fields
        clip = Clip(
            *(
                tensor if name.endswith("_count") else tensor.unsqueeze(0)
                for name, tensor in zip(names, tensors, strict=True)
            )
        )
        emotion, years, gender, weights = self.network(clip)
        outputs = (emotion, years.clamp(0.0, 110.0), gender.softmax(-1), weights)
        return tuple(output.squeeze(0) for output in outputs)

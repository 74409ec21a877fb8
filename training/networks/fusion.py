"""Fusion network: whichever modalities are present to one emotion, age and gender.

Emotion is a weighted sum of evidence. Each modality brings its log posterior, corrected by a
learned reading of its feature unless it is alone, times a reliability >= 0 that is learned from
both. With all reliabilities 1 and no correction this is the product of experts, which is right when
modalities err independently; training departs from there.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn

from training.contract import EMOTIONS, SPEECH_FEATURE, TEXT_FEATURE, VIDEO_FEATURE
from training.networks.attention import masked_weights, rows_present

#: Posteriors are kept this far from 0 before their logarithm is taken.
_SMALLEST = 1e-4
#: softplus of this is 1.
_UNIT = 0.5413
#: Keeps a mean over no rows finite; float16, which TensorRT may use, holds it.
_NOTHING = 1e-3


class Clip(NamedTuple):
    """A batch of B clips as the fusion network takes it; T, N and A are padded rows.

    Field by field the served tensors in lower case, with a batch axis in front; counts are [B].
    `speech_weights` [B,N] say how much each window counts, 0..1.
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


class Pool(nn.Module):
    """Attention over rows [B,T,D], as far as each is present, to one summary [B,width]."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.hide = nn.Dropout(0.5)
        self.summary = nn.Linear(inputs, width)
        self.score = nn.Linear(width, 1)

    def forward(self, rows: Tensor, present: Tensor) -> Tensor:
        """Pool the present rows; rows that are absent change nothing, NaN included."""
        rows = torch.where(present > 0, rows, torch.zeros_like(rows))
        summaries = torch.tanh(self.summary(self.hide(rows)))
        weights = masked_weights(self.score(summaries).transpose(1, 2), present.transpose(1, 2))
        return (weights @ summaries).squeeze(1)


class Evidence(nn.Module):
    """One modality's evidence about C classes and how reliable it is."""

    def __init__(self, classes: int, summary: int) -> None:
        super().__init__()
        self.hide = nn.Dropout(0.5)
        self.correction = nn.Linear(summary, classes)
        self.reliability = nn.Sequential(
            nn.Linear(classes + 2 + summary, 32), nn.ReLU(), nn.Linear(32, 1)
        )
        # Training departs from the product of experts.
        for layer in (self.correction, self.reliability[-1]):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, posterior: Tensor, summary: Tensor, present: Tensor, alone: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Weigh a posterior [B,C] with its summary [B,S]; `present` and `alone` are [B,1].

        Where a modality is alone it is not corrected: there is nothing to fuse, so its answer
        stands and only the confidence in it may change.

        Returns:
            Evidence [B,C], to be added to that of others, and reliability [B,1]; both exactly 0
            when the modality is absent.
        """
        chances = torch.where(present > 0, posterior, torch.ones_like(posterior))
        logs = chances.clamp(min=_SMALLEST).log()
        logs = logs - logs.mean(1, keepdim=True)
        seen = torch.cat([logs, logs.amax(1, keepdim=True), summary, alone], 1)
        reliability = F.softplus(self.reliability(seen) + _UNIT) * present
        correction = self.correction(self.hide(summary)) * (1 - alone)
        return (logs + correction) * reliability, reliability


class AgeGender(nn.Module):
    """Face and voice to one age and gender.

    Age is the face's when there is one and the voice's otherwise: so few speakers' ages are known
    that a learned share of the voice only added error on people who were not in training.

    A gender that a source is sure of is taken for as sure as the source was right on people who
    were kept back; then the two are multiplied as independent experts. So none can overrule the
    other by more than its own rate of errors allows.

    Attributes:
        mean_age: Years answered when neither is present: the mean of the training faces.
        gender_errors: How often a gender is wrong where a face, and a voice, is surest of it: of
            adults in corpora that the networks have not learnt from (AAF, speechocean).
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean_age", torch.tensor([35.0]))
        self.register_buffer("gender_errors", torch.tensor([0.006, 0.08]))
        #: Each source's own bias and slope, so that a reading can be drawn to the mean.
        self.slope = nn.Parameter(torch.ones(2))
        self.shift = nn.Parameter(torch.zeros(2))

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
            age, gender = mean_present(ages, present), mean_present(genders, present)
            years.append(
                self.mean_age + (age - self.mean_age) * self.slope[index] + self.shift[index]
            )
            error = self.gender_errors[index]
            # Without a source its mean is 0 for both genders, which says as little.
            logits.append((error + (1 - 2 * error) * gender).log())
        read = torch.where(has_face > 0, years[0], years[1])
        nobody = 1.0 - torch.maximum(has_face, has_voice)
        return torch.where(nobody > 0, self.mean_age, read), logits[0] + logits[1]


class FusionNet(nn.Module):
    """The three modalities of a clip to emotion, age, gender and the modalities' weights.

    Attributes:
        temperatures: What emotion logits are divided by [8], one for each choice of present
            modalities: 1 for text, plus 2 for speech, plus 4 for video. Fitted after training (Guo
            et al. 2017, arXiv 1706.04599).
    """

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.text, self.speech, self.video = (
            Pool(inputs, width) for inputs in (TEXT_FEATURE, SPEECH_FEATURE, VIDEO_FEATURE)
        )
        self.evidence = nn.ModuleList(Evidence(len(EMOTIONS), width) for _ in range(3))
        self.people = AgeGender()
        self.register_buffer("temperatures", torch.ones(8))

    def forward(self, clip: Clip) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return emotion logits [B,7], years [B,1], gender logits [B,2] and weights [B,3]."""
        text = rows_present(clip.text_features, clip.text_count)
        speech = rows_present(clip.speech_features, clip.speech_count)
        weights = clip.speech_weights.unsqueeze(-1)
        speech = torch.where(speech > 0, weights.clamp(0.0, 1.0), torch.zeros_like(weights))
        video = rows_present(clip.video_features, clip.video_count)
        any_present = [is_present(rows) for rows in (text, speech, video)]
        alone = (sum(any_present) <= 1).float()
        posteriors = (
            mean_present(clip.text_emotion, text),
            mean_present(clip.speech_emotion, speech),
            clip.video_emotion,
        )
        summaries = (
            self.text(clip.text_features, text),
            self.speech(clip.speech_features, speech),
            self.video(clip.video_features, video),
        )
        parts = [
            evidence(posterior, summary, present, alone)
            for evidence, posterior, summary, present in zip(
                self.evidence, posteriors, summaries, any_present, strict=True
            )
        ]
        reliability = torch.cat([part[1] for part in parts], 1)
        shares = reliability / (reliability.sum(1, keepdim=True) + 1e-30)
        faces = rows_present(clip.video_age, clip.video_count)
        years, gender = self.people(
            (clip.video_age, clip.video_gender, faces),
            (clip.speech_age, clip.speech_gender, speech),
        )
        choice = any_present[0] + 2 * any_present[1] + 4 * any_present[2]
        temperature = self.temperatures[choice.long().squeeze(1)].unsqueeze(1)
        emotion = (parts[0][0] + parts[1][0] + parts[2][0]) / temperature
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
        outputs = (emotion.softmax(-1), years.clamp(0.0, 110.0), gender.softmax(-1), weights)
        return tuple(output.squeeze(0) for output in outputs)

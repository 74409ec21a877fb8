"""Pseudo-clips: a face sequence, an utterance and a sentence, of different people.

No data set here labels all three modalities of one person. So a clip is put together from items
that share an emotion, or on purpose do not. What the clips cannot teach is how one person's face,
voice and words depend on each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training import metrics
from training.banks import DEGRADED, MOVED, PLAIN, Banks
from training.contract import EMOTIONS
from training.fit import here
from training.networks.video import VideoNet

MOST_FACES = 12
#: Sequences that are read at a time.
CHUNK = 128


@dataclass(frozen=True)
class Pool:
    """Items of one modality, as it reads them.

    Attributes:
        posteriors: As they are and hardly recognisable, [N,2,7].
        emotions: [N].
        people: Names [N] of whose they are.
    """

    posteriors: np.ndarray
    emotions: np.ndarray
    people: np.ndarray

    @property
    def leaders(self) -> np.ndarray:
        """What each item is taken for [N]."""
        return self.posteriors[:, PLAIN].argmax(1)


@dataclass(frozen=True)
class Mix:
    """What kind of clips are drawn.

    Attributes:
        misled: Chance that a modality tells of an emotion that is drawn by chance; one of those
            present always tells the clip's own.
        plain: Chance that the words are neutral ones whatever the clip's emotion is.
        degraded: Chance that a modality is hardly recognisable.
        dependent: Chance that what misleads several modalities misleads them alike.
    """

    misled: float = 0.0
    plain: float = 0.0
    degraded: float = 0.0
    dependent: float = 0.0


@dataclass(frozen=True)
class Clips:
    """B clips.

    Attributes:
        posteriors: In the order of `MODALITIES`, uniform where absent, float32 [B,3,7].
        present: bool [B,3].
        emotions: [B].
        items: Which item of its pool each part is [B,3].
    """

    posteriors: np.ndarray
    present: np.ndarray
    emotions: np.ndarray
    items: np.ndarray

    def without(self, modality: int) -> Clips:
        """Take a modality away."""
        posteriors, present = self.posteriors.copy(), self.present.copy()
        posteriors[:, modality], present[:, modality] = 1 / len(EMOTIONS), False
        return Clips(posteriors, present, self.emotions, self.items)


def pools_of(banks: Banks, video: VideoNet, random: np.random.Generator) -> list[Pool]:
    """Have the video network read a sequence of each face; in the order of `MODALITIES`."""
    count = len(banks.face_emotions)
    views = []
    for spoilt in (False, True):
        parts = []
        for start in range(0, count, CHUNK):
            items = np.arange(start, min(start + CHUNK, count))
            with torch.no_grad():
                logits = video(*draw_sequences(banks, items, random, spoilt))
            parts.append(logits.softmax(-1).numpy(force=True))
        views.append(np.concatenate(parts))
    return [
        Pool(banks.texts, banks.text_emotions, banks.text_people),
        Pool(banks.voices, banks.voice_emotions, banks.voice_people),
        Pool(np.stack(views, 1), banks.face_emotions, banks.face_people),
    ]


def draw_sequences(
    banks: Banks, items: np.ndarray, random: np.random.Generator, spoilt: bool = False
) -> tuple[Tensor, Tensor]:
    """Draw 1 to 12 views of each face, with degraded views and other people in between.

    Args:
        banks: Of one split.
        items: Which faces [B].
        random: The source of chance.
        spoilt: Whether all views are degraded.

    Returns:
        Features [B,T,4096] and counts [B].
    """
    parts = [_sequence(banks, item, random, spoilt) for item in items]
    rows = np.zeros((len(parts), max(map(len, parts)), parts[0].shape[1]), np.float32)
    for target, part in zip(rows, parts, strict=True):
        target[: len(part)] = part
    return here(rows), torch.tensor([len(part) for part in parts])


def _sequence(banks: Banks, chosen: int, random: np.random.Generator, spoilt: bool) -> np.ndarray:
    count = random.integers(1, MOST_FACES + 1)
    items = np.full(count, chosen)
    views = random.choice([PLAIN, MOVED, DEGRADED], count, p=[0.3, 0.4, 0.3])
    if spoilt:
        views[:] = DEGRADED
    # The first face is the labelled one; any other may be a bystander.
    stranger = random.random(count) < random.uniform(0.0, 0.3)
    stranger[0] = False
    items[stranger] = random.integers(0, len(banks.faces), stranger.sum())
    order = random.permutation(count)
    return banks.faces[items, views][order].astype(np.float32)


def draw_clips(
    pools: Sequence[Pool], present: np.ndarray, mix: Mix, random: np.random.Generator
) -> Clips:
    """Draw clips whose emotions are even.

    Args:
        pools: In the order of `MODALITIES`.
        present: bool [B,3].
        mix: Of what kind.
        random: The source of chance.
    """
    batch = len(present)
    emotions = random.integers(0, len(EMOTIONS), batch)
    told = np.repeat(emotions[:, None], 3, axis=1)
    misled = random.random((batch, 3)) < mix.misled
    # Where all would be, one of those that are present is not.
    honest = np.argmax(present * random.random((batch, 3)), axis=1)
    all_misled = (misled | ~present).all(1)
    misled[np.arange(batch)[all_misled], honest[all_misled]] = False
    others = random.integers(0, len(EMOTIONS), (batch, 3))
    alike = random.random(batch) < mix.dependent
    others[alike] = others[alike, :1]
    told = np.where(misled, others, told)
    told[random.random(batch) < mix.plain, 0] = EMOTIONS.index("neutral")
    view = np.where(random.random((batch, 3)) < mix.degraded, DEGRADED, PLAIN)
    items = np.stack(
        [_of_emotion(pool.emotions, told[:, m], random) for m, pool in enumerate(pools)], 1
    )
    posteriors = np.stack(
        [pool.posteriors[items[:, m], view[:, m]] for m, pool in enumerate(pools)], 1
    )
    posteriors[~present] = 1 / len(EMOTIONS)
    return Clips(posteriors.astype(np.float32), present, emotions, items)


def _of_emotion(labels: np.ndarray, wanted: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw an item of each wanted emotion."""
    items = np.zeros(len(wanted), int)
    for emotion in np.unique(wanted):
        places = np.flatnonzero(wanted == emotion)
        items[places] = random.choice(np.flatnonzero(labels == emotion), len(places))
    return items


def draw_disagreeing(
    pools: Sequence[Pool], present: np.ndarray, random: np.random.Generator
) -> Clips:
    """Draw any items whose leaders are not all one, whatever their emotions are.

    Args:
        pools: In the order of `MODALITIES`.
        present: Which modalities, bool [B,3]; two at least.
        random: The source of chance.

    Returns:
        Clips of which nobody knows the emotion: it is -1.
    """
    items = np.zeros((len(present), 3), int)
    agree = np.ones(len(present), bool)
    while agree.any():
        for m, pool in enumerate(pools):
            items[agree, m] = random.integers(0, len(pool.emotions), agree.sum())
        leaders = np.stack([pool.leaders[items[:, m]] for m, pool in enumerate(pools)], 1)
        low = np.where(present, leaders, len(EMOTIONS)).min(1)
        agree = low == np.where(present, leaders, -1).max(1)
    posteriors = np.stack([pool.posteriors[items[:, m], PLAIN] for m, pool in enumerate(pools)], 1)
    posteriors[~present] = 1 / len(EMOTIONS)
    return Clips(posteriors.astype(np.float32), present, np.full(len(present), -1), items)


def interval(
    values: np.ndarray, pools: Sequence[Pool], clips: Clips, rounds: int = 500
) -> tuple[float, float] | None:
    """Say within which bounds a mean of clips is, if other people and sentences had been drawn.

    All people of each modality are resampled, and a clip counts as often as all of its own are
    drawn: the pigeonhole bootstrap (Owen 2007, doi 10.1214/07-AOAS122).

    Args:
        values: Of each clip [B].
        pools: What the clips were drawn from.
        clips: Which all have the same modalities.
        rounds: Of resampling.

    Returns:
        The 2.5 % and 97.5 % quantile; None if a modality has fewer than `metrics.FEWEST_GROUPS`
        people.
    """
    random = np.random.default_rng(0)
    used = np.flatnonzero(clips.present[0])
    groups = [np.unique(pools[m].people[clips.items[:, m]], return_inverse=True)[1] for m in used]
    if any(group.max() + 1 < metrics.FEWEST_GROUPS for group in groups):
        return None
    means = []
    for _ in range(rounds):
        weights = np.ones(len(values))
        for group in groups:
            count = group.max() + 1
            weights *= np.bincount(random.integers(0, count, count), minlength=count)[group]
        means.append(np.average(values, weights=weights) if weights.sum() else np.nan)
    low, high = np.nanpercentile(means, [2.5, 97.5])
    return float(low), float(high)

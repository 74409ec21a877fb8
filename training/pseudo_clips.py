"""Pseudo-clips: a face sequence, an utterance and a sentence of one label, of different people.

No data set here labels all three modalities of one person. So a clip is put together from items
that share an emotion, and, for age and gender, from a face and a voice that share both. What the
clips cannot teach is how one person's face, voice and words depend on each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.contract import EMOTIONS, LIMITS
from training.networks.fusion import Clip
from training.networks.video import VideoNet

MOST_FACES = 12
#: How a face of a sequence may look: as it is, moved, or hardly recognisable.
CLEAN, MOVED, DEGRADED = range(3)
#: Years that count as one age when a face is paired with a voice.
AGE_GROUPS = (0, 20, 50, 200)


@dataclass(frozen=True)
class FaceBank:
    """Features of labelled faces: [N,3,4096] float16 by view, and emotions [N]."""

    features: np.ndarray
    emotions: np.ndarray


@dataclass(frozen=True)
class VoiceBank:
    """Readings of labelled clips' windows, plain and degraded; C clips.

    Attributes:
        rows: For each clip and for (plain, degraded): features [n,768], posteriors [n,7],
            years [n,1], genders [n,2].
        emotions: [C], -1 unknown.
        genders: [C].
        ages: Years [C], NaN unknown.
    """

    rows: list[tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]]
    emotions: np.ndarray
    genders: np.ndarray
    ages: np.ndarray


@dataclass(frozen=True)
class TextBank:
    """Features [N,2,512] and posteriors [N,2,7] of sentences, plain and degraded."""

    features: np.ndarray
    posteriors: np.ndarray
    emotions: np.ndarray


@dataclass(frozen=True)
class PeopleBank:
    """Readings of labelled faces by view: years [N,2,1], genders [N,2,2]; and the truth [N]."""

    read_ages: np.ndarray
    read_genders: np.ndarray
    ages: np.ndarray
    genders: np.ndarray


@dataclass(frozen=True)
class Banks:
    """All that pseudo-clips of one split are drawn from."""

    faces: FaceBank
    voices: VoiceBank
    texts: TextBank
    people: PeopleBank


def pad_rows(parts: list[np.ndarray]) -> Tensor:
    """Stack [n,D] arrays of different n as [B,max n,D], zeros behind."""
    rows = max(len(part) for part in parts)
    stacked = np.zeros((len(parts), rows, parts[0].shape[1]), np.float32)
    for target, part in zip(stacked, parts, strict=True):
        target[: len(part)] = part
    return torch.from_numpy(stacked)


def draw_sequence(faces: FaceBank, emotion: int, random: np.random.Generator) -> np.ndarray:
    """Draw 1 to 12 views of one face, with degraded views and other people in between.

    Returns:
        Features float32 [T,4096].
    """
    count = random.integers(1, MOST_FACES + 1)
    chosen = random.choice(np.flatnonzero(faces.emotions == emotion))
    items = np.full(count, chosen)
    views = random.choice([CLEAN, MOVED, DEGRADED], count, p=[0.3, 0.4, 0.3])
    # The first face is the labelled one; any other may be a bystander.
    stranger = random.random(count) < random.uniform(0.0, 0.3)
    stranger[0] = False
    items[stranger] = random.integers(0, len(faces.emotions), stranger.sum())
    order = random.permutation(count)
    return faces.features[items, views][order].astype(np.float32)


def draw_sequences(
    faces: FaceBank, emotions: np.ndarray, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Draw a face sequence for each label: features [B,T,4096] and counts [B]."""
    parts = [draw_sequence(faces, emotion, random) for emotion in emotions]
    return pad_rows(parts), torch.tensor([len(part) for part in parts])


def draw_clips(
    banks: Banks,
    video: VideoNet,
    emotions: np.ndarray,
    present: np.ndarray,
    random: np.random.Generator,
    degraded: float,
    misleading: float = 0.0,
) -> Clip:
    """Draw a pseudo-clip for each label.

    Args:
        banks: The split to draw from.
        video: Reads the face sequences, as serving does.
        emotions: Label index [B].
        present: bool [B,3] in the order of `MODALITIES`.
        random: The source of chance.
        degraded: Chance that a text, and likewise a voice, is hardly recognisable; faces are
            degraded one by one in any case.
        misleading: Chance that a text, and likewise a voice, is drawn for a random emotion instead,
            where another modality can tell.

    Returns:
        A batch without ages and genders, which other clips teach.
    """
    batch = len(emotions)
    bad = (random.random((batch, 2)) < degraded).astype(int)
    astray = (random.random((2, batch)) < misleading) & (present.sum(1) > 1)
    told, heard = np.where(astray, random_emotions(2 * batch, random).reshape(2, batch), emotions)
    texts = np.array([random.choice(np.flatnonzero(banks.texts.emotions == e)) for e in told])
    voices = [random.choice(np.flatnonzero(banks.voices.emotions == e)) for e in heard]
    readings = [banks.voices.rows[v][b] for v, b in zip(voices, bad[:, 1], strict=True)]
    speech_features, speech_emotion, speech_age, speech_gender = (
        pad_rows([reading[field] for reading in readings]) for field in range(4)
    )
    windows = np.array([min(len(reading[0]), LIMITS.windows) for reading in readings])
    faces, face_counts = draw_sequences(banks.faces, emotions, random)
    with torch.no_grad():
        video_emotion = video(faces, face_counts).softmax(-1)
    counts = torch.from_numpy(present.astype(np.int64))
    return Clip(
        torch.from_numpy(banks.texts.features[texts, bad[:, 0]]).unsqueeze(1),
        torch.from_numpy(banks.texts.posteriors[texts, bad[:, 0]]).unsqueeze(1),
        counts[:, 0],
        speech_features,
        speech_emotion,
        speech_age,
        speech_gender,
        torch.ones(speech_gender.shape[:2]),
        counts[:, 1] * torch.from_numpy(windows),
        faces,
        video_emotion,
        torch.zeros(batch, 1, 1),
        torch.full((batch, 1, 2), 0.5),
        counts[:, 2] * face_counts,
    )


def random_presence(count: int, random: np.random.Generator) -> np.ndarray:
    """Drop modalities at random but keep one at least: bool [count,3]."""
    subsets = np.array([[bool(code & 1 << bit) for bit in range(3)] for code in range(1, 8)])
    return subsets[random.integers(0, len(subsets), count)]


def random_emotions(count: int, random: np.random.Generator) -> np.ndarray:
    """Draw labels evenly, [count]."""
    return random.integers(0, len(EMOTIONS), count)


@dataclass(frozen=True)
class Pairs:
    """Faces and voices of equal age group and gender; B pairs.

    Attributes:
        face: Years [B,A,1], genders [B,A,2] and presence [B,A,1].
        voice: Likewise over windows.
        ages: Years, NaN where a present voice's age is not known [B].
        genders: [B].
    """

    face: tuple[Tensor, Tensor, Tensor]
    voice: tuple[Tensor, Tensor, Tensor]
    ages: Tensor
    genders: Tensor


def draw_pairs(banks: Banks, present: np.ndarray, random: np.random.Generator) -> Pairs:
    """Draw a face and a voice for each row of `present`, bool [B,2] for face and voice."""
    people, voices = banks.people, banks.voices
    face_rows, voice_rows, ages, genders = [], [], [], []
    for has_face, has_voice in present:
        voice = int(random.integers(0, len(voices.ages)))
        face = _matching_face(people, voices.genders[voice], voices.ages[voice], random)
        if not has_voice:
            face = int(random.integers(0, len(people.ages)))
        views = random.integers(0, 2, random.integers(1, LIMITS.age_crops + 1))
        face_rows.append((people.read_ages[face][views], people.read_genders[face][views]))
        voice_rows.append(voices.rows[voice][0][2:])
        unknown = has_voice and np.isnan(voices.ages[voice])
        age = people.ages[face] if has_face else voices.ages[voice]
        ages.append(np.nan if unknown else age)
        genders.append(people.genders[face] if has_face else voices.genders[voice])
    return Pairs(
        _rows_and_presence(face_rows, present[:, 0]),
        _rows_and_presence(voice_rows, present[:, 1]),
        torch.tensor(np.array(ages, np.float32)),
        torch.tensor(np.array(genders)),
    )


def _matching_face(people: PeopleBank, gender: int, age: float, random: np.random.Generator) -> int:
    fits = people.genders == gender
    if not np.isnan(age):
        of_age = np.digitize(people.ages, AGE_GROUPS) == np.digitize(age, AGE_GROUPS)
        # A small corpus may have no face for every voice; gender alone must do then.
        fits = fits & of_age if (fits & of_age).any() else fits
    return int(random.choice(np.flatnonzero(fits)))


def _rows_and_presence(
    rows: list[tuple[np.ndarray, np.ndarray]], present: np.ndarray
) -> tuple[Tensor, Tensor, Tensor]:
    ages, genders = (pad_rows([row[field] for row in rows]) for field in range(2))
    counts = torch.tensor([len(row[0]) for row in rows]) * torch.from_numpy(present)
    positions = torch.arange(ages.shape[1])
    mask = (positions[None] < counts[:, None]).float().unsqueeze(-1)
    return ages, genders, mask

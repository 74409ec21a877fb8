"""What the trained unimodal networks say about a split: the material of pseudo-clips."""

from __future__ import annotations

from argparse import Namespace

import numpy as np
import torch
from torch import Tensor

from training import command
from training.face import predict
from training.face_data import Faces, emotion_faces, people_faces
from training.face_views import augment
from training.fit import trained
from training.networks.face import AttributeNet, EmotionNet
from training.networks.speech import Heads
from training.networks.text import TextNet, lose
from training.pseudo_clips import Banks, FaceBank, PeopleBank, TextBank, VoiceBank
from training.speech_data import Windows, cached_windows
from training.text import Sentences, read_sentences

#: A degraded voice has this many training deviations of noise on the encoder's pooled states.
VOICE_NOISE = 4.0
#: A degraded sentence has lost this share of its pieces and n-grams.
TEXT_LOSS = 0.8


def build_banks(options: Namespace, split: str) -> Banks:
    """Run every unimodal network over one split of its data."""
    folder, manifest = options.out, command.open_data(options)
    torch.manual_seed(options.seed)
    face = trained(EmotionNet(), folder / "face" / "emotion")
    faces = emotion_faces(manifest, folder / "face")
    people = trained(AttributeNet(), folder / "face" / "attributes")
    known = people_faces(manifest, folder / "face")
    windows = cached_windows(manifest, options.whisper, folder / "speech", options.quick)
    sentences = read_sentences(manifest)
    return Banks(
        face_bank(face, faces.part(split)),
        voice_bank(trained(Heads(), folder / "speech"), windows, split),
        text_bank(trained(TextNet(), folder / "text"), sentences, split),
        people_bank(people, known.part(split)),
    )


def degrade(faces: Tensor) -> Tensor:
    """Make faces [B,1,48,48] hardly recognisable: coarse, dim and noisy."""
    coarse = torch.nn.functional.avg_pool2d(augment(faces), 8)
    spread = torch.nn.functional.interpolate(coarse, size=faces.shape[-2:], mode="bilinear")
    return (spread * 0.4 + torch.randn_like(spread) * 8.0).clamp(0, 255)


def face_bank(network: EmotionNet, faces: Faces) -> FaceBank:
    """Features of each face as it is, moved and degraded."""
    clean = faces.tensor()
    views = (clean, augment(clean), degrade(clean))
    features = [predict(network, view)[0].astype(np.float16) for view in views]
    return FaceBank(np.stack(features, 1), faces.labels["emotion"])


def people_bank(network: AttributeNet, faces: Faces) -> PeopleBank:
    """Ages and genders of each face as it is and moved."""
    clean = faces.tensor()
    readings = [predict(network, view) for view in (clean, augment(clean))]
    ages = np.stack([years for years, _ in readings], 1).clip(0, 110)
    genders = np.stack([_softmax(logits) for _, logits in readings], 1)
    return PeopleBank(ages, genders, faces.labels["age"], faces.labels["gender"])


def voice_bank(heads: Heads, windows: Windows, split: str) -> VoiceBank:
    """Readings of each clip's windows, plain and degraded."""
    indices = windows.of(split)
    pooled = windows.heard(indices)
    clips = np.unique(windows.clips[indices])
    rows = []
    for clip in clips:
        states = pooled[windows.clips[indices] == clip]
        noise = torch.randn_like(states) * VOICE_NOISE * heads.deviation
        rows.append((_voice_rows(heads, states), _voice_rows(heads, states + noise)))
    labels = {name: windows.labels[name][clips] for name in ("emotion", "gender", "age")}
    return VoiceBank(rows, labels["emotion"], labels["gender"], labels["age"])


def _voice_rows(heads: Heads, states: Tensor) -> tuple[np.ndarray, ...]:
    with torch.no_grad():
        features, emotion, years, gender = heads(states)
    years = years.clamp(0.0, 110.0)
    outputs = (features, emotion.softmax(-1), years, gender.softmax(-1))
    return tuple(output.numpy() for output in outputs)


def text_bank(network: TextNet, sentences: Sentences, split: str) -> TextBank:
    """Features and posteriors of each sentence, plain and degraded."""
    indices = sentences.of(split)
    features, posteriors = [], []
    for start in range(0, len(indices), 256):
        tokens = sentences.batch(indices[start : start + 256])
        lossy = [lose(part, TEXT_LOSS) for part in tokens]
        with torch.no_grad():
            outputs = [network(*view) for view in (tokens, lossy)]
        features.append(np.stack([feature.numpy() for feature, _ in outputs], 1))
        posteriors.append(np.stack([_softmax(logits.numpy()) for _, logits in outputs], 1))
    return TextBank(
        np.concatenate(features), np.concatenate(posteriors), sentences.emotions[indices]
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(logits).softmax(-1).numpy()

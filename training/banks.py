"""What the served unimodal networks say about a split: the material of pseudo-clips.

The networks are those of a model repository, run as they are served, so that fusion can be fitted
again by whoever has the repository and the data. What they say is kept in a file that is named
after them and the data.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from onnxruntime import InferenceSession
from tqdm import tqdm

from clients.evaluation.asking import read_crop
from clients.evaluation.manifest import Sample
from training.contract import EMOTIONS
from training.manifest import Manifest, labels_of
from training.serving_code import MODEL_REPOSITORY, front_end, network_file, served_network
from training.speech_data import heard_mels
from training.splits import fold_of

log = logging.getLogger(__name__)

#: Items of each emotion that are read of a split, at most.
ITEMS = 300
#: Crops, or windows of speech, that a network reads at a time.
BATCH = 64
#: A degraded sentence has lost this share of its characters.
TEXT_LOSS = 0.8
#: A degraded voice is under noise of its own mean power, in log10 with this deviation.
VOICE_NOISE = 0.3
READERS = ("text_encoder", "speech_cnn", "vgg_face")
FRONT_ENDS = ("text_tokenizer", "speech_frontend")
#: How an item may look: as it is, moved (faces alone), hardly recognisable.
PLAIN, MOVED, DEGRADED = 0, 1, -1


@dataclass(frozen=True)
class Banks:
    """Items of one split; of each N items, and of faces by view besides.

    Attributes:
        texts: Posteriors of sentences, plain and degraded, [N,2,7].
        text_emotions: [N].
        text_people: Names [N] of whom no part may be divided.
        voices: Posteriors of recordings, plain and degraded, [N,2,7].
        voice_emotions: [N].
        voice_people: [N].
        faces: Features of faces, plain, moved and degraded, [N,3,4096] float16.
        face_emotions: [N].
        face_people: [N].
    """

    texts: np.ndarray
    text_emotions: np.ndarray
    text_people: np.ndarray
    voices: np.ndarray
    voice_emotions: np.ndarray
    voice_people: np.ndarray
    faces: np.ndarray
    face_emotions: np.ndarray
    face_people: np.ndarray

    def halves(self) -> tuple[Banks, Banks]:
        """Divide the people of each modality evenly over two halves.

        Where a half would lack an emotion, both are the whole.
        """
        parts: tuple[dict, dict] = {}, {}
        for kind in ("text", "voice", "face"):
            people, emotions = getattr(self, f"{kind}_people"), getattr(self, f"{kind}_emotions")
            told = {name: tuple(np.unique(emotions[people == name])) for name in np.unique(people)}
            fold = fold_of(told, 2)
            half = np.array([fold[name] for name in people])
            chosen = [half == number for number in (0, 1)]
            if any(len(np.unique(emotions[one])) < len(EMOTIONS) for one in chosen):
                log.warning("%s: too few people to divide", kind)
                chosen = [np.ones(len(people), bool)] * 2
            for part, one in zip(parts, chosen, strict=True):
                for name in (f"{kind}s", f"{kind}_emotions", f"{kind}_people"):
                    part[name] = getattr(self, name)[one]
        return Banks(**parts[0]), Banks(**parts[1])


def build_banks(
    manifest: Manifest,
    split: str,
    folder: Path,
    repository: Path = MODEL_REPOSITORY,
    threads: int = 0,
) -> Banks:
    """Run the served networks over one split of a manifest's labelled items.

    Args:
        manifest: The data.
        split: "dev" or "test".
        folder: Receives what was read, for the next time.
        repository: Whose networks read.
        threads: How many threads a network may take; 0: all.
    """
    chosen = {
        medium: few_of_each(
            [row for row in manifest.having(medium, "emotion") if row.split == split]
        )
        for medium in ("text", "speech", "face")
    }
    file = folder / f"{split}-{_digest(repository, chosen.values())}.npz"
    if not file.exists():
        networks = [served_network(name, repository, threads) for name in READERS]
        readers = (read_texts, read_voices, read_faces)
        arrays = {}
        for kind, rows, network, read in zip(
            ("text", "voice", "face"), chosen.values(), networks, readers, strict=True
        ):
            labels = labels_of(rows)
            readings = read(network, rows)
            known = np.isfinite(readings.reshape(len(rows), -1)).all(1)
            arrays[f"{kind}s"] = readings[known]
            arrays[f"{kind}_emotions"] = labels["emotion"][known]
            arrays[f"{kind}_people"] = labels["person"][known]
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(file, **arrays)
        log.info("wrote %s", file)
    with np.load(file) as archive:
        return Banks(**{field.name: archive[field.name] for field in fields(Banks)})


def few_of_each(rows: Sequence[Sample]) -> list[Sample]:
    """Keep at most `ITEMS` rows of each emotion, by chance but always the same."""
    order = sorted(rows, key=lambda row: _hashed("|".join(row.media)))
    kept: list[Sample] = []
    for emotion in EMOTIONS:
        kept += [row for row in order if row.emotion == emotion][:ITEMS]
    return kept


def _digest(repository: Path, chosen: Iterable[Sequence[Sample]]) -> str:
    """Name the networks, their front ends and the items that they read."""
    whole = hashlib.sha256()
    for name in READERS:
        whole.update(network_file(name, repository).read_bytes())
    for name in FRONT_ENDS:
        for file in sorted((MODEL_REPOSITORY / name / "1").glob("*.*")):
            whole.update(file.read_bytes())
    for rows in chosen:
        whole.update(repr([(row.media, row.emotion, row.person) for row in rows]).encode())
    return whole.hexdigest()[:12]


def _hashed(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()


def read_texts(network: InferenceSession, rows: Sequence[Sample]) -> np.ndarray:
    """Read sentences as they are and with most of their characters lost: posteriors [N,2,7].

    Those that cannot be read are NaN.
    """
    spelling = front_end("text_tokenizer", "normalisation")
    tokenizer = front_end("text_tokenizer", "tokenizer")
    random = np.random.default_rng(0)

    def posterior(sentence: str) -> np.ndarray:
        tokens = tokenizer.tokens_of(sentence)
        inputs = {"IDS": tokens.ids[None], "GRAMS": tokens.grams[None]}
        return network.run(["EMOTION"], inputs)[0][0]

    readings = []
    for row in tqdm(rows, "text", disable=None):
        whole = spelling.korean_sentence(row.text)
        if whole is None:
            readings.append(np.full((2, len(EMOTIONS)), np.nan))
            continue
        lost = "".join(c for c in whole if random.random() > TEXT_LOSS)
        views = (whole, spelling.normalise(lost) or whole)
        readings.append(np.stack([posterior(view) for view in views]))
    return np.array(readings)


def read_voices(network: InferenceSession, rows: Sequence[Sample]) -> np.ndarray:
    """Read recordings as they are and under noise: posteriors [N,2,7]."""
    decode = front_end("speech_frontend", "audio").decode_audio
    random = np.random.default_rng(0)

    def posterior(mels: np.ndarray, voice: np.ndarray) -> np.ndarray:
        return np.average(network.run(["EMOTION"], {"MELS": mels})[0], axis=0, weights=voice)

    readings = []
    for row in tqdm(rows, "speech", disable=None):
        mels, voice = heard_mels(decode(row.speech.read_bytes(), row.speech.name))
        level = np.log10(np.mean(10.0**mels))
        noise = level + random.normal(0, VOICE_NOISE, mels.shape)
        noisy = np.log10(10.0**mels + 10.0**noise).astype(np.float32)
        readings.append(np.stack([posterior(one, voice) for one in (mels, noisy)]))
    return np.array(readings)


def read_faces(network: InferenceSession, rows: Sequence[Sample]) -> np.ndarray:
    """Read faces as they are, moved, and coarse, dim and noisy: features [N,3,4096] float16."""
    random = np.random.default_rng(0)
    features = []
    for start in tqdm(range(0, len(rows), BATCH // 3), "face", disable=None):
        crops = [read_crop(row.face)[0] for row in rows[start : start + BATCH // 3]]
        views = [
            view for crop in crops for view in (crop, moved(crop, random), spoilt(crop, random))
        ]
        read = network.run(["FEATURES"], {"CROPS": np.stack(views)})[0]
        features.append(read.reshape(len(crops), 3, -1).astype(np.float16))
    return np.concatenate(features)


def moved(crop: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Turn, scale and shift a crop a little, and light it otherwise, as faces of a film differ."""
    side = len(crop)
    turned = cv2.getRotationMatrix2D(
        (side / 2, side / 2), random.uniform(-10, 10), random.uniform(0.92, 1.1)
    )
    turned[:, 2] += random.uniform(-0.05, 0.05, 2) * side
    picture = cv2.warpAffine(crop, turned, (side, side), borderMode=cv2.BORDER_REPLICATE)
    if random.random() < 0.5:
        picture = picture[:, ::-1]
    lit = picture * random.uniform(0.8, 1.2) + random.uniform(-15, 15)
    return lit.clip(0, 255).astype(np.uint8)


def spoilt(crop: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Make a crop hardly recognisable: coarse, dim and noisy."""
    side = len(crop)
    coarse = cv2.resize(moved(crop, random), (6, 6), interpolation=cv2.INTER_AREA)
    dim = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_LINEAR) * 0.4
    grain = cv2.resize(random.normal(0, 8, (48, 48)), (side, side))[..., None]
    return (dim + grain).clip(0, 255).astype(np.uint8)

"""A corpus made up on the spot: drawn faces, tones and short sentences of ten people."""

from __future__ import annotations

import csv
import wave
from pathlib import Path

import cv2
import numpy as np

RATE = 16_000
#: Emotion to what its sentence says, how the mouth curves and the tone's pitch in hertz.
KINDS = {
    "happiness": ("정말 좋아요", 10, 300),
    "anger": ("너무 화가 나요", -8, 260),
    "disgust": ("역겨워요", -4, 180),
    "fear": ("무서워요", -10, 340),
    "neutral": ("그냥 그래요", 0, 200),
    "sadness": ("슬퍼요", -6, 140),
    "surprise": ("깜짝 놀랐어요", 4, 400),
}


def write_corpus(folder: Path) -> Path:
    """Write a manifest without splits: each person shows each emotion once in all modalities."""
    rows = []
    for person in range(10):
        gender = ("male", "female")[person % 2]
        for emotion, (sentence, curve, pitch) in KINDS.items():
            name = f"{person}-{emotion}"
            cv2.imwrite(str(folder / f"{name}.png"), _face(curve, person))
            _write_tone(folder / f"{name}.wav", pitch * (1 + person % 2) / 2)
            rows.append(
                {
                    "text": f"{sentence} {person}",
                    "speech": f"{name}.wav",
                    "face": f"{name}.png",
                    "person": f"person {person}",
                    "emotion": emotion,
                    "age": 20 + 5 * person,
                    "gender": gender,
                    "corpus": "tiny",
                }
            )
    path = folder / "manifest.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _face(curve: int, person: int) -> np.ndarray:
    """Draw a face [96,96,3] whose mouth curves by some pixels; each person's skin differs."""
    image = np.full((96, 96, 3), 60, np.uint8)
    cv2.ellipse(image, (48, 48), (34, 42), 0, 0, 360, (110, 140, 150 + 8 * person), -1)
    for x in (34, 62):
        cv2.circle(image, (x, 38), 5, (20, 20, 20), -1)
    mouth = [(30 + x, 66 + round(curve * np.sin(np.pi * x / 36))) for x in range(37)]
    cv2.polylines(image, [np.array(mouth, np.int32)], False, (30, 30, 120), 3)
    return image


def _write_tone(path: Path, pitch: float) -> None:
    """Write 1.5 s of a tone with overtones."""
    times = np.arange(int(1.5 * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * pitch * n * times) / n for n in (1, 2, 3, 4))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((tone * 6_000).astype("<i2").tobytes())

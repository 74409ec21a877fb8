"""Kinds of bad input to `recognize`, and what each must be answered with.

A kind is either refused as a whole, or, where it brings a usable sentence along, answered with
the failure reported beside the modalities that work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.hostile.odd_pictures import png_of_declared_size
from benchmarks.hostile.odd_sounds import wav_of_channels
from benchmarks.hostile.requests import SENTENCE

from .media import voice

RANDOM = np.random.default_rng(0).integers(0, 256, 20_000, np.uint8).tobytes()
BOMB = png_of_declared_size(30_000, 30_000)

Inputs = dict[str, tuple[str, np.ndarray]]


@dataclass(frozen=True)
class Kind:
    """A bad request.

    Attributes:
        name: What is wrong with it.
        inputs: Triton datatype and array of each input.
        cause: What the answer must say, in the error or in the failed modality's message.
        outputs: Output names to ask for.
        failed: The modality that must be reported as failed while the others answer; empty when
            the whole request must be refused.
    """

    name: str
    inputs: Inputs
    cause: str
    outputs: tuple[str, ...] = ("RESULT",)
    failed: str = ""


def text(*sentences: bytes) -> tuple[str, np.ndarray]:
    return "BYTES", np.array(sentences, np.object_)


def file(data: bytes) -> tuple[str, np.ndarray]:
    return "UINT8", np.frombuffer(data, np.uint8)


def rows(array: np.ndarray) -> tuple[str, np.ndarray]:
    return "FP32", array.astype(np.float32)


def past_rows(feature_width: int, columns: int | slice, value: float | list) -> tuple:
    """Return a good context row and one that is spoilt."""
    both = np.zeros((2, feature_width + 10))
    both[:, feature_width] = 1
    both[:, feature_width + 7] = 30
    both[:, feature_width + 8] = 1
    both[1, columns] = value
    return rows(both)


def wav(samples: np.ndarray) -> bytes:
    """Write samples in [-1, 1] as a 16 bit mono wav file of 16 kHz."""
    return wav_of_channels(samples, 1)


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.1, int(16_000 * seconds))


def kinds(clip: bytes) -> list[Kind]:
    """List the bad requests; `clip` is a good video to spoil."""
    return [
        Kind("an empty sentence", {"TEXT": text(b"")}, "TEXT has no letter"),
        Kind("only spaces", {"TEXT": text(b" \t\n ")}, "TEXT has no letter"),
        Kind("a sentence that is not UTF-8", {"TEXT": text(b"\xff\xfe\x80")}, "not UTF-8"),
        Kind("a megabyte of text", {"TEXT": text(b"a" * (1 << 20))}, "at most 16384"),
        Kind("another script", {"TEXT": text("我很生气".encode())}, "too little Korean"),
        Kind("only an address", {"TEXT": text(b"https://example.com/a")}, "too little Korean"),
        Kind("two sentences", {"TEXT": text(b"one", b"two")}, "TEXT"),
        Kind("a sentence as numbers", {"TEXT": rows(np.zeros(1))}, "TEXT"),
        Kind("sound of no bytes", {"AUDIO": file(b"")}, "AUDIO"),
        Kind("random bytes as sound", {"AUDIO": file(RANDOM)}, "AUDIO could not be decoded"),
        Kind("a wav header alone", {"AUDIO": file(wav(noise(1))[:44])}, "AUDIO"),
        Kind("sound as floats", {"AUDIO": rows(noise(1))}, "AUDIO"),
        Kind("an image bomb as sound", {"AUDIO": file(BOMB)}, "AUDIO"),
        Kind("a silent wav", {"AUDIO": file(wav(np.zeros(32_000)))}, "AUDIO is silent"),
        Kind("a wav of 0.1 s", {"AUDIO": file(wav(noise(0.1)))}, "AUDIO holds 0.10 s"),
        Kind("noise", {"AUDIO": file(wav(noise(2)))}, "No voice was heard"),
        Kind("a wav of 61 s", {"AUDIO": file(wav(noise(61)))}, "at most 60 s"),
        Kind("a video of no bytes", {"VIDEO": file(b"")}, "VIDEO"),
        Kind("random bytes as video", {"VIDEO": file(RANDOM)}, "VIDEO is no container"),
        Kind("a truncated video", {"VIDEO": file(clip[:2_000])}, "VIDEO"),
        Kind(
            "sound as video",
            {"VIDEO": file(wav(voice(clip, 2)))},
            "VIDEO has no video stream",
            failed="video",
        ),
        Kind("an image bomb", {"FRAMES": text(BOMB)}, "pixels"),
        Kind("random bytes as a frame", {"FRAMES": text(RANDOM)}, "FRAMES[0]"),
        Kind("no frames", {"FRAMES": ("BYTES", np.array([], np.object_))}, "FRAMES"),
        Kind(
            "frames at 0 a second",
            {"FRAMES": text(RANDOM), "FPS": rows(np.zeros(1))},
            "FPS",
        ),
        Kind(
            "frames at NaN a second",
            {"FRAMES": text(RANDOM), "FPS": rows(np.full(1, np.nan))},
            "FPS",
        ),
        Kind(
            "video and frames",
            {"TEXT": text(SENTENCE), "VIDEO": file(clip), "FRAMES": text(RANDOM)},
            "both",
            failed="video",
        ),
        Kind(
            "past rows with NaN",
            {"PAST_VIDEO": past_rows(4_096, 7, np.nan)},
            "PAST_VIDEO row 1: a feature",
        ),
        Kind(
            "past rows that overflow",
            {"PAST_VIDEO": rows(np.full((2, 4_106), 3e38))},
            "PAST_VIDEO row 0: a feature",
        ),
        Kind(
            "a past posterior that is none",
            {"PAST_SPEECH": past_rows(768, slice(768, 770), [5, -3])},
            "PAST_SPEECH row 1: the emotion",
        ),
        Kind(
            "a past age before birth",
            {"PAST_SPEECH": past_rows(768, 775, -400), "TEXT": text(SENTENCE)},
            "PAST_SPEECH row 1: the age",
        ),
        Kind(
            "a past gender that is none",
            {"PAST_VIDEO": past_rows(4_096, 4_105, 9), "TEXT": text(SENTENCE)},
            "PAST_VIDEO row 1: the gender",
        ),
        Kind(
            "a good sentence with more sound than is accepted",
            {"TEXT": text(SENTENCE), "AUDIO": file(bytes((32 << 20) + 1))},
            "AUDIO has 33554433 bytes, at most 33554432",
            failed="speech",
        ),
        Kind(
            "a good sentence with more frames than are accepted",
            {"TEXT": text(SENTENCE), "FRAMES": text(*[b""] * 1_801)},
            "FRAMES has 1801 images, at most 1800",
            failed="video",
        ),
        Kind("past rows of a wrong width", {"PAST_VIDEO": rows(np.zeros((1, 4096)))}, "PAST_VIDEO"),
        Kind("too many past rows", {"PAST_SPEECH": rows(np.zeros((61, 779)))}, "at most 60"),
        Kind("a frame rate alone", {"FPS": rows(np.full(1, 10.0))}, "no modality"),
        Kind("an unknown input", {"TEXT": text(SENTENCE), "SMELL": text(b"x")}, "SMELL"),
        Kind("an unknown output", {"TEXT": text(SENTENCE)}, "SMELL", outputs=("SMELL",)),
        Kind(
            "a good sentence with random bytes as video",
            {"TEXT": text(SENTENCE), "VIDEO": file(RANDOM)},
            "VIDEO is no container",
            failed="video",
        ),
        Kind(
            "a good sentence with silence",
            {"TEXT": text(SENTENCE), "AUDIO": file(wav(np.zeros(32_000)))},
            "AUDIO is silent",
            failed="speech",
        ),
        Kind(
            "a good sentence with an image bomb",
            {"TEXT": text(SENTENCE), "FRAMES": text(BOMB)},
            "pixels",
            failed="video",
        ),
    ]

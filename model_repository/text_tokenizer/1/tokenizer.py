"""Sentences to hashed character n-grams: no vocabulary file, no language is unreadable."""

from __future__ import annotations

import re
import unicodedata
import zlib

import numpy as np
from contract import LIMITS

#: Ids are 1..BUCKETS; 0 is padding. The text network's embedding has BUCKETS + 1 rows.
BUCKETS = 1 << 17
LONGEST_GRAM = 5
#: Sentences are padded to a multiple of this, so that requests of like length share a batch.
PAD_TO = 64

_LONG_RUN = re.compile(r"(.)\1{2,}", re.DOTALL)
#: Letters, digits and symbols (emoji among them) carry meaning; without one there is no sentence.
_MEANINGFUL = ("L", "N", "S")


def encode(text: str) -> np.ndarray:
    """Turn a sentence into ids of its character 1- to 5-grams.

    Args:
        text: Any string; characters after the first `LIMITS.text_characters` are ignored.

    Returns:
        int32 [L], L a multiple of 64, padded with 0 at the end; empty when the text holds no
        letter, digit or symbol.
    """
    sentence = normalise(text[: LIMITS.text_characters])
    if not any(unicodedata.category(character)[0] in _MEANINGFUL for character in sentence):
        return np.zeros(0, np.int32)
    # The spaces at both ends let n-grams tell the beginning and the end of a word.
    bounded = f" {sentence} "
    ids = [
        _bucket(bounded[start : start + length])
        for length in range(1, LONGEST_GRAM + 1)
        for start in range(len(bounded) - length + 1)
        if bounded[start : start + length] != " "
    ]
    padded = np.zeros(-(-len(ids) // PAD_TO) * PAD_TO, np.int32)
    padded[: len(ids)] = ids
    return padded


def normalise(text: str) -> str:
    """Compose (NFC), lower, turn control characters into spaces and shorten runs to two."""
    composed = unicodedata.normalize("NFC", text).lower()
    visible = "".join(" " if _is_control(character) else character for character in composed)
    return _LONG_RUN.sub(r"\1\1", " ".join(visible.split()))


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc"


def _bucket(gram: str) -> int:
    """Hash by CRC-32, which is the same on every machine and in every process."""
    return zlib.crc32(gram.encode("utf-8", "surrogatepass")) % BUCKETS + 1

"""Sentences to word pieces for the encoder and to hashed character n-grams beside them."""

from __future__ import annotations

import re
import unicodedata
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from contract import LIMITS
from sentencepiece import SentencePieceProcessor

#: A SentencePiece unigram model that `training.e5` cuts out of multilingual-e5-small's.
PIECES = Path(__file__).with_name("pieces.model")
#: Word pieces that are read, with the first and the last mark; n-grams tell of the rest.
LONGEST = 256
#: n-gram ids are 1..BUCKETS; 0 is padding, for pieces too.
BUCKETS = 1 << 17
LONGEST_GRAM = 5
#: Sentences are padded to a multiple of these, so that requests of like length share a batch.
PAD_PIECES_TO = 8
PAD_GRAMS_TO = 64

_LONG_RUN = re.compile(r"(.)\1{2,}", re.DOTALL)
#: Letters, digits and symbols (emoji among them) carry meaning; without one there is no sentence.
_MEANINGFUL = ("L", "N", "S")


class Tokens(NamedTuple):
    """A sentence as the network reads it; both empty when there is nothing to read.

    Attributes:
        ids: Word pieces between two marks, int32 [L], L a multiple of 8, padded with 0.
        grams: Its different n-grams, int32 [G], G a multiple of 64, padded with 0.
    """

    ids: np.ndarray
    grams: np.ndarray


def encode(text: str) -> Tokens:
    """Turn a sentence into word pieces and n-grams.

    Args:
        text: Any string; characters after the first `LIMITS.text_characters` are ignored.

    Returns:
        Its tokens; empty when the text holds no letter, digit or symbol.
    """
    sentence = normalise(text[: LIMITS.text_characters])
    if not any(unicodedata.category(character)[0] in _MEANINGFUL for character in sentence):
        return Tokens(np.zeros(0, np.int32), np.zeros(0, np.int32))
    return Tokens(
        _padded(piece_ids(sentence), PAD_PIECES_TO), _padded(_grams(sentence), PAD_GRAMS_TO)
    )


def normalise(text: str) -> str:
    """Compose (NFC), lower, turn control characters into spaces and shorten runs to two."""
    composed = unicodedata.normalize("NFC", text).lower()
    visible = "".join(" " if _is_control(character) else character for character in composed)
    return _LONG_RUN.sub(r"\1\1", " ".join(visible.split()))


def piece_ids(sentence: str, **sampling: bool | float) -> list[int]:
    """Cut a normalised sentence into pieces; at most `LONGEST` ids with both marks.

    Args:
        sentence: What `normalise` returns.
        sampling: How training has SentencePiece cut at random; served are the likeliest pieces.
    """
    processor = _processor()
    # SentencePiece reads UTF-8, which cannot hold a lone surrogate.
    readable = unicodedata.normalize("NFKC", sentence).encode("utf-8", "replace").decode()
    pieces = processor.encode(readable, **sampling)[: LONGEST - 2]
    return [processor.bos_id(), *pieces, processor.eos_id()]


def piece_count() -> int:
    """Count the pieces, marks and padding included."""
    return _processor().vocab_size()


@cache
def _processor() -> SentencePieceProcessor:
    return SentencePieceProcessor(model_file=str(PIECES))


def _grams(sentence: str) -> list[int]:
    # The spaces at both ends let n-grams tell the beginning and the end of a word.
    bounded = f" {sentence} "
    grams = {
        bounded[start : start + length]
        for length in range(1, LONGEST_GRAM + 1)
        for start in range(len(bounded) - length + 1)
    }
    return sorted({_bucket(gram) for gram in grams - {" "}})


def _padded(ids: list[int], multiple: int) -> np.ndarray:
    padded = np.zeros(-(-len(ids) // multiple) * multiple, np.int32)
    padded[: len(ids)] = ids
    return padded


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc"


def _bucket(gram: str) -> int:
    """Hash by CRC-32, which is the same on every machine and in every process."""
    return zlib.crc32(gram.encode("utf-8", "surrogatepass")) % BUCKETS + 1

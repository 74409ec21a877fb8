"""Sentences to word pieces for the encoder and to hashed character n-grams beside them."""

from __future__ import annotations

import unicodedata
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from contract import LIMITS, MediaError, TextStatus
from normalisation import is_blank, korean_sentence
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
        text: Any string.

    Returns:
        Its tokens; empty when the text holds no letter, digit or symbol.

    Raises:
        MediaError: UNSUPPORTED when it holds some, but too little that the network can read;
            TOO_LONG when more than `LIMITS.text_characters` are left of it.
    """
    if is_blank(text):
        return Tokens(np.zeros(0, np.int32), np.zeros(0, np.int32))
    sentence = korean_sentence(text)
    if sentence is None:
        raise MediaError(TextStatus.UNSUPPORTED, "TEXT holds too little Korean to be read")
    if len(sentence) > LIMITS.text_characters:
        raise MediaError(
            TextStatus.TOO_LONG,
            f"TEXT has {len(sentence)} characters, at most {LIMITS.text_characters} are accepted",
        )
    return tokens_of(sentence)


def tokens_of(sentence: str) -> Tokens:
    """Cut what `normalise` returned; it is not empty."""
    return Tokens(
        _padded(piece_ids(sentence), PAD_PIECES_TO), _padded(gram_ids(sentence), PAD_GRAMS_TO)
    )


def piece_ids(sentence: str, **sampling: bool | float) -> list[int]:
    """Cut a normalised sentence into pieces; at most `LONGEST` ids with both marks.

    Args:
        sentence: What `normalise` returns.
        sampling: How training has SentencePiece cut at random; served are the likeliest pieces.
    """
    processor = _processor()
    pieces = processor.encode(sentence.translate(_piece_jamo()), **sampling)[: LONGEST - 2]
    return [processor.bos_id(), *pieces, processor.eos_id()]


def piece_count() -> int:
    """Count the pieces, marks and padding included."""
    return _processor().vocab_size()


@cache
def _processor() -> SentencePieceProcessor:
    return SentencePieceProcessor(model_file=str(PIECES))


@cache
def _piece_jamo() -> dict[int, str]:
    """Map jamo that stand alone to those of the pieces, which do not join into syllables here."""
    return {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0x3131, 0x3164)}


def gram_ids(sentence: str) -> list[int]:
    """Number the different n-grams of a normalised sentence, in order."""
    # Without the spaces between, which people set as they like; those at both ends let n-grams tell
    # the beginning and the end.
    bounded = f" {sentence.replace(' ', '')} "
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


def _bucket(gram: str) -> int:
    """Hash by CRC-32, which is the same on every machine and in every process."""
    return zlib.crc32(gram.encode()) % BUCKETS + 1

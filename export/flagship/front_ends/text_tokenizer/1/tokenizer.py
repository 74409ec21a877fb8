"""The original's way from a sentence to 48 character codes and 27 morphemes.

It replaces the module of the same name of the default profile. Morphemes are cut by Okt, the
Open Korean Text analyser of KoNLPy, which runs on Java; their numbers are lines of `morphemes.txt`,
which the export wrote beside this file, and rows of the table inside `text_encoder`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from contract import LIMITS, MediaError, TextStatus

if TYPE_CHECKING:
    from konlpy.tag import Okt

VOCABULARY = Path(__file__).with_name("morphemes.txt")
#: Both tensors have one length.
PAD_PIECES_TO = 48
PAD_GRAMS_TO = 27

#: First and last character of a range, and the code of its first; 0 is nothing.
RANGES = (("0", "9", 1), ("a", "z", 11), ("가", "힣", 37))


class Tokens(NamedTuple):
    """A sentence as the network reads it.

    Attributes:
        ids: Character codes, int32 [48], after zeros; empty when there is nothing to read.
        grams: Numbers of its morphemes, int32 [27], before zeros.
    """

    ids: np.ndarray
    grams: np.ndarray


def encode(text: str) -> Tokens:
    """Turn a sentence into characters and morphemes.

    Args:
        text: Any string.

    Returns:
        Its tokens; empty when the text holds no digit, no letter a to z and no Hangul syllable.

    Raises:
        MediaError: It is longer than `LIMITS.text_characters`, or morphemes cannot be cut because
            KoNLPy or Java is not installed.
    """
    if len(text) > LIMITS.text_characters:
        raise MediaError(
            TextStatus.TOO_LONG,
            f"TEXT has {len(text)} characters, at most {LIMITS.text_characters} are accepted",
        )
    sentence = text.lower()
    codes = character_codes(sentence)
    if not codes:
        return Tokens(np.zeros(0, np.int32), np.zeros(0, np.int32))
    ids, grams = np.zeros(PAD_PIECES_TO, np.int32), np.zeros(PAD_GRAMS_TO, np.int32)
    ids[PAD_PIECES_TO - len(codes) :] = codes
    numbers = morpheme_numbers(sentence)
    grams[: len(numbers)] = numbers
    return Tokens(ids, grams)


def character_codes(sentence: str) -> list[int]:
    """Number the first 48 characters that have a code; others are left out."""
    codes = [
        ord(character) - ord(first) + code
        for character in sentence
        for first, last, code in RANGES
        if first <= character <= last
    ]
    return codes[:PAD_PIECES_TO]


def morpheme_numbers(sentence: str) -> list[int]:
    """Number the first 27 morphemes, normalised and stemmed, that Word2Vec knows."""
    # Java's strings cannot take a lone surrogate.
    readable = sentence.encode("utf-8", "replace").decode()
    morphemes = _okt().morphs(readable, norm=True, stem=True)
    known = _vocabulary()
    return [known[morpheme] for morpheme in morphemes if morpheme in known][:PAD_GRAMS_TO]


@cache
def _vocabulary() -> dict[str, int]:
    lines = VOCABULARY.read_text(encoding="utf-8").split("\n")
    return {morpheme: number for number, morpheme in enumerate(lines, 1) if morpheme}


@cache
def _okt() -> Okt:
    """Start Java, once a process."""
    try:
        from konlpy.tag import Okt

        return Okt()
    except ImportError as error:
        cause = "the package konlpy: pip install -r requirements/flagship-models.txt"
        raise _missing(cause) from error
    except Exception as error:
        # JPype raises several kinds, depending on where its search for a Java ends.
        raise _missing("a Java runtime: apt-get install default-jre-headless") from error


def _missing(what: str) -> MediaError:
    return MediaError(
        TextStatus.UNREADABLE,
        f"the text front end of this profile cuts morphemes and needs on the server {what}",
    )

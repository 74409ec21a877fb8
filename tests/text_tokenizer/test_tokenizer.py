"""Sentences to n-gram ids: Korean first, nothing crashes, nothing is decided by chance."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from tokenizer import BUCKETS, PAD_TO, encode

SENTENCES = {
    "Korean": "나는 지금 너무 슬퍼",
    "English and digits": "hello WORLD 123",
    "jamo": "ㅋㅋㅋㅋ ㅠㅠ ᄒ",
    "emoji": "😀👨‍👩‍👧 🇰🇷",
    "other scripts": "漢字かな",
    "a lone surrogate": "\ud800 broken",
    "a null": "a\x00b",
}


@pytest.mark.parametrize("sentence", SENTENCES.values(), ids=SENTENCES)
def test_any_script_gives_ids_padded_to_whole_blocks(sentence):
    ids = encode(sentence)
    assert ids.dtype == np.int32 and ids.size and ids.size % PAD_TO == 0
    used = ids[ids > 0]
    assert used.size and used.max() <= BUCKETS
    assert (ids[used.size :] == 0).all()


@pytest.mark.parametrize("sentence", ["", " \t\n", "...", "\u200b", "\u0301"])
def test_a_sentence_without_letters_digits_or_symbols_is_empty(sentence):
    assert encode(sentence).size == 0


def test_composed_and_decomposed_hangul_are_the_same_sentence():
    sentence = "오늘 기분이 좋아요"
    decomposed = unicodedata.normalize("NFD", sentence)
    assert decomposed != sentence
    np.testing.assert_array_equal(encode(decomposed), encode(sentence))


def test_case_spacing_and_long_runs_do_not_matter_but_words_do():
    np.testing.assert_array_equal(encode("  좋아ㅋㅋㅋㅋㅋ  OK "), encode("좋아ㅋㅋ ok"))
    assert encode("좋아요").tolist() != encode("싫어요").tolist()

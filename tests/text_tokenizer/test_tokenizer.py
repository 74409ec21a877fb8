"""Sentences to pieces and n-grams: Korean first, nothing crashes, nothing is decided by chance."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from contract import LIMITS
from tokenizer import BUCKETS, LONGEST, PAD_GRAMS_TO, PAD_PIECES_TO, encode, piece_count

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
    tokens = encode(sentence)
    sizes = ((PAD_PIECES_TO, piece_count() - 1), (PAD_GRAMS_TO, BUCKETS))
    for ids, (multiple, highest) in zip(tokens, sizes, strict=True):
        assert ids.dtype == np.int32 and ids.size and ids.size % multiple == 0
        used = ids[ids > 0]
        assert used.size and used.max() <= highest
        assert (ids[used.size :] == 0).all()


def test_a_long_text_is_cut_to_what_the_network_reads_and_still_ends_with_its_mark():
    ids, grams = encode("슬퍼요 정말 " * LIMITS.text_characters)
    assert ids.size == LONGEST and ids[-1] == encode("좋아").ids[ids_used("좋아") - 1]
    assert np.unique(grams[grams > 0]).size == (grams > 0).sum()


def ids_used(sentence: str) -> int:
    return int((encode(sentence).ids > 0).sum())


@pytest.mark.parametrize("sentence", ["", " \t\n", "...", "\u200b", "\u0301"])
def test_a_sentence_without_letters_digits_or_symbols_is_empty(sentence):
    assert all(ids.size == 0 for ids in encode(sentence))


def test_composed_and_decomposed_hangul_are_the_same_sentence():
    sentence = "오늘 기분이 좋아요"
    decomposed = unicodedata.normalize("NFD", sentence)
    assert decomposed != sentence
    assert_same(decomposed, sentence)


def test_case_spacing_and_long_runs_do_not_matter_but_words_do():
    assert_same("  좋아ㅋㅋㅋㅋㅋ  OK ", "좋아ㅋㅋ ok")
    assert encode("좋아요").ids.tolist() != encode("싫어요").ids.tolist()


def assert_same(one: str, other: str):
    for first, second in zip(encode(one), encode(other), strict=True):
        np.testing.assert_array_equal(first, second)

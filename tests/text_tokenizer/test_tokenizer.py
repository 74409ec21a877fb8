"""Sentences to pieces and n-grams: Korean first, nothing crashes, nothing is decided by chance."""

from __future__ import annotations

import numpy as np
import pytest
from contract import LIMITS, MediaError, TextStatus
from tokenizer import BUCKETS, LONGEST, PAD_GRAMS_TO, PAD_PIECES_TO, encode, piece_count

SENTENCES = {
    "Korean": "나는 지금 너무 슬퍼",
    "English names and digits": "LG TV 123개 샀어",
    "jamo": "ㅋㅋㅋㅋ ㅠㅠ ᄒ",
    "emoji": "😀👨‍👩‍👧 🇰🇷",
    "a lone surrogate": "\ud800 깨졌어",
    "a null": "가\x00나",
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
    ids, grams = encode("슬퍼요 정말 " * (LIMITS.text_characters // 7))
    assert ids.size == LONGEST and ids[-1] == encode("좋아").ids[ids_used("좋아") - 1]
    assert np.unique(grams[grams > 0]).size == (grams > 0).sum()


def test_only_what_is_seen_counts_towards_the_longest_sentence():
    longest = "가나" * (LIMITS.text_characters // 2)
    assert encode("\u200b".join(longest)).ids.size
    with pytest.raises(MediaError, match=f"{LIMITS.text_characters}") as refused:
        encode(longest + "다")
    assert refused.value.status is TextStatus.TOO_LONG


def test_a_script_that_the_network_does_not_know_is_unsupported():
    with pytest.raises(MediaError, match="Korean") as refused:
        encode("我很生气")
    assert refused.value.status is TextStatus.UNSUPPORTED


def ids_used(sentence: str) -> int:
    return int((encode(sentence).ids > 0).sum())


@pytest.mark.parametrize("sentence", ["", "...", "\u200b"])
def test_a_sentence_without_letters_digits_or_symbols_is_empty(sentence):
    assert all(ids.size == 0 for ids in encode(sentence))


def test_words_differ():
    assert encode("좋아요").ids.tolist() != encode("싫어요").ids.tolist()

"""Sentences of any bytes."""

from __future__ import annotations

import numpy as np
import pytest
from contract import LIMITS, TextStatus
from hypothesis import given
from hypothesis import strategies as st
from tokenizer import BUCKETS, LONGEST, PAD_GRAMS_TO, PAD_PIECES_TO, encode, normalise, piece_count

sentences = st.text(st.characters(), max_size=200)


@given(sentences)
def test_a_sentence_gives_known_ids_padded_at_the_end_or_none_at_all(sentence):
    tokens = encode(sentence)
    assert bool(tokens.ids.size) == bool(tokens.grams.size)
    assert tokens.ids.size <= LONGEST
    sizes = ((PAD_PIECES_TO, piece_count() - 1), (PAD_GRAMS_TO, BUCKETS))
    for ids, (multiple, highest) in zip(tokens, sizes, strict=True):
        assert ids.dtype == np.int32 and ids.size % multiple == 0
        used = ids[ids > 0]
        assert used.max(initial=0) <= highest and not ids[used.size :].any()


@given(sentences)
def test_spaces_around_a_sentence_say_nothing(sentence):
    for one, other in zip(encode(sentence), encode(f" \t{sentence}\n "), strict=True):
        np.testing.assert_array_equal(one, other)


@given(sentences)
def test_no_character_is_left_that_nobody_sees(sentence):
    seen = normalise(sentence)
    assert seen == " ".join(seen.split())
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in seen)


@pytest.fixture(scope="module")
def sentence_tokens(load):
    return load("text_tokenizer", "model").sentence_tokens


@given(
    st.binary(max_size=LIMITS.text_bytes + 100)
    | sentences.map(lambda s: s.encode("utf-8", "replace"))
)
def test_any_bytes_give_tokens_or_a_status_with_a_sentence(sentence_tokens, sentence):
    tokens, status, message = sentence_tokens(sentence)
    assert bool(message) == (status is not TextStatus.OK)
    assert bool(tokens.ids.any()) == (status is TextStatus.OK)
    if status is TextStatus.TOO_LONG:
        assert f"{LIMITS.text_bytes}" in message or f"{LIMITS.text_characters}" in message


@given(st.integers(0, 3 * LIMITS.text_bytes), st.sampled_from("aé가😀"))
def test_a_sentence_is_too_long_exactly_beyond_its_limits(sentence_tokens, count, character):
    sentence = character * count
    _, status, _ = sentence_tokens(sentence.encode())
    too_long = count > LIMITS.text_characters or len(sentence.encode()) > LIMITS.text_bytes
    assert (status is TextStatus.TOO_LONG) == too_long

"""Sentences of any bytes."""

from __future__ import annotations

import numpy as np
import pytest
from contract import LIMITS, MediaError, TextStatus
from hypothesis import given
from hypothesis import strategies as st
from normalisation import normalise
from tokenizer import BUCKETS, LONGEST, PAD_GRAMS_TO, PAD_PIECES_TO, encode, piece_count

#: What a normalised sentence is made of.
KNOWN = {
    chr(code) for first, last in (" ~", "가힣", "ㄱㅣ") for code in range(ord(first), ord(last) + 1)
} | {"♥"}
#: Anything, and what is hard: Hangul in pieces, faces, marks, what nobody sees, addresses.
sentences = st.text(st.characters(codec="utf-8"), max_size=200) | st.lists(
    st.sampled_from([*"가힣ㄱㅏㅋㅠㅡ각ᄒ\u1161\u11a8ﾡￂ^;:-_()@.?!~ 0aé한😭❤️中\u200b\u3164\u0301"])
    | st.sampled_from(["https://a.kr/b", "a@b.kr", "T_T", "ㅋㅋㅋ", "1,000", "..."]),
    max_size=30,
).map("".join)


def tokens_of(sentence):
    """Tokens, or the status for which there are none."""
    try:
        return encode(sentence)
    except MediaError as error:
        return error.status


@given(sentences)
def test_a_sentence_gives_known_ids_padded_at_the_end_or_none_at_all(sentence):
    tokens = tokens_of(sentence)
    if isinstance(tokens, TextStatus):
        return
    assert bool(tokens.ids.size) == bool(tokens.grams.size)
    assert tokens.ids.size <= LONGEST
    sizes = ((PAD_PIECES_TO, piece_count() - 1), (PAD_GRAMS_TO, BUCKETS))
    for ids, (multiple, highest) in zip(tokens, sizes, strict=True):
        assert ids.dtype == np.int32 and ids.size % multiple == 0
        used = ids[ids > 0]
        assert used.max(initial=0) <= highest and not ids[used.size :].any()


@given(sentences)
def test_spaces_around_a_sentence_say_nothing(sentence):
    assert str(tokens_of(sentence)) == str(tokens_of(f" \t{sentence}\n "))


@given(sentences)
def test_no_character_is_left_that_nobody_sees(sentence):
    seen = normalise(sentence)
    assert seen == " ".join(seen.split())
    assert not set(seen) - KNOWN


@given(sentences)
def test_a_sentence_that_was_normalised_stays_as_it_is(sentence):
    assert normalise(normalise(sentence)) == normalise(sentence)


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


@given(st.integers(0, LIMITS.text_bytes), st.sampled_from(["가나", "가\u200b나"]))
def test_a_sentence_is_too_long_exactly_beyond_its_limits(sentence_tokens, count, pair):
    sentence = (pair * count).encode()
    _, status, _ = sentence_tokens(sentence)
    too_long = 2 * count > LIMITS.text_characters or len(sentence) > LIMITS.text_bytes
    assert (status is TextStatus.TOO_LONG) == too_long

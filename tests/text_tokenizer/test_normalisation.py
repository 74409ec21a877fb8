"""One sentence, however it is written: what readers see the same is the same to the network."""

from __future__ import annotations

import unicodedata

import pytest
from normalisation import is_blank, is_korean, normalise

SENTENCES = ("오늘 기분이 좋아요", "값이 싫다 ㅋㅋ", "왜 나한테만 그래?", "읽지 않았어 ㅠㅠ")


def typed_letter_by_letter(text: str) -> str:
    """Compatibility jamo as a keyboard gives them one by one."""
    letters = []
    for character in unicodedata.normalize("NFD", text):
        name = unicodedata.name(character).split()
        jamo = name[:1] == ["HANGUL"] and name[1].endswith("SEONG")
        letters.append(
            unicodedata.lookup(f"HANGUL LETTER {' '.join(name[2:])}") if jamo else character
        )
    return "".join(letters)


def half_width(text: str) -> str:
    halves = {}
    for code in range(0xFFA1, 0xFFDD):
        if unicodedata.decomposition(chr(code)):
            halves[int(unicodedata.decomposition(chr(code)).split()[1], 16)] = code
    return typed_letter_by_letter(text).translate(halves)


def between_all(character: str):
    return lambda text: character.join(text)


WAYS = {
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "compatibility jamo": typed_letter_by_letter,
    "half-width jamo": half_width,
    "zero-width spaces": between_all("\u200b"),
    "zero-width joiners": between_all("\u200d"),
    "soft hyphens": between_all("\u00ad"),
    "Hangul fillers": between_all("\u3164"),
    "direction marks": lambda text: f"\u202e{text}\u202c",
    "a byte order mark": lambda text: "\ufeff" + text,
    "stacked accents": between_all("\u0301"),
    "wide punctuation": lambda text: text.replace("?", "？").replace(" ", "\u3000"),
    "more spaces": lambda text: f"  {text.replace(' ', '   ')}\n",
    "an address": lambda text: f"{text} https://news.example.com/a?b=c_d",
    "a mention": lambda text: f"@gil-dong.hong {text}".replace("-", "_"),
    "longer laughter": lambda text: text.replace("ㅋㅋ", "ㅋㅋㅋㅋㅋㅋㅋ").replace(
        "ㅠㅠ", "ㅜㅜㅜㅜ"
    ),
    "a last full stop": lambda text: text if text[-1] in "?ㅋㅠ" else f"{text}.",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_looks_the_same_is_the_same_sentence(way):
    for sentence in SENTENCES:
        assert normalise(way(sentence)) == normalise(sentence) != ""


def test_numbers_are_one_and_words_are_not():
    assert normalise("12,500원이야") == normalise("3.5원이야") == "0원이야"
    assert normalise("좋아요") != normalise("싫어요")


def test_laughter_and_tears_are_not_joined_to_syllables():
    assert normalise("ㅋㅠ") == "ㅋㅠ" and "큐" not in normalise("ㅋㅋㅠㅠ")


@pytest.mark.parametrize(
    ("face", "typed"), [("😭", "ㅠㅠ"), ("❤️", "♥"), ("^_^", "^^"), ("T_T", "ㅠㅠ"), ("-_-", "ㅡㅡ")]
)
def test_faces_are_read_as_people_type_them(face, typed):
    assert normalise(face) == typed and is_korean(face)
    assert normalise(f"나 왔어{face}") == f"나 왔어 {typed}"


@pytest.mark.parametrize(
    "sentence",
    ["我很生气", "I am very sad", "今日は楽しい", "Мне грустно", "أنا سعيد", "น่ากลัว", "🚗", "2024"],
)
def test_other_scripts_and_mere_signs_are_not_korean(sentence):
    assert not is_korean(sentence) and not is_blank(sentence)


@pytest.mark.parametrize("sentence", ["https://example.com/a", "help@example.com", "@minsu"])
def test_whom_and_where_to_find_on_the_net_is_not_korean(sentence):
    assert not is_korean(sentence)


def test_a_word_of_korean_among_other_letters_does_not_make_a_korean_sentence():
    assert not is_korean("我很生气 네")


@pytest.mark.parametrize(
    "sentence", ["네", "ㅇㅇ", "Galaxy S24 Ultra 샀어", "TV 봐", "😭", "중국 中國 사람"]
)
def test_korean_with_names_and_faces_is_read(sentence):
    assert is_korean(sentence)


@pytest.mark.parametrize("sentence", ["", " \t\n", "...", "\u200b", "\u0301", "ㅤㅤㅤ", "\u2800"])
def test_what_nobody_sees_is_blank(sentence):
    assert is_blank(sentence)

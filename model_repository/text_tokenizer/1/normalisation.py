"""One spelling for every way to write the same sentence, in training and in serving.

What is left of a sentence are Hangul syllables and jamo, Latin letters in lower case, ASCII
punctuation, `0` for each number and `♥`. What nobody sees and whatever names people and places on
the net is gone; emoji that mean something are written in Korean.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

#: Compatibility jamo in the order of the syllable block: first, middle and last letters.
_FIRST = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_MIDDLE = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_LAST = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_SYLLABLE = re.compile(f"([{_FIRST}])([{_MIDDLE}])(?:([{_LAST}])(?![{_MIDDLE}]))?")
_JAMO_RUN = re.compile(f"(?:{_SYLLABLE.pattern.replace('([', '(?:[')})+(?![ㄱ-ㅣ])")
#: Faces and not syllables: laughing tears and closed eyes.
_JAMO_FACE = re.compile("[ㅋㅎ][ㅠㅜ]|ㅇ[ㅠㅜ]ㅇ")
_JAMO, _NOT_JAMO = re.compile("[ㄱ-ㅣ]+"), re.compile("[^ㄱ-ㅣ]+")

#: Letters that nobody sees although Unicode calls them letters, marks or symbols.
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]")
_ADDRESS = re.compile(
    r"(?:https?://|www\.)[!-~]+"
    r"|[a-z0-9._+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+"
    r"|(?<![a-z0-9.-])(?:[a-z0-9-]+\.)+(?:com|net|org|kr|io|me|tv|be|ly|gg|jp|cn)(?![a-z0-9])"
    r"(?:/[!-~]*)?"
)
_MENTION = re.compile(r"(?<!\w)@[\w.]+")
_NUMBER = re.compile(r"[0-9]+(?:[.,:/-][0-9]+)*")
#: Typed faces, and what stands for each.
_FACES = (
    (re.compile(r"\^[_.o0ㅇ-]?\^|(?<![\w:]):-?[)d](?!\w)|(?<!\w)=\)"), "^^"),
    (re.compile(r"(?<![a-z])t[_.]t(?![a-z])|;[_.];|(?<![\w:]):'?-?\("), "ㅠㅠ"),
    (re.compile(r"-[_.]+-;*|(?<![가-힣])ㅡ[_.,]?ㅡ+;*"), "ㅡㅡ"),
    (re.compile("[ㅠㅜ]{2,}"), "ㅠㅠ"),
)
#: What stands for each of these emoji: interjections and words as people type them.
_EMOJI = {
    "^^": "😀😃😄😁😊🙂☺😇🤗😋😌🥰😍😘😚😙😗🤩🥳😎😺😸😻👍👏🎉🎊",
    "♥": "❤♥♡💕💖💗💓💞💘💝💛💚💙💜🧡🤍🤎",
    "ㅋㅋ": "😂🤣😆😹😝😜😛🤪",
    "ㅠㅠ": "😭😢😿🥲😥😞😔☹🙁😓😩😫😪💔🥺😣😖😟",
    "화나": "😡😠🤬👿💢😤😾🖕",
    "역겨워": "🤮🤢💩",
    "무서워": "😱😨😰😧",
    "헉": "😲😮😯🤯😳😦🙀",
    "ㅡㅡ": "😒🙄😑😏",
}
_WORDS = {emoji: f" {word} " for word, several in _EMOJI.items() for emoji in several}
_ASCII = {
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "〜": "~",
    "。": ".",
    "、": ",",
    "–": "-",
    "—": "-",
}
_OUTSIDE = re.compile("[^ -~가-힣ㄱ-ㅣ♥]")
_LONG_RUN = re.compile(r"(.)\1{2,}")
#: Single full stops at the end.
_LAST_STOP = re.compile(r"(?:(?<![.])\.| )+$")

_KOREAN = re.compile("[가-힣ㄱ-ㅣ]")
_LATIN_WORD = re.compile("[a-z\u00df-\u024f]+")
_MEANT = re.compile(r"[가-힣ㄱ-ㅣ♥]|\^\^")
#: A sentence is read as Korean if at least this share of its letters is; a Latin word counts as one
#: letter, as Korean sentences name things in it.
KOREAN_SHARE = 1 / 3


def normalise(text: str) -> str:
    """Spell a sentence in the one way that the network knows.

    Args:
        text: Any string.

    Returns:
        The sentence; spelling it again changes nothing. Empty when nothing is left.
    """
    return _limited(_spelled(text))


def is_korean(text: str) -> bool:
    """Tell whether a sentence holds enough that the network can read: Korean, or a known face."""
    return _holds_korean(_spelled(text))


def korean_sentence(text: str) -> str | None:
    """Spell a sentence as `normalise` does; None unless it `is_korean`, else never empty."""
    spelled = _spelled(text)
    return _limited(spelled) if _holds_korean(spelled) else None


def _holds_korean(spelled: str) -> bool:
    if not _MEANT.search(spelled):
        return False
    korean = len(_KOREAN.findall(spelled))
    latin, rest = len(_LATIN_WORD.findall(spelled)), _LATIN_WORD.sub("", spelled)
    others = sum(unicodedata.category(c)[0] == "L" for c in rest) - korean
    return korean >= KOREAN_SHARE * (korean + latin + others)


def is_blank(text: str) -> bool:
    """Tell whether a sentence has no letter, digit or symbol that anybody sees."""
    return not any(unicodedata.category(c)[0] in "LNS" for c in _seen(text))


def _spelled(text: str) -> str:
    """Compose and mask, with the letters of other scripts still there."""
    written = _UNSEEN.sub("", unicodedata.normalize("NFC", _single_jamo(_seen(text))))
    # Decomposing what is compatible may have brought marks of its own.
    spelled = _seen(_NOT_JAMO.sub(_compatible, written).lower().translate(_table()))
    for pattern in (_ADDRESS, _MENTION):
        spelled = pattern.sub(" ", spelled)
    for pattern, face in _FACES:
        spelled = pattern.sub(f" {face} ", spelled)
    return _NUMBER.sub("0", _compose_jamo(spelled))


def _limited(spelled: str) -> str:
    """Keep what the network was taught, in few spaces and short runs."""
    words = " ".join(_OUTSIDE.sub(" ", spelled).split())
    return _LAST_STOP.sub("", _LONG_RUN.sub(r"\1\1", words))


def _seen(text: str) -> str:
    """Drop format and direction characters and marks over letters; controls become spaces."""
    return "".join(_shown(text))


def _shown(text: str) -> Iterator[str]:
    for character in _UNSEEN.sub("", text):
        kind = unicodedata.category(character)
        if kind == "Cc":
            yield " "
        elif kind not in ("Cf", "Mn", "Me"):
            yield character


def _compatible(run: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", run[0])


def _single_jamo(text: str) -> str:
    """Turn half-width jamo into the usual ones."""
    return text.translate(_half_width())


@cache
def _half_width() -> dict[int, str]:
    codes = range(0xFFA1, 0xFFDD)
    wide = {code: unicodedata.decomposition(chr(code)).split() for code in codes}
    return {code: chr(int(parts[1], 16)) for code, parts in wide.items() if parts}


@cache
def _table() -> dict[int, str]:
    """Map emoji to words, and jamo that found no syllable to the ones that keyboards type."""
    table = {ord(character): word for character, word in (_WORDS | _ASCII).items()}
    for code in range(0x1100, 0x1200):
        name = unicodedata.name(chr(code), "")
        kind = re.match("HANGUL (?:CHO|JUNG|JONG)SEONG (.*)", name)
        try:
            letter = unicodedata.lookup(f"HANGUL LETTER {kind[1]}") if kind else ""
        except KeyError:
            letter = ""
        table[code] = letter if "ㄱ" <= letter <= "ㅣ" else " "
    return table


def _compose_jamo(text: str) -> str:
    """Join jamo that were typed one by one; laughter and tears stay as they are."""
    return _JAMO.sub(lambda run: _joined(run[0]), text)


def _joined(run: str) -> str:
    if not _JAMO_RUN.fullmatch(run) or _JAMO_FACE.fullmatch(run):
        return run
    return _SYLLABLE.sub(_syllable, run)


def _syllable(parts: re.Match[str]) -> str:
    first, middle = _FIRST.index(parts[1]), _MIDDLE.index(parts[2])
    last = _LAST.index(parts[3]) + 1 if parts[3] else 0
    return chr(0xAC00 + (first * len(_MIDDLE) + middle) * (len(_LAST) + 1) + last)

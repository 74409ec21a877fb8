"""What is said in a stream, sentence by sentence, from a recogniser of speech or a file."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path

from clients.contract import LIMITS
from rtmp_bridge.errors import SentenceError

#: More sentences than this in one window are no speech.
MOST_WAITING = 1_000
TIME = r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{3})"
CUE = re.compile(rf"\s*{TIME}\s+-->\s+{TIME}")
TAG = re.compile(r"<[^>]*>|\{\\[^}]*\}")


@dataclass(frozen=True)
class Sentence:
    """Something said.

    Attributes:
        text: What.
        start: When it begins, in seconds of the stream.
        end: When it ends; not before it begins.
    """

    text: str
    start: float
    end: float

    def __post_init__(self) -> None:
        """Refuse what the recogniser would refuse."""
        if not self.text.strip():
            raise SentenceError("text: expected a sentence, came nothing")
        try:
            size = len(self.text.encode())
        except UnicodeEncodeError as error:
            raise SentenceError("text: expected Unicode, came half a character") from error
        if len(self.text) > LIMITS.text_characters or size > LIMITS.text_bytes:
            raise SentenceError(
                f"text: expected at most {LIMITS.text_characters} characters and "
                f"{LIMITS.text_bytes} bytes, came {len(self.text)} and {size}"
            )
        if not 0 <= self.start <= self.end < float("inf"):
            raise SentenceError(
                f"time: expected 0 <= start <= end in seconds, came {self.start} and {self.end}"
            )


class Sentences:
    """The sentences of a stream; each counts while some of it is in the window."""

    def __init__(self, sentences: list[Sentence] | None = None) -> None:
        """Begin with those that are known, e.g. of a subtitle file."""
        self._sentences = sorted(sentences or (), key=lambda one: one.start)
        self._most = len(self._sentences) + MOST_WAITING

    def add(self, sentence: Sentence) -> None:
        """Take another sentence, past or future.

        Raises:
            SentenceError: Too many are waiting for their time.
        """
        if len(self._sentences) >= self._most:
            raise SentenceError(f"text: {MOST_WAITING} sentences are waiting, no more are taken")
        self._sentences.append(sentence)
        self._sentences.sort(key=lambda one: one.start)

    def within(self, start: float, end: float) -> str | None:
        """Return what is said in a window, and let go of what ended before it.

        Args:
            start: Where the window begins, in seconds of the stream.
            end: Where it ends.

        Returns:
            The sentences in order of time, joined; the oldest are left out where the recogniser's
            limits leave no room. None if nothing is said.
        """
        self._sentences = [one for one in self._sentences if one.end >= start]
        said: list[str] = []
        for sentence in reversed([one for one in self._sentences if one.start < end]):
            longer = " ".join([sentence.text.strip(), *said])
            if len(longer) > LIMITS.text_characters or len(longer.encode()) > LIMITS.text_bytes:
                break
            said.insert(0, sentence.text.strip())
        return " ".join(said) or None


def read_subtitles(path: Path) -> list[Sentence]:
    """Read an SRT or WebVTT file.

    Raises:
        SentenceError: It cannot be read or has no cue.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SentenceError(f"subtitles: cannot read {path}: {error}") from error
    sentences = [
        sentence
        for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n"))
        if (sentence := _read_cue(block)) is not None
    ]
    if not sentences:
        raise SentenceError(f"subtitles: expected SRT or WebVTT, found no cue in {path}")
    return sentences


def _read_cue(block: str) -> Sentence | None:
    lines = block.strip().splitlines()
    for number, line in enumerate(lines):
        if match := CUE.match(line):
            times = match.groups()
            words = html.unescape(TAG.sub("", " ".join(lines[number + 1 :]))).strip()
            return Sentence(words, _seconds(times[:4]), _seconds(times[4:])) if words else None
    return None


def _seconds(parts: tuple[str | None, ...]) -> float:
    # Hours of any number of digits are a float; where it is infinite, Sentence refuses it.
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in parts)
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000

"""A recording second by second, decoded once, as the bridge cuts a live stream.

A second is sent as at most ten JPEG pictures and as 16 kHz sound with the second before it, which
the server's windows need, so windows and crops are those of a stream. Its answer speaks for the
seconds before it too, through their context rows. Nothing of the recording is kept for longer.
"""

from __future__ import annotations

import heapq
import logging
import math
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from typing import NamedTuple

import av
import numpy as np

from clients.arrays import LONGER_SIDE, encode_picture, encode_wav
from clients.clock import StreamClock, Track
from clients.contract import LIMITS, SPEECH_STRIDE, SPEECH_WINDOW
from clients.errors import MediaTypeError, UnreadableFileError
from clients.media import Chunk, Media, Span, encode_text, name_of, read
from clients.orientation import FrameConverter
from clients.protocol import Call, Context, Recognition, recognise_call
from clients.resampling import Resampler
from clients.tracks import SOUND_ERRORS, Recording, audible, cause, frames, joined, opened

logger = logging.getLogger(__name__)

#: Seconds from one answer to the next, at most what fits in a request as pictures.
HOP, LONGEST_HOP = 1, 10
#: Seconds that an answer speaks for.
WINDOW = 6
#: At most so many pictures of a second are sent: as many as the server looks at.
FRAMES_A_SECOND = 10
#: What the speech network hears.
SOUND_RATE = 16_000
#: As many channels as are sent; which one carries the voice is the server's to find.
SOUND_CHANNELS = 8
#: Seconds of sound before a second that its first window begins with.
OVERLAP = SPEECH_WINDOW - SPEECH_STRIDE
#: Seconds by which one track may lag behind the other before it is not waited for.
LAG = 10.0
#: How far sound may be from where the sound before it ends; more is a gap, or comes twice.
TOLERANCE = 0.1
#: A last rest of less seconds is no second of its own.
SHORTEST_REST = 0.5
FALLBACK_FPS = 25
NOTHING_THERE = "the recording has nothing here"


@dataclass(frozen=True)
class Moment:
    """What is recognised of a moment of a recording.

    Attributes:
        begin: Where it begins, in seconds of the recording, to milliseconds.
        end: Where it ends.
        recognition: The answer for the window that ends here; None where there is none.
        refusal: Why there is none, in the server's words.
        total: Seconds of the whole recording, as far as its file says.
    """

    begin: float
    end: float
    recognition: Recognition | None = None
    refusal: str | None = None
    total: float | None = None

    @property
    def progress(self) -> float | None:
        """How much of the recording is done, 0 to 1; None where its length is not known."""
        return min(1.0, self.end / self.total) if self.total else None


@dataclass(frozen=True)
class Second:
    """One step through a recording: of `hop` seconds, the last may be shorter.

    Attributes:
        begin: Where it begins.
        end: Where it ends.
        chunk: What is sent.
        windows: How many of the server's windows its sound fills. A sound too short for one is
            padded by the server, and its row stands for nothing later.
        total: Seconds of the whole recording, as far as its file says.
    """

    begin: float
    end: float
    chunk: Chunk
    windows: int = 0
    total: float | None = None

    @property
    def empty(self) -> bool:
        """Whether the recording has a gap here, and nothing is said in it either."""
        return self.chunk.text is None and self.chunk.audio is None and not self.chunk.frames

    def moment(self, recognition: Recognition | None = None, refusal: str | None = None) -> Moment:
        """Return what became of it."""
        total = None if self.total is None else round(self.total, 3)
        return Moment(round(self.begin, 3), round(self.end, 3), recognition, refusal, total)


class Past:
    """The context rows of the seconds before, as long as they are within the window."""

    def __init__(self, window: int, hop: int) -> None:
        """Begin without a past.

        Raises:
            MediaTypeError: The window is no whole number of seconds, or shorter than the hop.
        """
        if not isinstance(window, int) or window < hop:
            raise MediaTypeError(
                f"window: expected whole seconds, at least the hop of {hop}, came {window!r}"
            )
        self._seconds = window - hop
        self._rows: deque[tuple[float, Context]] = deque()

    def call(self, second: Second) -> Call:
        """Return the request for the next second."""
        while self._rows and self._rows[0][0] < second.begin - self._seconds:
            self._rows.popleft()
        rows = reduce(Context.then, (rows for _, rows in self._rows), Context())
        return recognise_call(second.chunk, rows.within_limits(), context=True)

    def add(self, second: Second, rows: Context) -> None:
        """Keep a second's rows; those of a padded window are not the recording's."""
        kept = rows if second.windows else replace(rows, speech=rows.speech[:0])
        self._rows.append((second.begin, kept))


def seconds_of(media: Media, hop: int = HOP) -> Iterator[Second]:
    """Yield a recording step by step.

    Args:
        media: The recording; a text counts in all of it.
        hop: Seconds of a step, whole, 1 to 10.

    Raises:
        MediaTypeError: The hop is out of bounds.
        UnreadableFileError: A file cannot be read or decoded, or holds neither pictures nor sound.
    """
    if not isinstance(hop, int) or not 1 <= hop <= LONGEST_HOP:
        raise MediaTypeError(f"hop: expected whole seconds from 1 to {LONGEST_HOP}, came {hop!r}")
    text = encode_text(media.text)
    with ExitStack() as stack:
        audio = stack.enter_context(opened(media.audio, "audio"))
        film = stack.enter_context(opened(media.film, "video"))
        images = media.frames()
        sources = []
        tracks = set()
        if audio is not None:
            tracks.add("sound")
            sources.append(_Reader(audio, [_required(audio, audio.sound, "sound")]).pieces())
        if film is not None:
            heard = None if audio is not None else audible(film)
            used = [track for track in (film.pictures, heard) if track is not None]
            _required(film, next(iter(used), None), "pictures")
            tracks |= {"picture" if track.type == "video" else "sound" for track in used}
            sources.append(_Reader(film, used).pieces())
        if images:
            tracks.add("picture")
            sources.append(_images(media))
        if not sources:
            yield Second(0.0, 0.0, Chunk(text=text))
            return
        lengths = [recording.seconds for recording in (audio, film) if recording is not None]
        total = max([*lengths, len(images) / media.fps]) or None
        assembler = _Assembler(hop, tracks, text, total)
        for piece in heapq.merge(*sources, key=lambda piece: piece.at):
            yield from assembler.add(piece)
        yield from assembler.finish()


class _Piece(NamedTuple):
    """A picture, encoded, or a block of sound, int16 [n, channels]; times are in seconds."""

    at: float
    track: Track
    content: bytes | np.ndarray
    lasts: float = 0.0


def _required(recording: Recording, track: av.stream.Stream | None, what: str) -> av.stream.Stream:
    if track is None:
        raise UnreadableFileError(
            f"{recording.name}: expected {what}, found none in {name_of(recording.source)}"
        )
    return track


class _Reader:
    """Decodes tracks of one recording side by side."""

    def __init__(self, recording: Recording, tracks: list[av.VideoStream | av.AudioStream]) -> None:
        self._recording = recording
        self._tracks = tracks
        start = recording.container.start_time
        self._clock = StreamClock(None if start is None else Fraction(start, av.time_base))
        self._resampler = Resampler("s16", SOUND_RATE)
        aspects = (one.sample_aspect_ratio for one in tracks if isinstance(one, av.VideoStream))
        self._converter = FrameConverter(next(aspects, None))
        self._tenth = -1
        self._deaf = False
        self._interval = Fraction(1, FALLBACK_FPS)
        for track in tracks:
            rate = track.average_rate if isinstance(track, av.VideoStream) else None
            if rate and rate <= LIMITS.max_fps:
                self._interval = 1 / Fraction(rate)

    def pieces(self) -> Iterator[_Piece]:
        for packet in self._recording.packets(self._tracks):
            for frame in frames(packet.stream, [packet]):
                stamp = None if frame.pts is None else frame.pts * frame.time_base
                if isinstance(frame, av.AudioFrame):
                    yield from self._sound(stamp, frame)
                else:
                    yield from self._picture(stamp, frame)
        for block in self._resampler.flush():
            yield _Piece(math.inf, "sound", block)

    def _picture(self, stamp: Fraction | None, frame: av.VideoFrame) -> Iterator[_Piece]:
        at, _ = self._clock.tell("picture", stamp, self._interval)
        tenth = math.floor(at * FRAMES_A_SECOND)
        if tenth > self._tenth:
            self._tenth = tenth
            yield _Piece(float(at), "picture", self._encoded(frame), float(self._interval))

    def _encoded(self, frame: av.VideoFrame) -> bytes:
        divisor = max(1.0, max(self._converter.size_of(frame)) / LONGER_SIDE)
        return encode_picture(self._converter.upright(frame, divisor))

    def _sound(self, stamp: Fraction | None, frame: av.AudioFrame) -> Iterator[_Piece]:
        if self._deaf:
            return
        interval = Fraction(frame.samples, max(1, frame.sample_rate))
        at, _ = self._clock.tell("sound", stamp, interval)
        try:
            for block in self._resampler.resample(frame):
                yield _Piece(float(at), "sound", block)
        except SOUND_ERRORS as error:
            if len(self._tracks) == 1:
                raise UnreadableFileError(cause(self._recording, error, "decode")) from error
            logger.warning("the film's sound is left out from here on: %s", error)
            self._deaf = True


def _images(media: Media) -> Iterator[_Piece]:
    tenth = -1
    for index, source in enumerate(media.frames()):
        at = index / media.fps
        if math.floor(at * FRAMES_A_SECOND + 1e-6) > tenth:
            tenth = math.floor(at * FRAMES_A_SECOND + 1e-6)
            yield _Piece(at, "picture", read(source, "video"), 1 / media.fps)


class _Assembler:
    """Collects pieces until a step is complete: pictures and sound have both passed its end."""

    def __init__(
        self, hop: int, tracks: set[Track], text: bytes | None, total: float | None
    ) -> None:
        self._hop = hop
        self._text = text
        self._total = total
        self._begin = 0
        self._heads: dict[Track, float] = dict.fromkeys(tracks, 0.0)
        self._end = 0.0
        self._pictures: deque[tuple[float, bytes]] = deque()
        self._sound = _SoundLine()

    def add(self, piece: _Piece) -> Iterator[Second]:
        if piece.track == "picture":
            self._pictures.append((piece.at, piece.content))
            self._heads["picture"] = piece.at
            self._end = max(self._end, piece.at + max(piece.lasts, 1 / FRAMES_A_SECOND))
        else:
            self._sound.add(piece.at, piece.content)
            self._heads["sound"] = self._sound.end
            self._end = max(self._end, self._sound.end)
        furthest = max(self._heads.values())
        reached = min(head for head in self._heads.values() if furthest - head <= LAG)
        yield from self._complete(reached)

    def finish(self) -> Iterator[Second]:
        yield from self._complete(self._end)
        rest = self._end - self._begin
        if rest >= SHORTEST_REST or (rest > 0 and not self._begin):
            yield self._cut(rest)

    def _complete(self, reached: float) -> Iterator[Second]:
        while reached >= self._begin + self._hop - 1e-6:
            yield self._cut(self._hop)

    def _cut(self, seconds: float) -> Second:
        begin, end = self._begin, self._begin + seconds
        pictures = []
        while self._pictures and self._pictures[0][0] < end - 1e-6:
            pictures.append(self._pictures.popleft()[1])
        sound, windows = self._heard(begin, seconds)
        span = Span(float(begin), seconds)
        fps = min(max(len(pictures), 1) / seconds, LIMITS.max_fps)
        chunk = Chunk(
            text=self._text,
            audio=sound,
            frames=tuple(pictures),
            fps=fps,
            sound_span=span,
            picture_span=span,
        )
        self._begin += self._hop
        self._sound.forget_before(self._begin - OVERLAP)
        return Second(float(begin), float(end), chunk, windows, self._total)

    def _heard(self, begin: float, seconds: float) -> tuple[bytes | None, int]:
        """Return the sound of a step with its overlap, and how many windows that fills."""
        if self._sound.end <= begin:
            return None, 0
        samples = self._sound.cut(begin - (OVERLAP if begin else 0), begin + seconds)
        windows = max(0, math.floor(len(samples) / SOUND_RATE) - SPEECH_WINDOW + 1)
        return encode_wav(samples, SOUND_RATE), windows


class _SoundLine:
    """The newest sound at its place in time: gaps are silent, what comes twice is left out."""

    def __init__(self) -> None:
        self._blocks: deque[np.ndarray] = deque()
        self._first = self._last = 0  # in samples

    @property
    def end(self) -> float:
        return self._last / SOUND_RATE

    def add(self, at: float, block: np.ndarray) -> None:
        ahead = at - self.end
        if math.isfinite(ahead) and ahead > TOLERANCE:
            self._append(np.zeros((round(ahead * SOUND_RATE), 1), np.int16))
        elif ahead < -TOLERANCE:
            block = block[round(-ahead * SOUND_RATE) :]
        self._append(block)

    def cut(self, begin: float, end: float) -> np.ndarray:
        """Return int16 [n, channels] between two times; what is missing is silence."""
        first, last = round(begin * SOUND_RATE), round(end * SOUND_RATE)
        samples = joined(self._blocks, SOUND_CHANNELS)
        found = samples[max(0, first - self._first) : max(0, last - self._first)]
        before = min(max(0, self._first - first), last - first)
        return np.pad(found, ((before, last - first - before - len(found)), (0, 0)))

    def forget_before(self, time: float) -> None:
        keep = round(time * SOUND_RATE)
        while self._blocks and self._first + len(self._blocks[0]) <= keep:
            self._first += len(self._blocks.popleft())

    def _append(self, block: np.ndarray) -> None:
        if len(block):
            self._blocks.append(block)
            self._last += len(block)

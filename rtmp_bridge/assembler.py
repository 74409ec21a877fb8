"""Frames of a stream to chunks."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from fractions import Fraction

import av
import cv2
import numpy as np

from rtmp_bridge.chunks import FRAMES_A_SECOND, LONGER_SIDE, SOUND_RATE, Chunk
from rtmp_bridge.clock import Track
from rtmp_bridge.containers import cause_of
from rtmp_bridge.contract import LIMITS, SPEECH_STRIDE, SPEECH_WINDOW
from rtmp_bridge.errors import SourceError
from rtmp_bridge.orientation import FrameConverter
from rtmp_bridge.sound import SoundTrack, encode_wav

#: Seconds of sound before a chunk that its first window begins with.
SOUND_OVERLAP = SPEECH_WINDOW - SPEECH_STRIDE
#: Artefacts of JPEG are invisible to the networks from here on.
JPEG_QUALITY = 92


class ChunkAssembler:
    """Collects a connection's frames until a chunk is complete.

    A chunk is complete when pictures and sound have both passed its end. A track that lags behind
    the other by more than `lag` is not waited for: streams may stop to have sound, or pictures.
    """

    def __init__(
        self,
        hop: int,
        tracks: set[Track],
        lag: float,
        first: int = 0,
        aspect: Fraction | None = None,
    ) -> None:
        """Start a connection.

        Args:
            hop: Seconds of a chunk.
            tracks: What the connection has.
            lag: Seconds by which one track may lag behind the other.
            first: The number of the first chunk.
            aspect: The width of a picture's pixels in heights, where something says so.
        """
        self._hop = hop
        self._lag = lag
        self._first = first
        self._done = 0
        self._heads: dict[Track, float] = dict.fromkeys(tracks, 0.0)
        self._frames: dict[int, bytes] = {}
        self._encoder = JpegEncoder(aspect)
        self._pictures = 0
        self._sound = SoundTrack()
        self._fresh = True

    @property
    def following(self) -> int:
        """The number of the chunk that would come next."""
        return self._first + self._done

    def begin_anew(self) -> None:
        """Take note that what comes has nothing to do with what came."""
        self._fresh = True

    def add_picture(self, at: Fraction, frame: av.VideoFrame) -> Iterator[Chunk]:
        """Take a picture; of each tenth of a second the first is kept.

        Args:
            at: Seconds since the start of the connection.
            frame: The picture.

        Yields:
            The chunks that are complete now.

        Raises:
            SourceError: A second has more pictures than any camera makes.
        """
        if at < self._start:
            return  # too late: its chunk has gone
        yield from self._advance("picture", float(at))
        self._pictures += 1
        if self._pictures > LIMITS.max_fps * self._hop:
            raise SourceError("limit", f"more than {LIMITS.max_fps:g} pictures in a second")
        tenth = math.floor(at * FRAMES_A_SECOND)
        if tenth not in self._frames:
            self._frames[tenth] = self._encoder.encode(frame)

    def add_sound(self, at: Fraction, frame: av.AudioFrame) -> Iterator[Chunk]:
        """Take a block of sound; see `add_picture`.

        Raises:
            SourceError: FFmpeg cannot resample it.
        """
        try:
            self._sound.add(float(at), frame)
        except MemoryError:
            raise
        except av.FFmpegError as error:
            raise SourceError(
                "unreadable", f"the sound cannot be used: {cause_of(error)}"
            ) from error
        yield from self._advance("sound", self._sound.end)

    def finish(self) -> Iterator[Chunk]:
        """Yield what is left when the connection ends: whole chunks, then a shorter one.

        Less than a second of sound alone is nothing to recognise.
        """
        self._sound.flush()
        if self._sound.end > self._start:
            self._heads["sound"] = self._sound.end
        head = max(self._heads.values(), default=0.0)
        if self._frames:
            head = max(head, (max(self._frames) + 1) / FRAMES_A_SECOND)
        while head >= self._end:
            yield self._cut(self._hop)
        rest = head - self._start
        if self._frames or rest >= 1:
            yield self._cut(rest)

    @property
    def _start(self) -> int:
        return self._done * self._hop

    @property
    def _end(self) -> int:
        return self._start + self._hop

    def _advance(self, track: Track, head: float) -> Iterator[Chunk]:
        self._heads[track] = max(head, self._heads[track])
        furthest = max(self._heads.values())
        reached = min(head for head in self._heads.values() if furthest - head <= self._lag)
        while reached >= self._end:
            yield self._cut(self._hop)

    def _cut(self, seconds: float) -> Chunk:
        start, end = self._start, self._start + seconds
        tenths = sorted(tenth for tenth in self._frames if tenth < end * FRAMES_A_SECOND)
        samples = self._samples(start, seconds)
        chunk = Chunk(
            index=self.following,
            start=float(self.following * self._hop),
            seconds=seconds,
            frames=tuple(self._frames.pop(tenth) for tenth in tenths),
            sound=None if samples is None else encode_wav(samples),
            windows=0 if samples is None else count_windows(len(samples) / SOUND_RATE),
            fresh=self._fresh,
            completed_at=time.time(),
        )
        self._done += 1
        self._pictures = 0
        self._fresh = False
        self._sound.forget_before(self._start - SOUND_OVERLAP)
        return chunk

    def _samples(self, start: float, seconds: float) -> np.ndarray | None:
        """Return the sound of a chunk with its overlap, None where there is none.

        The rest with which a stream ends has a window of its own, as that of a recording has.
        """
        if self._sound.end <= start:
            return None
        before = 0 if self._fresh else SOUND_OVERLAP
        return self._sound.cut(start - before, start + seconds)


def count_windows(seconds: float) -> int:
    """Return how many of the server's windows fit into so much sound."""
    return max(0, math.floor(seconds) - SPEECH_WINDOW + 1)


class JpegEncoder:
    """Encodes the pictures of a connection; what scaling needs is set up once."""

    def __init__(self, aspect: Fraction | None = None) -> None:
        """Begin with nothing set up.

        Args:
            aspect: The width of a picture's pixels in heights, where something says so.
        """
        self._converter = FrameConverter(aspect)

    def encode(self, frame: av.VideoFrame) -> bytes:
        """Encode a picture upright, with square pixels, and shrunk to at most `LONGER_SIDE`."""
        divisor = max(1.0, max(self._converter.size_of(frame)) / LONGER_SIDE)
        upright = self._converter.upright(frame, divisor, "bgr24")
        _, data = cv2.imencode(".jpg", upright, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        return data.tobytes()

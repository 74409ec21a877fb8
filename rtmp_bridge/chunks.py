"""What a stream is cut into: its newest seconds as JPEG files and WAV sound."""

from __future__ import annotations

from dataclasses import dataclass

from rtmp_bridge.contract import LIMITS

#: At most so many frames of a second are sent: as many as the server looks at.
FRAMES_A_SECOND = 10
#: The longer side of a picture that is sent, in pixels; the server shrinks to it by itself.
LONGER_SIDE = 640
#: Samples a second of what the speech network hears; the server would resample anything else.
SOUND_RATE = 16_000


@dataclass(frozen=True)
class Chunk:
    """The newest seconds of a stream.

    Attributes:
        index: Its number in the stream, from 0, connections that were lost in between included.
        start: Where it begins, in seconds of the stream.
        seconds: How much of the stream it holds; the last of a connection may be shorter.
        frames: JPEG files, at most ten a second.
        sound: WAV, 16 kHz mono: its own and, where there is some, the second before it that the
            server's windows need; None without sound.
        windows: How many of the server's windows the sound fills. A sound too short for one is
            padded by the server, and its row stands for nothing later.
        fresh: Nothing before it belongs to it: the connection or the publisher is new.
        completed_at: When its last frame had come, in seconds since 1970.
    """

    index: int
    start: float
    seconds: float
    frames: tuple[bytes, ...]
    sound: bytes | None
    windows: int
    fresh: bool
    completed_at: float

    @property
    def end(self) -> float:
        """Where it ends, in seconds of the stream."""
        return self.start + self.seconds

    @property
    def empty(self) -> bool:
        """Whether the stream had a gap here."""
        return not self.frames and self.sound is None

    @property
    def fps(self) -> float:
        """Frames a second."""
        return min(max(len(self.frames), 1) / self.seconds, LIMITS.max_fps)

"""A stream's sound as 16 kHz mono samples at their places in time."""

from __future__ import annotations

import io
import wave

import av
import numpy as np

#: What the speech network hears; the server would resample anything else to it.
RATE = 16_000
#: How far a block may be from where the samples before it end, in seconds. Timestamps of
#: FLV are whole milliseconds and codecs delay by some; more is a gap, or sound that comes twice.
TOLERANCE = 0.1


class SoundTrack:
    """Keeps the newest sound: gaps are filled with silence, what comes twice is left out."""

    def __init__(self) -> None:
        self._resampler: av.AudioResampler | None = None
        self._format: tuple | None = None
        self._samples = np.zeros(0, np.int16)
        self._begin = 0

    @property
    def end(self) -> float:
        """Until when there is sound, in seconds."""
        return (self._begin + len(self._samples)) / RATE

    def add(self, at: float, frame: av.AudioFrame) -> None:
        """Take a block in any format.

        Args:
            at: Its place in seconds.
            frame: The block.
        """
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if shape != self._format:
            self.flush()
            # Planar floats keep the channels apart: FFmpeg's own down-mix is 3 dB hotter than the
            # mean, which is what the server takes.
            self._format = shape
            self._resampler = av.AudioResampler(format="fltp", rate=RATE)
        frame.pts = None  # places are told by the clock, not by the stream
        blocks = [mono(part) for part in self._resampler.resample(frame)]
        self._append(at, np.concatenate(blocks) if blocks else np.zeros(0, np.int16))

    def flush(self) -> None:
        """Take what the resampler holds back."""
        if self._resampler is not None:
            blocks = [mono(part) for part in self._resampler.resample(None)]
            self._samples = np.concatenate([self._samples, *blocks])
            self._resampler = self._format = None

    def cut(self, start: float, end: float) -> np.ndarray:
        """Return the samples int16 [n] between two times; what is missing is silence."""
        first, last = round(start * RATE), round(end * RATE)
        found = self._samples[max(0, first - self._begin) : max(0, last - self._begin)]
        before = min(max(0, self._begin - first), last - first)
        return np.pad(found, (before, last - first - before - len(found)))

    def forget_before(self, time: float) -> None:
        """Let go of sound that will not be asked for."""
        count = min(max(0, round(time * RATE) - self._begin), len(self._samples))
        self._samples = self._samples[count:]
        self._begin += count

    def _append(self, at: float, block: np.ndarray) -> None:
        ahead = at - self.end
        if ahead > TOLERANCE:
            self._append_silence(round(ahead * RATE))
        elif ahead < -TOLERANCE:
            block = block[round(-ahead * RATE) :]
        self._samples = np.concatenate([self._samples, block])

    def _append_silence(self, count: int) -> None:
        if not len(self._samples):
            self._begin += count
        else:
            self._samples = np.pad(self._samples, (0, count))


def mono(frame: av.AudioFrame) -> np.ndarray:
    """Return the mean of a planar float block's channels as int16 [n]."""
    samples = np.nan_to_num(frame.to_ndarray().mean(axis=0, dtype=np.float32))
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)


def encode_wav(samples: np.ndarray) -> bytes:
    """Encode int16 [n] at 16 kHz."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples.tobytes())
    return file.getvalue()

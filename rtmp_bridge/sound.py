"""A stream's sound as 16 kHz samples at their places in time.

The channels are kept apart: which of them carries the voice is the server's to find.
"""

from __future__ import annotations

import io
import wave

import av
import numpy as np

from rtmp_bridge.chunks import SOUND_RATE
from rtmp_bridge.resampling import Resampler, joined

#: How far a block may be from where the samples before it end, in seconds. Timestamps of
#: FLV are whole milliseconds and codecs delay by some; more is a gap, or sound that comes twice.
TOLERANCE = 0.1


class SoundTrack:
    """Keeps the newest sound: gaps are filled with silence, what comes twice is left out."""

    def __init__(self) -> None:
        self._resampler = Resampler("flt", SOUND_RATE)
        self._samples = np.zeros((0, 1), np.int16)
        self._begin = 0

    @property
    def end(self) -> float:
        """Until when there is sound, in seconds."""
        return (self._begin + len(self._samples)) / SOUND_RATE

    def add(self, at: float, frame: av.AudioFrame) -> None:
        """Take a block in any format.

        Args:
            at: Its place in seconds.
            frame: The block.

        Raises:
            SoundLimitError: Its rate, length or channels are out of bounds.
        """
        self._append(at, rounded(joined(self._resampler.resample(frame))))

    def flush(self) -> None:
        """Take what the resampler holds back."""
        self._samples = joined([self._samples, rounded(joined(self._resampler.flush()))])

    def cut(self, start: float, end: float) -> np.ndarray:
        """Return the samples int16 [n, channels] between two times; what is missing is silence."""
        first, last = round(start * SOUND_RATE), round(end * SOUND_RATE)
        found = self._samples[max(0, first - self._begin) : max(0, last - self._begin)]
        before = min(max(0, self._begin - first), last - first)
        return np.pad(found, ((before, last - first - before - len(found)), (0, 0)))

    def forget_before(self, time: float) -> None:
        """Let go of sound that will not be asked for."""
        count = min(max(0, round(time * SOUND_RATE) - self._begin), len(self._samples))
        self._samples = self._samples[count:]
        self._begin += count

    def _append(self, at: float, block: np.ndarray) -> None:
        ahead = at - self.end
        if ahead > TOLERANCE:
            self._append_silence(round(ahead * SOUND_RATE))
        elif ahead < -TOLERANCE:
            block = block[round(-ahead * SOUND_RATE) :]
        self._samples = joined([self._samples, block])

    def _append_silence(self, count: int) -> None:
        if not len(self._samples):
            self._begin += count
        else:
            self._samples = np.pad(self._samples, ((0, count), (0, 0)))


def rounded(samples: np.ndarray) -> np.ndarray:
    """Return float samples as int16."""
    return np.clip(np.rint(np.nan_to_num(samples) * 32768), -32768, 32767).astype(np.int16)


def encode_wav(samples: np.ndarray) -> bytes:
    """Encode int16 [n, channels] at 16 kHz, as mono where the channels are the same."""
    if (samples == samples[:, :1]).all():
        samples = samples[:, :1]
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(samples.shape[1])
        sound.setsampwidth(2)
        sound.setframerate(SOUND_RATE)
        sound.writeframes(samples.tobytes())
    return file.getvalue()

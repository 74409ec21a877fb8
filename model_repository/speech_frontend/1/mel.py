"""Power in mel bands: numpy only, the same when training and serving."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

SAMPLE_RATE = 16_000
FRAME = 400
HOP = 160
#: Rows of one matrix product. OpenBLAS wakes its threads for more than 2**18 multiplications, and
#: what they burn while they wait is more than all else that is computed here.
ROWS = 16


class MelWindows(NamedTuple):
    """What the speech network gets of a recording; N windows, at least 1.

    Attributes:
        mels: float32 [N, 200, bands].
        times: Begin of each window in seconds of the recording, float32 [N].
        voice: How much each counts by its voice, 0 to 1, float32 [N].
    """

    mels: np.ndarray
    times: np.ndarray
    voice: np.ndarray


def band_power(waveform: np.ndarray, bands: int) -> np.ndarray:
    """Measure the power in mel bands, in Hann windows of 25 ms every 10 ms.

    Args:
        waveform: Samples [S] at 16 kHz, S > 200; reflected at both ends, so that the first window
            is centred on the first sample.
        bands: Triangular bands on Slaney's mel scale, from 0 to 8 kHz.

    Returns:
        float64 [1 + S // 160, bands].
    """
    padded = np.pad(waveform.astype(np.float64), FRAME // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    power = np.abs(np.fft.rfft(frames * _hann(), axis=1)) ** 2
    filters = _mel_filters(bands).T
    rows = range(0, len(power), ROWS)
    return np.concatenate([power[row : row + ROWS] @ filters for row in rows])


@lru_cache(maxsize=1)
def _hann() -> np.ndarray:
    """Return the periodic Hann window [400]."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)


@lru_cache(maxsize=1)
def _mel_filters(bands: int) -> np.ndarray:
    """Return triangles of equal area on Slaney's mel scale, [bands, 201]."""
    edges = _mel_to_hertz(np.linspace(0.0, _hertz_to_mel(SAMPLE_RATE / 2), bands + 2))
    bins = np.arange(FRAME // 2 + 1) * SAMPLE_RATE / FRAME
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (bins - low) / (centre - low)
    falling = (high - bins) / (high - centre)
    return np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (high - low)


# Slaney's Auditory Toolbox (1998): linear below 1 kHz, then 27 logarithmic steps for a factor 6.4.
_LINEAR_STEP = 200.0 / 3.0
_KNEE_HERTZ = 1_000.0
_KNEE_MEL = _KNEE_HERTZ / _LINEAR_STEP
_LOG_STEP = np.log(6.4) / 27.0


def _hertz_to_mel(hertz: float) -> float:
    """Convert a frequency above the knee."""
    return float(_KNEE_MEL + np.log(hertz / _KNEE_HERTZ) / _LOG_STEP)


def _mel_to_hertz(mel: np.ndarray) -> np.ndarray:
    above = _KNEE_HERTZ * np.exp(_LOG_STEP * (np.maximum(mel, _KNEE_MEL) - _KNEE_MEL))
    return np.where(mel < _KNEE_MEL, mel * _LINEAR_STEP, above)

"""Log-mel windows for the speech network: numpy only, the same when training and serving.

The spectrogram is Whisper's (Radford et al. 2022, arXiv 2212.04356): 80 mel bands of a 25 ms Hann
window every 10 ms at 16 kHz. Each window of 2 s is computed by itself, so a stream that is cut
into windows gives the rows that the whole recording gives. Whisper's clamp to the loudest value
and its scaling are part of the network, window by window.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from contract import LIMITS

SAMPLE_RATE = 16_000
WINDOW = 2 * SAMPLE_RATE
STRIDE = SAMPLE_RATE
FRAME = 400
HOP = 160
MELS = 80
#: Smallest power that is told from silence, as in Whisper.
FLOOR = 1e-10


def windows(waveform: np.ndarray) -> np.ndarray:
    """Cut a recording into windows of 2 s, one a second.

    Args:
        waveform: Samples float32 [S] at 16 kHz, S >= 1.

    Returns:
        float32 [N, 32000], N = max(1, floor(seconds - 2) + 1), at most `LIMITS.windows`. A
        recording under 2 s is padded with zeros at its end.
    """
    if waveform.size < WINDOW:
        waveform = np.pad(waveform, (0, WINDOW - waveform.size))
    count = min((waveform.size - WINDOW) // STRIDE + 1, LIMITS.windows)
    starts = np.arange(count)[:, None] * STRIDE
    return np.asarray(waveform, np.float32)[starts + np.arange(WINDOW)]


def log_mel(window: np.ndarray) -> np.ndarray:
    """Compute the log-mel spectrogram of one window.

    Args:
        window: Samples float32 [32000] at 16 kHz, nominally in [-1, 1].

    Returns:
        log10 of the power in each band, float32 [200, 80], at least -10.

    Raises:
        ValueError: The window has another shape.
    """
    if window.shape != (WINDOW,):
        raise ValueError(f"window has shape {list(window.shape)}, expected [{WINDOW}]")
    padded = np.pad(window.astype(np.float64), FRAME // 2, mode="reflect")
    # Reflection makes 201 frames; Whisper drops the last.
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP][:-1]
    power = np.abs(np.fft.rfft(frames * _hann(), axis=1)) ** 2
    return np.log10(np.maximum(power @ _mel_filters().T, FLOOR)).astype(np.float32)


@lru_cache(maxsize=1)
def _hann() -> np.ndarray:
    """Return the periodic Hann window [400]."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)


@lru_cache(maxsize=1)
def _mel_filters() -> np.ndarray:
    """Return triangles of equal area on Slaney's mel scale, [80, 201]."""
    edges = _mel_to_hertz(np.linspace(0.0, _hertz_to_mel(SAMPLE_RATE / 2), MELS + 2))
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

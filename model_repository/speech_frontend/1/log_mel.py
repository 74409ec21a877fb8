"""Log-mel windows for the speech network: numpy only, the same when training and serving.

The spectrogram is Whisper's (Radford et al. 2022, arXiv 2212.04356): 80 mel bands of a 25 ms Hann
window every 10 ms at 16 kHz. Each window of 2 s is computed by itself, so a stream that is cut
into windows gives the rows that the whole recording gives. Whisper's clamp to the loudest value
and its scaling are part of the network, window by window.
"""

from __future__ import annotations

import numpy as np
from contract import LIMITS
from mel import SAMPLE_RATE, band_power

WINDOW = 2 * SAMPLE_RATE
STRIDE = SAMPLE_RATE
MELS = 80
#: Smallest power that is told from silence, as in Whisper.
FLOOR = 1e-10


def log_mel_windows(waveform: np.ndarray) -> np.ndarray:
    """Turn a recording into the network's input.

    Args:
        waveform: Samples float32 [S] at 16 kHz, S >= 1.

    Returns:
        float32 [N, 200, 80], a row for each of `windows`.
    """
    return np.stack([log_mel(window) for window in windows(waveform)])


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
    # There are 201 frames; Whisper drops the last.
    power = band_power(window, MELS)[:-1]
    return np.log10(np.maximum(power, FLOOR)).astype(np.float32)

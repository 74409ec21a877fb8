"""Log-mel windows for the speech network: numpy only, the same when training and serving.

The spectrogram is Whisper's (Radford et al. 2022, arXiv 2212.04356): 80 mel bands of a 25 ms Hann
window every 10 ms at 16 kHz. Each window of 2 s is computed by itself, so a stream that is cut
into windows gives the rows that the whole recording gives. Whisper's clamp to the loudest value
and its scaling are part of the network, window by window.
"""

from __future__ import annotations

import numpy as np
from bounded_worker import Leash, no_leash
from mel import MelWindows, band_power
from vad import VoiceDetector
from voiced import WINDOW, voiced_windows

MELS = 80
#: Smallest power that is told from silence, as in Whisper.
FLOOR = 1e-10


def log_mel_windows(
    recording: np.ndarray, detector: VoiceDetector, leash: Leash = no_leash
) -> MelWindows:
    """Turn a recording into the network's input, a row for each window with voice.

    Args:
        recording: Samples float32 [S, channels] at 16 kHz, S >= 1; or [S].
        detector: Of voice.
        leash: Is asked before each window; what it raises ends the work.

    Returns:
        Its windows of `MELS` bands.

    Raises:
        MediaError: There is no voice.
    """
    heard = voiced_windows(recording, detector, leash)
    mels = np.stack([log_mel(window) for window in heard.sound])
    return MelWindows(mels, heard.times, heard.voice)


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

"""The original's way from a recording to windows of log-mel bands.

It replaces the module of the same name of the default profile; decoding and mel bands are the
same. Unlike there, a window depends on the whole recording: it is cleaned, trimmed and normalised
as one.
"""

from __future__ import annotations

import numpy as np
from contract import MediaError, SpeechStatus
from mel import SAMPLE_RATE, band_power

try:
    import webrtcvad
except ImportError:
    webrtcvad = None

MELS = 40
WINDOW = 200
STRIDE = WINDOW // 2
#: Frames that are used, 15 s; later ones are not looked at.
LONGEST = 1_500
PRE_EMPHASIS = 0.97
#: Added to a power before its logarithm.
FLOOR = 1e-8

#: Voice activity: aggressiveness, samples of a frame of 30 ms, the least loudness of a stretch.
VAD_MODE = 2
VAD_FRAME = 480
VAD_LOUDNESS = 0.01


def log_mel_windows(waveform: np.ndarray) -> np.ndarray:
    """Turn a recording into the network's input.

    Args:
        waveform: Samples float32 [S] at 16 kHz.

    Returns:
        float32 [N, 200, 40], N from 1 to 14, windows of 2 s every second; a short recording's only
        one ends with zeros.

    Raises:
        MediaError: Voice activity cannot be found because a package is not installed.
    """
    power = band_power(_voiced(pre_emphasised(denoised(waveform))), MELS)
    bands = np.log(power + FLOOR)
    bands = (bands - bands.mean()) / (bands.std() or 1.0)
    used = np.zeros((LONGEST, MELS), np.float32)
    used[: len(bands)] = bands[:LONGEST]
    return np.stack([used[start : start + WINDOW] for start in window_starts(len(bands))])


def denoised(waveform: np.ndarray) -> np.ndarray:
    """Filter by Wiener over three samples, the noise being the mean local variance.

    Returns:
        float64 [S]; the filter of `scipy.signal.wiener`.
    """
    samples = np.where(waveform == 0, 1e-10, waveform.astype(np.float64))
    neighbours = np.ones(3) / 3
    mean = np.convolve(samples, neighbours, "same")
    variance = np.convolve(samples**2, neighbours, "same") - mean**2
    noise = variance.mean()
    loud = variance >= noise
    quotient = np.divide(noise, variance, out=np.zeros_like(variance), where=loud & (variance > 0))
    return np.where(loud, mean + (samples - mean) * (1 - quotient), mean)


def pre_emphasised(samples: np.ndarray) -> np.ndarray:
    """Take 0.97 of the sample before from each."""
    return np.append(samples[0], samples[1:] - PRE_EMPHASIS * samples[:-1])


def window_starts(frames: int) -> list[int]:
    """Choose where windows start; the last may reach back so as to end with the recording.

    Args:
        frames: Of the recording, at least 1; beyond `LONGEST` they do not count.
    """
    if frames > LONGEST:
        return list(range(0, LONGEST - STRIDE, STRIDE))
    if frames < WINDOW:
        return [0]
    strides = frames / STRIDE
    starts = list(range(0, (round(strides) - 1) * STRIDE, STRIDE))
    # Negative where rounding up went beyond the recording's end.
    starts[-1] += min(0, int((strides - round(strides)) * STRIDE))
    return starts


def trimmed(samples: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """Keep what lies between the first and the last loud stretch of voice.

    Args:
        samples: [S], its peak 1.
        voiced: Whether each frame of 30 ms holds voice.

    Returns:
        Part of `samples`; all of it where no stretch is loud enough.
    """
    padded = np.concatenate([[False], voiced, [False]]).astype(int)
    edges = np.flatnonzero(np.diff(padded)).reshape(-1, 2) * VAD_FRAME
    loud = [
        (start, end)
        for start, end in edges
        if start < samples.size and _loudness(samples[start:end]) > VAD_LOUDNESS
    ]
    return samples[loud[0][0] : loud[-1][1]] if loud else samples


def _loudness(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def _voiced(samples: np.ndarray) -> np.ndarray:
    """Trim a recording by voice activity, judged with its peak at full scale."""
    peak = samples.max() or 1.0
    scaled = samples / peak
    return trimmed(scaled, _voice_activity(scaled)) * peak


def _voice_activity(samples: np.ndarray) -> np.ndarray:
    """Ask WebRTC's detector about each frame of 30 ms; a neighbour with voice counts as voice."""
    if webrtcvad is None:
        raise MediaError(
            SpeechStatus.UNREADABLE,
            "the speech front end of this profile needs the package webrtcvad-wheels on the "
            "server: pip install -r requirements/flagship-models.txt",
        )
    detector = webrtcvad.Vad(VAD_MODE)
    pcm = (np.clip(samples, -1.0, 32_767 / 32_768) * 32_768).astype(np.int16)
    pcm = np.pad(pcm, (0, VAD_FRAME - pcm.size % VAD_FRAME)).reshape(-1, VAD_FRAME)
    voiced = [detector.is_speech(frame.tobytes(), SAMPLE_RATE) for frame in pcm]
    return np.convolve(np.array(voiced, float), np.ones(3), "same") > 0

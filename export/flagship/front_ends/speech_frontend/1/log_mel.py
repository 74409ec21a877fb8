"""The original's way from a recording to windows of log-mel bands.

It replaces the module of the same name of the default profile; decoding, the choice of the channel,
what is no voice and mel bands are the same. Unlike there, a window depends on the whole recording:
it is cleaned, trimmed and normalised as one.
"""

from __future__ import annotations

import numpy as np
from bounded_worker import Leash, no_leash
from contract import MediaError, SpeechStatus
from mel import HOP, SAMPLE_RATE, MelWindows, band_power
from vad import SURE, VOICED, VoiceDetector
from voiced import WINDOW as PIECE
from voiced import enough_voice, loudest_voice, no_voice, weight

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


def log_mel_windows(
    recording: np.ndarray, detector: VoiceDetector, leash: Leash = no_leash
) -> MelWindows:
    """Turn a recording into the network's input: windows of 2 s every second.

    Args:
        recording: Samples float32 [S, channels] at 16 kHz, or [S].
        detector: Of voice; it chooses the channel and weighs the windows.
        leash: Is asked before each 2 s; what it raises ends the work.

    Returns:
        1 to 14 windows of `MELS` bands; a short recording's only one ends with zeros.

    Raises:
        MediaError: There is no voice, or a package that looks for it is not installed.
    """
    waveform, voiced = one_channel(recording, detector, leash)
    samples = pre_emphasised(denoised(waveform))
    kept = _voiced(samples)
    power = band_power(samples[kept], MELS)
    bands = np.log(power + FLOOR)
    bands = (bands - bands.mean()) / (bands.std() or 1.0)
    used = np.zeros((LONGEST, MELS), np.float32)
    used[: len(bands)] = bands[:LONGEST]
    starts = window_starts(len(bands))
    frames = kept.start // HOP + np.array(starts)
    return MelWindows(
        np.stack([used[start : start + WINDOW] for start in starts]),
        (frames * HOP / SAMPLE_RATE).astype(np.float32),
        np.array([weight(voiced[frame : frame + WINDOW]) for frame in frames], np.float32),
    )


def one_channel(
    recording: np.ndarray, detector: VoiceDetector, leash: Leash
) -> tuple[np.ndarray, np.ndarray]:
    """Take what carries the voice in each 2 s.

    Returns:
        Samples float32 [S], and whether each 10 ms is voiced, a window longer than the recording.

    Raises:
        MediaError: There is no voice.
    """
    recording = np.atleast_2d(recording.T).T
    size = len(recording)
    count = -(-size // PIECE)
    padded = np.pad(recording, ((0, count * PIECE - size), (0, 0)))
    waveforms, probabilities = [], []
    for piece in padded.reshape(count, PIECE, -1):
        leash()
        waveform, found = loudest_voice(piece, detector)
        waveforms.append(waveform)
        probabilities.append(found)
    if max(np.count_nonzero(each >= SURE) for each in probabilities) < enough_voice(size):
        raise no_voice()
    voiced = np.concatenate(probabilities) >= VOICED
    return np.concatenate(waveforms)[:size], np.pad(voiced, (0, WINDOW))


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


def voiced_span(samples: np.ndarray, voiced: np.ndarray) -> slice:
    """Return what lies between the first and the last loud stretch of voice.

    Args:
        samples: [S], its peak 1.
        voiced: Whether each frame of 30 ms holds voice.

    Returns:
        Its place in `samples`; all of them where no stretch is loud enough.
    """
    padded = np.concatenate([[False], voiced, [False]]).astype(int)
    edges = np.flatnonzero(np.diff(padded)).reshape(-1, 2) * VAD_FRAME
    loud = [
        (start, end)
        for start, end in edges
        if start < samples.size and _loudness(samples[start:end]) > VAD_LOUDNESS
    ]
    return slice(loud[0][0], min(loud[-1][1], samples.size)) if loud else slice(0, samples.size)


def _loudness(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def _voiced(samples: np.ndarray) -> slice:
    """Say where a recording's voice begins and ends, judged with its peak at full scale."""
    scaled = samples / (samples.max() or 1.0)
    return voiced_span(scaled, _voice_activity(scaled))


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

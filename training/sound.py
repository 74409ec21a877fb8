"""Augmentation of recordings: what microphones, rooms and telephones do to a voice."""

from __future__ import annotations

import numpy as np

SAMPLE_RATE = 16_000


def disturb(waveform: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Change speed, room, bandwidth, noise and level at random.

    Args:
        waveform: Samples float32 [S] at 16 kHz.
        random: The source of chance.

    Returns:
        float32, about S samples: up to a second is cut from the beginning of a long recording.
    """
    spare = max(0, waveform.size - 2 * SAMPLE_RATE)
    waveform = waveform[random.integers(0, min(spare, SAMPLE_RATE) + 1) :]
    waveform = _speed(waveform, random.uniform(0.92, 1.08))
    if random.random() < 0.4:
        waveform = _reverberate(waveform, random)
    if random.random() < 0.3:
        waveform = _narrow(waveform, random.uniform(3_000, 6_000))
    if random.random() < 0.7:
        waveform = _add_noise(waveform, random)
    return (waveform * 10 ** random.uniform(-0.6, 0.3)).clip(-1, 1).astype(np.float32)


def _speed(waveform: np.ndarray, factor: float) -> np.ndarray:
    """Play faster and higher, or slower and lower."""
    times = np.arange(0, waveform.size - 1, factor)
    return np.interp(times, np.arange(waveform.size), waveform)


def _reverberate(waveform: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Convolve with decaying noise, a plain model of a room."""
    decay = random.uniform(0.05, 0.25)
    times = np.arange(int(decay * SAMPLE_RATE)) / SAMPLE_RATE
    tail = random.standard_normal(times.size) * 10 ** (-3 * times / decay)
    tail *= random.uniform(0.1, 0.5) / np.linalg.norm(tail)
    tail[0] = 1.0
    size = waveform.size + tail.size - 1
    spectrum = np.fft.rfft(waveform, size) * np.fft.rfft(tail, size)
    return np.fft.irfft(spectrum, size)[: waveform.size]


def _narrow(waveform: np.ndarray, cut: float) -> np.ndarray:
    """Drop what a narrow codec drops: everything above `cut` hertz."""
    spectrum = np.fft.rfft(waveform)
    spectrum[np.fft.rfftfreq(waveform.size, 1 / SAMPLE_RATE) > cut] = 0
    return np.fft.irfft(spectrum, waveform.size)


def _add_noise(waveform: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Add noise between white and pink, 5 to 35 dB below the voice."""
    spectrum = np.fft.rfft(random.standard_normal(waveform.size))
    slope = np.maximum(np.arange(spectrum.size), 1) ** -random.uniform(0.0, 0.5)
    noise = np.fft.irfft(spectrum * slope, waveform.size)
    ratio = np.linalg.norm(waveform) / np.linalg.norm(noise)
    return waveform + noise * ratio * 10 ** (-random.uniform(5, 35) / 20)

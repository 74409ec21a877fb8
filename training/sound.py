"""Augmentation of recordings: what microphones, rooms, telephones and throats do to a voice."""

from __future__ import annotations

import numpy as np

SAMPLE_RATE = 16_000
#: Where a microphone's frequency response is drawn, in hertz.
_KNOTS = np.log([50.0, 150.0, 400.0, 1_000.0, 2_500.0, 5_000.0, 8_000.0])


def disturb(waveform: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Change pitch with formants, tempo, room, microphone, noise and level at random.

    Args:
        waveform: Samples float32 [S] at 16 kHz.
        random: The source of chance.

    Returns:
        float32, about S samples: up to a second is cut from the beginning of a long recording.
    """
    spare = max(0, waveform.size - 2 * SAMPLE_RATE)
    waveform = waveform[random.integers(0, min(spare, SAMPLE_RATE) + 1) :]
    # A man whose voice is shifted up by an eighth is still a man: gender must not rest on pitch.
    pitch = np.exp(random.uniform(-0.12, 0.12)) if random.random() < 0.8 else 1.0
    tempo = np.exp(random.uniform(-0.1, 0.1)) if random.random() < 0.7 else 1.0
    waveform = _speed(waveform, pitch)
    if abs(tempo / pitch - 1) > 0.01:
        waveform = _stretch(waveform, tempo / pitch)
    if random.random() < 0.4:
        waveform = _reverberate(waveform, random)
    if random.random() < 0.7:
        waveform = _colour(waveform, random)
    if random.random() < 0.6:
        waveform = _add_noise(waveform, random)
    if random.random() < 0.1:
        waveform = _mu_law(waveform)
    return (waveform * 10 ** random.uniform(-0.7, 0.4)).clip(-1, 1).astype(np.float32)


def _speed(waveform: np.ndarray, factor: float) -> np.ndarray:
    """Play faster and higher, or slower and lower."""
    times = np.arange(0, waveform.size - 1, factor)
    return np.interp(times, np.arange(waveform.size), waveform)


def _stretch(waveform: np.ndarray, rate: float, size: int = 640, search: int = 160) -> np.ndarray:
    """Play `rate` times faster at the same pitch: WSOLA (Verhelst and Roelands 1993)."""
    hop, taper = size // 2, np.hanning(size + 1)[:size]
    count = int(waveform.size / rate) // hop
    waveform = np.pad(waveform, (search, size + 2 * search))
    last = waveform.size - size
    result, weight = np.zeros(count * hop + size), np.zeros(count * hop + size)
    start = None
    for step in range(count):
        centre = min(int(step * hop * rate) + search, last)
        if start is None or start + hop > last:
            start = centre
        else:
            # The piece that goes on most like the one before it.
            wanted = waveform[start + hop : start + hop + size : 2]
            low, high = max(0, centre - search), min(centre + search, last)
            likeness = np.correlate(waveform[low : high + size : 2], wanted, "valid")
            start = min(low + 2 * int(likeness.argmax()), last)
        piece = slice(step * hop, step * hop + size)
        result[piece] += waveform[start : start + size] * taper
        weight[piece] += taper
    return (result / np.maximum(weight, 1e-3))[: count * hop]


def _reverberate(waveform: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Convolve with decaying noise, a plain model of a room."""
    decay = random.uniform(0.05, 0.4)
    times = np.arange(int(decay * SAMPLE_RATE)) / SAMPLE_RATE
    tail = random.standard_normal(times.size) * 10 ** (-3 * times / decay)
    tail *= random.uniform(0.1, 0.7) / np.linalg.norm(tail)
    tail[0] = 1.0
    size = waveform.size + tail.size - 1
    spectrum = np.fft.rfft(waveform, size) * np.fft.rfft(tail, size)
    return np.fft.irfft(spectrum, size)[: waveform.size]


def _colour(waveform: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Give it a microphone's response, and at times a telephone's or a narrow codec's band."""
    spectrum = np.fft.rfft(waveform)
    hertz = np.fft.rfftfreq(waveform.size, 1 / SAMPLE_RATE)
    decibels = np.interp(np.log(np.maximum(hertz, 1)), _KNOTS, random.normal(0, 4, len(_KNOTS)))
    spectrum *= 10 ** (decibels / 20)
    kind = random.random()
    if kind < 0.15:
        spectrum[(hertz > 3_400) | (hertz < 300)] = 0
    elif kind < 0.4:
        spectrum[hertz > random.uniform(3_000, 7_000)] = 0
    return np.fft.irfft(spectrum, waveform.size)


def _mu_law(waveform: np.ndarray) -> np.ndarray:
    """Round to 8 bits as telephones do (ITU-T G.711)."""
    loudest = np.abs(waveform).max() + 1e-9
    squeezed = np.sign(waveform) * np.log1p(255 * np.abs(waveform) / loudest) / np.log(256)
    squeezed = np.round(squeezed * 127) / 127
    return np.sign(squeezed) * (256 ** np.abs(squeezed) - 1) / 255 * loudest


def _add_noise(waveform: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Add noise between white and pink, 5 to 35 dB below the voice."""
    spectrum = np.fft.rfft(random.standard_normal(waveform.size))
    slope = np.maximum(np.arange(spectrum.size), 1) ** -random.uniform(0.0, 0.6)
    noise = np.fft.irfft(spectrum * slope, waveform.size)
    ratio = np.linalg.norm(waveform) / np.linalg.norm(noise)
    return waveform + noise * ratio * 10 ** (-random.uniform(5, 35) / 20)

"""Sounds in which nobody speaks, made by arithmetic: 16 kHz mono, their peak at full scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

RATE = 16_000
SECONDS = 8
SIZE = RATE * SECONDS
TIME = np.arange(SIZE) / RATE

Random = np.random.Generator
Make = Callable[[Random], np.ndarray]


def music(random: Random) -> np.ndarray:
    """Chords of plucked, blown or bowed notes, a melody over them, and drums."""
    beat = random.uniform(0.25, 0.6)
    scale = 220 * 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16]) / 12)
    sound = np.zeros(SIZE)
    for number, at in enumerate(np.arange(0, SECONDS - beat, beat)):
        kind = random.integers(3)
        if number % 4 == 0:
            root = random.integers(5)
            for step in (0, 2, 4):
                _add(sound, at, 0.3 * _note(scale[root + step] / 2, 4 * beat, kind, random))
        _add(
            sound, at, 0.5 * _note(random.choice(scale), beat * random.uniform(0.5, 1.5), 0, random)
        )
        if random.random() < 0.7:
            _add(sound, at, random.uniform(0.2, 0.8) * _drum(random))
    return sound


def hum(random: Random) -> np.ndarray:
    """The mains, 50 or 60 Hz, its harmonics and a little hiss."""
    base = random.choice([50, 60]) * random.uniform(0.998, 1.002)
    return _harmonics(base, random.uniform(0, 1, 12) / np.arange(1, 13)) + _hiss(random, 0.02)


def tone(random: Random) -> np.ndarray:
    """A sine, two of them, a sweep, a trill, or dialling tones."""
    first, second = np.exp(random.uniform(np.log(100), np.log(4_000), 2))
    kind = random.integers(5)
    if kind == 0:
        return np.sin(2 * np.pi * first * TIME)
    if kind == 1:
        return np.sin(2 * np.pi * first * TIME) + np.sin(2 * np.pi * second * TIME)
    if kind == 2:
        return _swept(np.geomspace(first, second, SIZE))
    if kind == 3:
        return _swept(first * (1 + 0.05 * np.sin(2 * np.pi * random.uniform(2, 8) * TIME)))
    low, high = random.choice([697, 770, 852, 941], 8), random.choice([1209, 1336, 1477], 8)
    steps = np.minimum(SECONDS * TIME / SECONDS, 7).astype(int)
    on = (TIME % 1) < 0.4
    return on * (np.sin(2 * np.pi * low[steps] * TIME) + np.sin(2 * np.pi * high[steps] * TIME))


def noise(random: Random) -> np.ndarray:
    """White, pink, brown, or a band of it."""
    kind = random.integers(4)
    if kind == 3:
        low = random.uniform(100, 3_000)
        return _band(random.standard_normal(SIZE), low, low * random.uniform(1.5, 4))
    return _coloured(random, kind)


def keyboard(random: Random) -> np.ndarray:
    """Keys that go down and up, at times in haste."""
    sound, at = _hiss(random, 0.005), 0.1
    while at < SECONDS - 0.3:
        _add(sound, at, random.uniform(0.3, 1) * _click(random, 0.008))
        _add(
            sound, at + random.uniform(0.06, 0.12), random.uniform(0.1, 0.4) * _click(random, 0.01)
        )
        at += random.exponential(0.15) + 0.06
    return sound


def breathing(random: Random) -> np.ndarray:
    """Noise of a mouth or a nose that swells and ebbs, in and out."""
    period = random.uniform(2, 5)
    swell = np.maximum(0, np.sin(2 * np.pi * TIME / period)) ** 2
    ebb = np.maximum(0, -np.sin(2 * np.pi * TIME / period + random.uniform(-0.3, 0.3))) ** 1.5
    inwards = _band(random.standard_normal(SIZE), 500, random.uniform(2_000, 6_000))
    outwards = _band(random.standard_normal(SIZE), 200, random.uniform(1_200, 3_000))
    return (
        swell * _unit(inwards)
        + random.uniform(0.5, 1.5) * ebb * _unit(outwards)
        + _hiss(random, 0.01)
    )


def clapping(random: Random) -> np.ndarray:
    """One pair of hands, or many."""
    sound = _hiss(random, 0.003)
    hands = random.choice([1, 1, 5, 40])
    for _ in range(hands):
        pitch, pause = random.uniform(700, 2_500), random.uniform(0.2, 0.5)
        for at in np.arange(random.uniform(0, pause), SECONDS - 0.2, pause):
            clap = _band(random.standard_normal(3_200), pitch * 0.6, pitch * 1.7)
            clap *= np.exp(-np.arange(3_200) / RATE / random.uniform(0.005, 0.03))
            _add(sound, at + random.uniform(0, 0.03), random.uniform(0.5, 1) * clap)
    return sound


def rain(random: Random) -> np.ndarray:
    """Hiss, and drops that ring on what they hit."""
    sound = 0.3 * _unit(_band(random.standard_normal(SIZE), 800, 7_500))
    for _ in range(random.integers(100, 2_000)):
        length = random.integers(80, 800)
        ring = np.sin(2 * np.pi * random.uniform(800, 6_000) * np.arange(length) / RATE)
        drop = ring * np.exp(-5 * np.arange(length) / length)
        _add(sound, random.uniform(0, SECONDS - 0.1), random.exponential(0.3) * drop)
    return sound


def engine(random: Random) -> np.ndarray:
    """A row of firings whose speed wavers, through pipes that ring."""
    speed = random.uniform(20, 120) * (1 + 0.2 * np.sin(2 * np.pi * TIME / random.uniform(2, 8)))
    turn = np.cumsum(speed) / RATE
    pulses = np.diff(np.floor(turn), prepend=0) * random.uniform(0.7, 1.3, SIZE)
    sound = pulses * 3 + 0.05 * random.standard_normal(SIZE)
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(SIZE, 1 / RATE)
    for pitch in random.uniform(80, 900, 3):
        spectrum *= 1 + 4 / (1 + ((hertz - pitch) / (0.2 * pitch)) ** 2)
    return np.fft.irfft(spectrum / (1 + hertz / 400), SIZE)


def room(random: Random) -> np.ndarray:
    """A quiet room: brown noise, a fan, the mains, a knock now and then."""
    fan = _harmonics(random.uniform(80, 300), random.uniform(0, 0.2, 4))
    sound = _unit(_coloured(random, 2)) + fan * random.uniform(0, 1) + 0.1 * hum(random)
    for _ in range(random.integers(0, 4)):
        _add(sound, random.uniform(0, SECONDS - 0.5), 3 * _drum(random))
    return sound + _hiss(random, 0.05)


#: Ten kinds of what is heard where nobody speaks.
KINDS: dict[str, Make] = {
    make.__name__: make
    for make in (
        music, hum, tone, noise, keyboard, breathing, clapping, rain, engine, room,
    )
}  # fmt: skip


def toy(random: Random) -> np.ndarray:
    """A toy that talks without words: two ringing formants over a buzz that changes its pitch."""
    return _vowels(random, np.exp(random.uniform(np.log(150), np.log(500))), 0.3)


def animal(random: Random) -> np.ndarray:
    """Barks, mews or calls: harmonic sweeps of 0.1 to 0.6 s."""
    sound, at = _hiss(random, 0.003), 0.1
    length, pitch = random.uniform(0.1, 0.6), np.exp(random.uniform(np.log(250), np.log(1_200)))
    while at < SECONDS - 1:
        time = np.arange(int(length * RATE)) / RATE
        bend = pitch * (1 + random.uniform(0.1, 0.4) * np.sin(np.pi * time / length))
        phase = 2 * np.pi * np.cumsum(bend) / RATE
        call = sum(np.sin(k * phase) / k ** random.uniform(0.3, 1.5) for k in range(1, 7))
        _add(sound, at, call * np.sin(np.pi * time / length))
        at += length + random.uniform(0.1, 1)
    return sound


def bird(random: Random) -> np.ndarray:
    """Whistled trills of 2 to 6 kHz."""
    sound, at = _hiss(random, 0.01), 0.1
    while at < SECONDS - 1:
        time = np.arange(int(random.uniform(0.05, 0.3) * RATE)) / RATE
        pitch = random.uniform(2_000, 6_000) * (1 + 0.2 * np.sin(2 * np.pi * 20 * time))
        _add(sound, at, np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.hanning(time.size))
        at += random.uniform(0.1, 0.6)
    return sound


def siren(random: Random) -> np.ndarray:
    """An alarm's harmonics that rise and fall."""
    pitch = 700 + 300 * np.sin(2 * np.pi * TIME / random.uniform(0.3, 4))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    return sum(np.sin(k * phase) / k for k in (1, 2, 3, 4))


#: What detectors of voice are most easily taken in by; reported beside the ten kinds.
HARD_KINDS: dict[str, Make] = {make.__name__: make for make in (toy, animal, bird, siren)}


def made(make: Make, number: int, decibels: float) -> np.ndarray:
    """Make one sound.

    Args:
        make: Of `KINDS` or `HARD_KINDS`.
        number: Which of them.
        decibels: Of its peak, full scale being 0.

    Returns:
        float32 [SIZE], 16 kHz, rounded to 16 bits.
    """
    sound = make(np.random.default_rng([number, *make.__name__.encode()]))
    sound = sound / np.abs(sound).max() * 10 ** (decibels / 20)
    return (np.rint(sound * 32_767) / 32_768).astype(np.float32)


def _add(sound: np.ndarray, at: float, part: np.ndarray) -> None:
    start = int(at * RATE)
    part = part[: sound.size - start]
    sound[start : start + part.size] += part


def _note(pitch: float, seconds: float, kind: int, random: Random) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    shake = 1 + (0.004 * np.sin(2 * np.pi * 5.5 * time) if kind == 2 else 0)
    phase = 2 * np.pi * np.cumsum(pitch * shake * np.ones(time.size)) / RATE
    slope = random.uniform(0.7, 2)
    note = sum(np.sin(k * phase) / k**slope for k in range(1, 9) if k * pitch < 7_500)
    if kind == 0:
        return note * np.exp(-time / random.uniform(0.1, 0.6))
    return note * np.minimum(1, np.minimum(time, seconds - time) / 0.05)


def _drum(random: Random) -> np.ndarray:
    time = np.arange(int(0.3 * RATE)) / RATE
    if random.random() < 0.5:
        return np.sin(2 * np.pi * (50 * time + 6 * (1 - np.exp(-time / 0.03)))) * np.exp(
            -time / 0.1
        )
    return random.standard_normal(time.size) * np.exp(-time / random.uniform(0.02, 0.1)) * 0.5


def _click(random: Random, decay: float) -> np.ndarray:
    time = np.arange(int(0.05 * RATE)) / RATE
    ring = np.sin(2 * np.pi * random.uniform(1_000, 5_000) * time)
    return (random.standard_normal(time.size) + ring) * np.exp(-time / decay)


def _harmonics(base: float, strengths: np.ndarray) -> np.ndarray:
    return sum(a * np.sin(2 * np.pi * base * (k + 1) * TIME + k) for k, a in enumerate(strengths))


def _swept(hertz: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * np.cumsum(hertz) / RATE)


def _vowels(random: Random, pitch: float, seconds: float) -> np.ndarray:
    knots = np.arange(0, SECONDS + 1, seconds)
    bend = np.interp(TIME, knots, random.uniform(0.8, 1.3, knots.size))
    spectrum = np.fft.rfft(np.sign(np.sin(2 * np.pi * np.cumsum(pitch * bend) / RATE)))
    hertz = np.fft.rfftfreq(SIZE, 1 / RATE)
    gain = sum(
        1 / (1 + ((hertz - formant) / 100) ** 2)
        for formant in (random.uniform(300, 900), random.uniform(1_000, 2_500))
    )
    return np.fft.irfft(spectrum * gain, SIZE) * (np.sin(2 * np.pi * TIME / seconds) > -0.3)


def _hiss(random: Random, strength: float) -> np.ndarray:
    return strength * random.standard_normal(SIZE)


def _coloured(random: Random, exponent: float) -> np.ndarray:
    """Noise whose power falls with so many powers of the frequency."""
    spectrum = np.fft.rfft(random.standard_normal(SIZE))
    return np.fft.irfft(
        spectrum / np.maximum(np.arange(spectrum.size), 100) ** (exponent / 2), SIZE
    )


def _band(sound: np.ndarray, low: float, high: float) -> np.ndarray:
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(sound.size, 1 / RATE)
    return np.fft.irfft(
        spectrum / (1 + (low / (hertz + 1)) ** 4) / (1 + (hertz / high) ** 4), sound.size
    )


def _unit(sound: np.ndarray) -> np.ndarray:
    return sound / np.abs(sound).max()

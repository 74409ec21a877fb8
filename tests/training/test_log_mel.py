"""The log-mel front end against a transform written out by its definition."""

from __future__ import annotations

import numpy as np
import pytest

from training.serving_code import front_end

front = front_end("speech_frontend", "log_mel")
voiced = front_end("speech_frontend", "voiced")


def mel(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)


def hertz(value: float) -> float:
    return value * 200 / 3 if value < 15 else 1000 * 6.4 ** ((value - 15) / 27)


def slow_log_mel(window: np.ndarray, frame: int) -> np.ndarray:
    """One frame, by the sums of the definitions."""
    padded = np.concatenate([window[200:0:-1], window, window[-2:-202:-1]])
    piece = padded[160 * frame : 160 * frame + 400].astype(np.float64)
    piece = piece * (1 - np.cos(2 * np.pi * np.arange(400) / 400)) / 2
    angles = -2j * np.pi * np.outer(np.arange(201), np.arange(400)) / 400
    power = np.abs((np.exp(angles) * piece).sum(1)) ** 2
    edges = [hertz(value) for value in np.linspace(0, mel(8000), 82)]
    bands = []
    for low, centre, high in zip(edges, edges[1:], edges[2:], strict=False):
        total = 0.0
        for line, strength in enumerate(power):
            at = line * 40
            height = min((at - low) / (centre - low), (high - at) / (high - centre))
            total += strength * max(0.0, height) * 2 / (high - low)
        bands.append(np.log10(max(total, 1e-10)))
    return np.array(bands)


@pytest.mark.parametrize("frame", [0, 1, 97, 199])
def test_a_frame_equals_its_definition(frame):
    random = np.random.default_rng(1)
    window = (0.3 * np.sin(np.arange(32_000) / 9) + 0.01 * random.standard_normal(32_000)).astype(
        np.float32
    )
    np.testing.assert_allclose(front.log_mel(window)[frame], slow_log_mel(window, frame), atol=1e-4)


def test_silence_is_the_floor():
    np.testing.assert_array_equal(front.log_mel(np.zeros(32_000, np.float32)), -10)


def test_a_window_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"\[31999\], expected \[32000\]"):
        front.log_mel(np.zeros(31_999, np.float32))


@pytest.mark.parametrize(
    ("samples", "count"),
    [
        (1, 1),
        (32_000, 1),
        (33_599, 1),
        (33_600, 2),
        (48_000, 2),
        (160_000, 9),
        (16_000 * 61, 60),
    ],
)
def test_a_recording_gives_a_window_for_each_second_and_for_a_rest(samples, count):
    found = list(voiced.windows(np.ones(samples, np.float32)))
    assert [window.sound.shape for window in found] == [(32_000, 1)] * count


def test_windows_start_a_second_apart_and_short_sound_is_padded_behind():
    ramp = np.arange(50_000, dtype=np.float32)
    second = list(voiced.windows(ramp))[1]
    assert second.time == 1
    np.testing.assert_array_equal(second.sound[:, 0], ramp[16_000:48_000])
    (short,) = voiced.windows(np.ones((10, 2), np.float32))
    assert short.sound[:10].all() and not short.sound[10:].any()

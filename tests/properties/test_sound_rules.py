"""Sound of any bytes, and the windows that a recording is cut into."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest
from audio import MIN_SECONDS, SAMPLE_RATE, decode_audio
from contract import LIMITS, MediaError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from log_mel import FLOOR, log_mel
from voiced import LEAST_REST, STRIDE, WINDOW, windows

from benchmarks.hostile.odd_sounds import wav


@settings(max_examples=30)
@given(st.integers(1, 66 * SAMPLE_RATE))
def test_a_recording_is_cut_into_two_seconds_every_second_and_nothing_is_lost(size):
    waveform = np.arange(1, size + 1, dtype=np.float32)
    found = list(windows(waveform))
    assert 1 <= len(found) <= LIMITS.windows
    for number, (time, sound) in enumerate(found):
        assert time * SAMPLE_RATE == number * STRIDE and sound.shape == (WINDOW, 1)
        own = waveform[number * STRIDE : number * STRIDE + WINDOW]
        np.testing.assert_array_equal(sound[: len(own), 0], own)
        assert not sound[len(own) :].any()
    if len(found) < LIMITS.windows:
        unheard = size - ((len(found) - 1) * STRIDE + WINDOW)
        assert unheard < LEAST_REST * SAMPLE_RATE


@settings(max_examples=20)
@given(
    arrays.arrays(
        np.float32, 16, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
    )
)
def test_samples_however_loud_give_finite_bands(few):
    bands = log_mel(np.resize(few, WINDOW))
    assert bands.shape == (200, 80) and np.isfinite(bands).all()
    assert bands.min() >= np.log10(FLOOR)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_a_spoilt_recording_gives_samples_or_a_sentence(spoilt, number):
    data = spoilt("sound", number)
    assert_sound_or_sentence(data)


@given(st.binary(max_size=300))
def test_any_bytes_give_samples_or_a_sentence(data):
    assert_sound_or_sentence(data)


@settings(max_examples=30)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from((0, 1, 8, 16, 24, 32, 64)),
    st.sampled_from((1, 3, 6)),
)
def test_a_header_may_say_any_rate_and_width(rate, bits, code):
    samples = np.resize(np.int16([3_000, -3_000, 500]), (20_000, 1))
    assert_sound_or_sentence(wav(samples, rate, bits, code))


@settings(max_examples=20)
@given(st.integers(1, 63), st.integers(4_000, 48_000), st.floats(0.3, 1.5))
def test_a_recording_is_as_long_as_it_is_whatever_its_rate(channels, rate, seconds):
    """Up to seven channels are told apart; more are the servers' own test."""
    channels = min(channels, 7)
    size = round(seconds * rate)
    noise = np.random.default_rng(size).integers(-9_000, 9_000, (size, 1)).astype("<i2")
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(np.repeat(noise, channels, axis=1).tobytes())
    found = decode_audio(target.getvalue())
    assert found.size / SAMPLE_RATE == pytest.approx(seconds, abs=0.01)
    assert np.abs(found).max() <= 1


def assert_sound_or_sentence(data: bytes):
    try:
        samples = decode_audio(data)
    except MediaError as error:
        assert "AUDIO" in str(error)
        return
    assert samples.dtype == np.float32 and samples.ndim == 1 and np.isfinite(samples).all()
    seconds = samples.size / SAMPLE_RATE
    assert MIN_SECONDS <= seconds <= LIMITS.seconds + LIMITS.seconds_tolerance

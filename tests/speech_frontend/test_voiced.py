"""Windows are cut where somebody speaks: by their own sound alone, at one level, of one channel."""

from __future__ import annotations

import numpy as np
import pytest
from contract import MediaError, SpeechStatus
from log_mel import log_mel_windows
from resampling import joined
from voiced import WINDOW, loudest_voice, voiced_windows, weight

RATE = 16_000
TIME = np.arange(4 * RATE) / RATE


def noise(size: int, level: float = 0.1) -> np.ndarray:
    return np.random.default_rng(size).normal(0, level, size).astype(np.float32)


def zeros(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.float32)


def decibels(value: float) -> float:
    return 10 ** (value / 20)


@pytest.mark.parametrize(
    "sound",
    [
        sum(np.sin(2 * np.pi * 60 * k * TIME) / k for k in range(1, 6)) * decibels(-61),
        noise(TIME.size, decibels(-60)),
        noise(TIME.size, 0.2),
        np.cumsum(noise(TIME.size)) / 100,
        np.sin(2 * np.pi * 440 * TIME) * 0.5,
        np.sin(2 * np.pi * np.cumsum(np.geomspace(100, 4_000, TIME.size)) / RATE) * 0.5,
        noise(TIME.size) * (TIME % 0.4 < 0.01),
    ],
    ids=["hum", "room", "white", "brown", "tone", "sweep", "clicks"],
)
def test_what_is_no_voice_has_a_status_of_its_own(detector, sound):
    with pytest.raises(MediaError) as caught:
        voiced_windows(sound.astype(np.float32), detector)
    assert caught.value.status is SpeechStatus.NO_VOICE


def test_each_window_says_when_it_begins_and_how_much_it_counts(detector, voice):
    heard = voiced_windows(np.concatenate([zeros(3), voice]), detector)
    assert heard.sound.shape == (len(heard.times), WINDOW)
    assert heard.times.min() >= 2 and heard.times.max() <= 8
    assert (heard.voice > 0).all() and (heard.voice <= 1).all()
    assert heard.voice[heard.times >= 3].max() > 0.5


@pytest.mark.parametrize("level", [-20, -40, -60])
def test_a_faint_voice_gives_the_windows_of_a_loud_one(detector, voice, level):
    loud = voiced_windows(voice, detector)
    faint = voiced_windows(voice * np.float32(decibels(level)), detector)
    np.testing.assert_array_equal(faint.times, loud.times)
    np.testing.assert_allclose(faint.sound, loud.sound, atol=1e-4)


@pytest.mark.parametrize("seconds", [1, 5, 20])
def test_silence_before_and_after_gives_no_other_windows_that_count(detector, voice, seconds):
    alone = voiced_windows(voice, detector)
    heard = voiced_windows(np.concatenate([zeros(seconds), voice, zeros(seconds)]), detector)
    own = np.isin(heard.times, alone.times + seconds)
    np.testing.assert_allclose(heard.sound[own], alone.sound, atol=1e-6)
    np.testing.assert_allclose(heard.voice[own], alone.voice)
    assert heard.voice[~own].sum() < 0.05 * alone.voice.sum()


def test_what_silence_a_window_holds_besides_voice_does_not_show(detector, voice):
    word = voice[RATE // 2 : RATE]
    early = voiced_windows(np.concatenate([zeros(0.4), word, zeros(1.1)]), detector)
    late = voiced_windows(np.concatenate([zeros(0.9), word, zeros(0.6)]), detector)
    np.testing.assert_allclose(early.sound.std(), late.sound.std(), rtol=0.1)
    assert not early.sound[0, 21_000:].any() and not late.sound[0, 21_000:].any()


def test_a_rest_that_fills_no_window_is_heard(detector, voice):
    whole = voiced_windows(voice[: int(3.7 * RATE)], detector)
    assert whole.times.max() == 2
    longer = voiced_windows(np.concatenate([voice[: int(3.7 * RATE)], zeros(0.3)]), detector)
    np.testing.assert_allclose(whole.sound, longer.sound, atol=1e-3)


def test_chunks_of_a_stream_give_the_windows_of_the_recording(detector, voice):
    """Seconds come one by one, each with the second before it."""
    sound = np.stack([voice, noise(voice.size, 0.05)], 1)
    whole = log_mel_windows(sound, detector)
    rows = {}
    for second in range(1, 6):
        with_overlap = sound[(second - 1) * RATE : (second + 1) * RATE]
        for mel, time, share in zip(*log_mel_windows(with_overlap, detector), strict=True):
            rows[second - 1 + time] = (mel, share)
    assert sorted(rows) == whole.times.tolist()
    for mel, time, share in zip(*whole, strict=True):
        np.testing.assert_array_equal(rows[time][0], mel)
        assert rows[time][1] == share


@pytest.mark.parametrize(
    "channels",
    [
        lambda voice: [voice, -voice],
        lambda voice: [0 * voice, voice],
        lambda voice: [voice, noise(voice.size, voice.std())],
        lambda voice: [noise(voice.size, voice.std()), voice],
        lambda voice: (
            [noise(voice.size + k, 0.02)[: voice.size] for k in (0, 1)] + [voice] + [0 * voice] * 3
        ),
        lambda voice: [voice, voice, voice],
    ],
    ids=["antiphase", "dead", "noise right", "noise left", "centre of 5.1", "agreeing"],
)
def test_the_channel_that_carries_the_voice_is_heard(detector, voice, channels):
    alone = voiced_windows(voice, detector)
    heard = voiced_windows(np.stack(channels(voice), 1), detector)
    np.testing.assert_array_equal(heard.times, alone.times)
    np.testing.assert_allclose(np.abs(heard.sound), np.abs(alone.sound), atol=1e-3)


def test_two_who_speak_in_turn_are_heard_each_in_their_own_channel(detector, voice):
    one, other = voice[: 2 * RATE], voice[2 * RATE : 4 * RATE]
    sound = np.zeros((4 * RATE, 2), np.float32)
    sound[: 2 * RATE, 0], sound[2 * RATE :, 1] = one, other
    heard = voiced_windows(sound, detector)
    assert heard.times[0] == 0 and 2 in heard.times
    first, _ = loudest_voice(sound[: 2 * RATE], detector)
    np.testing.assert_allclose(first / first.std(), (one - one.mean()) / one.std(), atol=1e-3)


def test_voice_in_both_seconds_of_a_window_counts_before_voice_in_one():
    seconds = np.ones(100, bool), np.zeros(100, bool)
    both, first, second, none = (
        weight(np.concatenate([seconds[a], seconds[b]]))
        for a, b in ((0, 0), (0, 1), (1, 0), (1, 1))
    )
    assert both == 1 and none == 0
    assert 0 < first == second < 0.1


def test_blocks_of_other_channels_are_joined_without_loss():
    mono, stereo = np.ones((2, 1), np.float32), np.full((2, 2), 2, np.float32)
    np.testing.assert_array_equal(joined([mono, stereo]), [[1, 1], [1, 1], [2, 2], [2, 2]])
    many = np.arange(12, dtype=np.float32)[None]
    np.testing.assert_array_equal(joined([many]), [[0, 1, 2, 3, 4, 5, 6, 9]])
    assert joined([]).shape == (0, 1)

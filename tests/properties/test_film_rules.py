"""The rules that a film's times, rates and files go through, whatever a file says."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from contract import LIMITS, MediaError
from hypothesis import given, settings
from hypothesis import strategies as st
from video import (
    FRAMES_A_SECOND,
    Frame,
    FrameClock,
    RateBudget,
    VideoClip,
    open_clip,
    split_seconds,
)

stamps = st.fractions(min_value=-(10**6), max_value=10**6, max_denominator=90_000)
intervals = st.fractions(min_value=Fraction(1, 240), max_value=1, max_denominator=240)
times = st.lists(st.floats(min_value=0, max_value=8, width=32), max_size=120).map(sorted)


@given(st.lists(st.none() | stamps, max_size=50), intervals)
def test_a_films_time_begins_at_zero_and_always_goes_on(told, interval):
    clock = FrameClock(interval)
    found = [clock.tell(stamp) for stamp in told]
    assert found[:1] in ([], [0])
    steps = [after - before for before, after in itertools.pairwise(found)]
    assert all(0 < step <= max(LIMITS.seconds, interval) for step in steps)


@given(st.lists(st.none() | stamps, max_size=50), stamps, intervals)
def test_where_timestamps_begin_does_not_matter(told, origin, interval):
    one, other = FrameClock(interval), FrameClock(interval)
    for stamp in told:
        assert one.tell(stamp) == other.tell(None if stamp is None else stamp + origin)


@given(st.lists(st.fractions(min_value=0, max_value=5, max_denominator=1_000), max_size=1_500))
def test_a_film_is_refused_exactly_when_a_second_has_too_many_frames(found):
    found = sorted(found)
    budget = RateBudget()
    most = max(Counter(map(int, found)).values(), default=0)
    if most <= LIMITS.max_fps:
        for time in found:
            budget.spend(time)
        assert budget.frames == len(found)
        return
    with pytest.raises(MediaError, match=f"at most {LIMITS.max_fps:g}"):
        for time in found:
            budget.spend(time)


@given(times)
def test_each_second_keeps_its_own_frames_and_ten_of_them_at_most(found):
    frames = [Frame(time, lambda: None) for time in found]
    seconds = list(split_seconds(frames))
    there = Counter(int(time) for time in found)
    assert len(seconds) == int(max(found, default=0)) + 1
    for number, kept in enumerate(seconds):
        assert len(kept) == min(there[number], FRAMES_A_SECOND)
        assert [frame.time for frame in kept] == sorted(frame.time for frame in kept)
        assert all(int(frame.time) == number for frame in kept)
    kept = [id(frame) for second in seconds for frame in second]
    assert len(set(kept)) == len(kept) and set(kept) <= set(map(id, frames))


@given(
    st.lists(st.binary(max_size=200) | st.just(b""), max_size=5),
    st.none() | st.floats(width=32),
)
def test_frames_of_any_bytes_at_any_rate_are_refused_with_a_sentence(frames, fps):
    with pytest.raises(MediaError) as caught:
        open_clip(None, frames, fps)
    assert "FRAMES" in str(caught.value) or "FPS" in str(caught.value)


@given(st.integers(0, 2**16), st.floats(width=32))
def test_only_counts_and_rates_within_the_limits_open(jpeg, count, fps):
    allowed = (
        0 < count <= LIMITS.frames
        and math.isfinite(fps)
        and 0 < fps <= LIMITS.max_fps
        and count / fps <= LIMITS.seconds + LIMITS.seconds_tolerance
    )
    if allowed:
        assert open_clip(None, [jpeg] * min(count, 3), fps) is not None
        return
    with pytest.raises(MediaError) as caught:
        open_clip(None, [jpeg] * count, fps)
    assert any(character.isdigit() for character in str(caught.value)) or not count


@pytest.fixture(scope="module")
def jpeg(seeds) -> bytes:
    return seeds["jpeg"].data


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_a_spoilt_film_gives_frames_in_order_of_time_or_a_sentence(spoilt, number):
    data = spoilt("film", number)
    try:
        found = [frame.time for second in VideoClip(data).seconds() for frame in second]
    except MediaError as error:
        assert "VIDEO" in str(error)
        return
    assert found == sorted(found)
    assert all(0 <= time <= LIMITS.seconds + LIMITS.seconds_tolerance for time in found)


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_a_spoilt_picture_gives_pixels_or_a_sentence(spoilt, number):
    data = spoilt("picture", number)
    try:
        ((frame,),) = open_clip(None, [data], 10.0).seconds()
        pixels = frame.pixels()
    except MediaError as error:
        assert "FRAMES[0]" in str(error)
        return
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    assert pixels.shape[0] * pixels.shape[1] <= LIMITS.pixels

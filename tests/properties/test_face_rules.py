"""The rules by which faces are cut out, told apart, counted and chosen."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mtcnn import suppress_overlaps
from picture import cut_square
from selection import Tally, judging_order, moved_inside, spread_evenly

BORDERS = (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE)
pictures = arrays.arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30), st.just(3)))
places = st.floats(-3_000, 3_000)


@given(pictures, st.tuples(places, places), st.floats(0, 3_000), st.integers(1, 48))
def test_any_square_can_be_cut_out_of_any_picture(picture, corner, length, side):
    for border in BORDERS:
        cut = cut_square(picture, corner, length, side, border)
        assert cut.shape == (side, side, 3) and cut.dtype == np.uint8
        assert cut.max(initial=0) <= picture.max()


@given(pictures, st.data())
def test_a_square_inside_at_its_own_size_is_the_pictures_own_pixels(picture, data):
    height, width = picture.shape[:2]
    side = data.draw(st.integers(1, min(height, width)))
    x, y = (data.draw(st.integers(0, room - side)) for room in (width, height))
    cut = cut_square(picture, (x, y), side, side, cv2.BORDER_CONSTANT)
    np.testing.assert_array_equal(cut, picture[y : y + side, x : x + side])


@st.composite
def scored_boxes(draw) -> tuple[np.ndarray, np.ndarray]:
    count = draw(st.integers(0, 25))
    corners = draw(arrays.arrays(np.float32, (count, 2), elements=st.integers(-20, 60)))
    sizes = draw(arrays.arrays(np.float32, (count, 2), elements=st.integers(0, 30)))
    scores = draw(arrays.arrays(np.float32, count, elements=st.integers(0, 5)))
    return np.concatenate([corners, corners + sizes], axis=1), scores


def overlap(one: np.ndarray, other: np.ndarray, of_smaller: bool) -> float:
    """Return the overlap of two boxes as a part of the union, or of the smaller one."""
    width, height = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(max(width, 0) * max(height, 0))
    areas = [float(np.prod(box[2:] - box[:2])) for box in (one, other)]
    whole = min(areas) if of_smaller else sum(areas) - shared
    return shared / whole if whole else 0.0


@given(scored_boxes(), st.sampled_from((0.31, 0.5, 0.71)), st.booleans())
def test_overlaps_are_suppressed_as_a_plain_loop_does_it(found, threshold, of_smaller):
    boxes, scores = found
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable").tolist():
        parts = [overlap(boxes[index], boxes[other], of_smaller) for other in kept]
        if all(part <= threshold for part in parts):
            kept.append(index)
    assert suppress_overlaps(boxes, scores, threshold, of_smaller).tolist() == kept


#: What a judged frame adds to a tally.
JUDGED = (
    {},
    {"sharp": 1},
    {"sharp": 1, "kept": 1},
    {"sharp": 1, "out_of_bounds": 1},
    {"sharp": 1, "occluded": 1},
    {"sharp": 1, "out_of_bounds": 1, "occluded": 1},
)
seconds = st.lists(st.sampled_from(JUDGED), max_size=10)


def tallies(frames: list[dict]) -> list[Tally]:
    """Return a second's tally before and after each frame is judged."""
    found = [Tally.of_second(len(frames))]
    for frame in frames:
        last = found[-1]
        more = {name: getattr(last, name) + count for name, count in frame.items()}
        found.append(replace(last, judged=last.judged + 1, **more))
    return found


@given(st.lists(seconds, min_size=1, max_size=4))
def test_a_code_that_is_told_early_is_the_one_that_judging_every_frame_gives(clip):
    whole = Tally()
    for frames in clip:
        found = tallies(frames)
        codes = [tally.code() for tally in found]
        told = [code for code in codes if code is not None]
        assert codes[-1] is not None and set(told) == {codes[-1]}
        whole = whole + found[-1]
    open_second = tallies(clip[0])
    rest = sum((tallies(frames)[-1] for frames in clip[1:]), Tally())
    codes = {(tally + rest).code() for tally in open_second} - {None}
    assert codes == {whole.code()}


@given(st.integers(0, 240), st.integers(1, 20))
def test_every_frame_is_judged_once(frames, needed):
    assert sorted(judging_order(frames, needed)) == list(range(frames))


@given(st.lists(st.integers(), unique=True), st.integers(1, 70))
def test_what_is_spread_evenly_keeps_its_order_and_is_kept_by_doing_it_again(items, count):
    taken = spread_evenly(items, count)
    assert len(taken) == min(len(items), count)
    assert taken == [item for item in items if item in set(taken)]
    assert spread_evenly(taken, count) == taken


@given(places, st.floats(0, 3_000), st.floats(1, 3_000))
def test_what_is_moved_inside_is_there_and_stays(start, length, limit):
    moved = moved_inside(start, length, limit)
    if length <= limit:
        assert 0 <= moved <= limit - length
        assert moved_inside(moved, length, limit) == moved
    else:
        assert moved == (limit - length) / 2

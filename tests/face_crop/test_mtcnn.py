"""Detection, and the committed networks against the ones they came from."""

from __future__ import annotations

from pathlib import Path

import cv2
import mtcnn
import numpy as np
import onnxruntime
import pytest
from mtcnn import suppress_overlaps

from tests.face_crop.scenes import hang, portrait, wall

PARITY = Path(__file__).parents[2] / "export" / "parity" / "mtcnn.npz"
#: Where the portrait's face is: hairline to chin, read off the picture.
FACE = (85, 60, 170, 175)


def overlap(box, other) -> float:
    """Measure intersection over union."""
    box, other = np.array(box), np.array(other)
    low, high = np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])
    shared = np.prod(np.clip(high - low, 0, None))
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return shared / (sum(areas) - shared)


@pytest.mark.parametrize("name", ["pnet", "rnet", "onet"])
def test_a_network_gives_what_its_source_gave(name, model_folder):
    session = onnxruntime.InferenceSession(model_folder / "1" / f"{name}.onnx")
    with np.load(PARITY) as fixture:
        outputs = session.run(["probability", "offsets"], {"pixels": fixture[f"{name}_pixels"]})
        for output, key in zip(outputs, ("probability", "offsets"), strict=True):
            np.testing.assert_allclose(output, fixture[f"{name}_{key}"], atol=1e-4)


def test_a_real_face_is_found_where_it_is(detector):
    (face,) = detector.detect(portrait())
    assert face.score > 0.999
    assert overlap(face.box, FACE) > 0.8


@pytest.mark.parametrize("scale", [0.5, 2, 6])
def test_boxes_are_in_the_pictures_own_pixels(scale, detector):
    picture = cv2.resize(portrait(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    (face,) = detector.detect(picture)
    assert overlap(np.array(face.box) / scale, FACE) > 0.75


def test_every_face_is_found(detector):
    faces = detector.detect(hang(hang(wall(), 0, 20, 160), 170, 60, 140))
    assert sorted(face.box[0] > 160 for face in faces) == [False, True]


def test_a_face_that_is_cut_off_has_a_box_that_leaves_the_picture(detector):
    (face,) = detector.detect(hang(wall(), -75, 20, 200))
    assert face.box[0] < 0


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (12, 12), (13, 2000)])
def test_pictures_too_small_for_a_face_have_none(shape, detector):
    assert detector.detect(np.full((*shape, 3), 127, np.uint8)) == []


def test_an_empty_scene_has_no_face(detector):
    assert detector.detect(wall()) == []


def counted(detector, monkeypatch) -> list[int]:
    """Count the levels of the pyramid that each search looks at."""
    levels, search = [], detector._search
    monkeypatch.setattr(
        detector,
        "_search",
        lambda sizes, scales: levels.append(len(scales)) or search(sizes, scales),
    )
    return levels


def test_a_face_that_was_there_is_found_again_on_few_levels(detector, monkeypatch):
    before = detector.detect(hang(wall(), 0, 20, 160))
    levels = counted(detector, monkeypatch)
    (face,) = detector.detect(hang(wall(), 140, 60, 170), before)
    assert face.box[0] > 140 and face.score > 0.999
    (whole,) = detector.detect(hang(wall(), 140, 60, 170))
    assert overlap(face.box, whole.box) > 0.9
    assert levels[0] < levels[1] / 1.5


@pytest.mark.parametrize("size", [70, 110, 235])
def test_a_face_of_any_other_size_is_found_at_once_where_the_one_before_is_gone(size, detector):
    before = detector.detect(hang(wall(), 0, 20, 160))
    faces = detector.detect(hang(wall(1), 60, 0, size), before)
    assert len(faces) == 1 and 60 < faces[0].box[0] < 60 + size / 2


def test_a_face_that_left_is_not_reported(detector):
    before = detector.detect(hang(wall(), 0, 20, 160))
    assert detector.detect(wall(), before) == []


def test_two_people_who_cross_are_found_as_by_looking_at_each_picture_alone(detector):
    pictures = [hang(hang(wall(), 200 - 20 * n, 40, 120), -40 + 20 * n, 10, 170) for n in range(12)]
    before, counts = [], set()
    for picture in pictures:
        before = detector.detect(picture, before)
        alone = detector.detect(picture)
        counts.add(len(alone))
        assert len(before) == len(alone)
        assert all(max(overlap(f.box, a.box) for f in before) > 0.7 for a in alone)
    assert counts == {1, 2}


def test_faces_before_do_not_matter_to_a_picture_of_another_size(detector):
    before = detector.detect(cv2.resize(portrait(), None, fx=8, fy=8))
    (face,) = detector.detect(portrait(), before)
    assert overlap(face.box, FACE) > 0.8


def test_a_texture_that_looks_like_faces_everywhere_is_searched_within_bounds(
    detector, monkeypatch
):
    """A plain P-net pass over it proposes tens of thousands of boxes."""
    counts = []
    suppress = mtcnn.suppress_overlaps

    def counting(boxes, *rest, **options):
        counts.append(len(boxes))
        return suppress(boxes, *rest, **options)

    monkeypatch.setattr(mtcnn, "suppress_overlaps", counting)
    side = 20  # as small as is looked for in a picture of this height
    face = cv2.resize(portrait()[60:175, 70:185], (side, side), interpolation=cv2.INTER_AREA)
    detector.detect(np.tile(face, (240 // side, 1900 // side, 1)))
    assert max(counts) == mtcnn.MOST_CANDIDATES


def test_of_overlapping_boxes_the_most_probable_stays():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], np.float32)
    scores = np.array([0.8, 0.9, 0.7], np.float32)
    assert suppress_overlaps(boxes, scores, 0.5).tolist() == [1, 2]


def test_a_box_inside_another_is_dropped_when_overlap_is_measured_by_the_smaller():
    boxes = np.array([[0, 0, 20, 20], [5, 5, 10, 10]], np.float32)
    scores = np.array([0.9, 0.8], np.float32)
    assert suppress_overlaps(boxes, scores, 0.7).tolist() == [0, 1]
    assert suppress_overlaps(boxes, scores, 0.7, of_smaller=True).tolist() == [0]

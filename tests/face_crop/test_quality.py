"""Faces judged on pictures made from the demo clip: one person, filmed well and badly."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import onnxruntime
import pytest
from picture import cut_square
from quality import FaceQuality, QualityJudge, picture_is_dull

from tests.face_crop.scenes import blurred, hang, person, wall

ROOT = Path(__file__).parents[2]
#: Read off the frame below: the eyes, the nose, the mouth and the box of the face.
LEFT, RIGHT, NOSE, MOUTH = (263, 166), (340, 169), (302, 205), (299, 241)
FACE = slice(90, 290), slice(200, 400)


@pytest.fixture(scope="module")
def judge(model_folder) -> QualityJudge:
    return QualityJudge(model_folder / "1")


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    with av.open(str(ROOT / "demo" / "clip.mp4")) as clip:
        for index, picture in enumerate(clip.decode(video=0)):
            if index == 10:
                return picture.to_ndarray(format="rgb24")
    raise AssertionError("the demo clip is shorter than 11 frames")


@pytest.fixture(scope="module")
def look(judge, detector):
    """Find the face where it can be found, else judge where it was, and return its quality."""

    def quality_of(picture: np.ndarray, face=None) -> FaceQuality:
        found = [face] if face else detector.detect(picture)
        assert found, "no face found"
        return judge(picture, max(found, key=lambda one: one.side))

    return quality_of


@pytest.fixture(scope="module")
def face(frame, detector):
    (only,) = detector.detect(frame)
    return only


def is_good(quality: FaceQuality) -> bool:
    return quality.is_sharp and not quality.is_covered and quality.is_real


def grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def sepia(picture: np.ndarray) -> np.ndarray:
    tone = np.array([1.07, 1.0, 0.8])
    return np.clip(grey(picture) * tone, 0, 255).astype(np.uint8)


def tilted(picture: np.ndarray, degrees: float) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D(NOSE, degrees, 1)
    return cv2.warpAffine(picture, matrix, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def encoded(picture: np.ndarray, quality: int) -> np.ndarray:
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def scaled(picture: np.ndarray, factor: float) -> np.ndarray:
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=way)


def before_a_plain_wall(picture: np.ndarray) -> np.ndarray:
    scene = np.full_like(picture, (225, 218, 205))
    scene[FACE] = picture[FACE]
    return scene


def before_a_soft_background(picture: np.ndarray) -> np.ndarray:
    scene = cv2.GaussianBlur(picture, (0, 0), 12)
    scene[FACE] = picture[FACE]
    return scene


GOOD = {
    "as it is": lambda picture: picture,
    "grey": grey,
    "sepia": sepia,
    "tilted to the left": lambda picture: tilted(picture, 25),
    "tilted to the right": lambda picture: tilted(picture, -25),
    "encoded at 30": lambda picture: encoded(picture, 30),
    "encoded at 60": lambda picture: encoded(picture, 60),
    "overexposed": lambda picture: cv2.convertScaleAbs(picture, alpha=1.4, beta=20),
    "dim": lambda picture: cv2.convertScaleAbs(picture, alpha=0.4),
    "enlarged": lambda picture: scaled(picture, 2.5),
    "filmed small and enlarged": lambda picture: scaled(scaled(picture, 0.25), 3),
    "mirrored": lambda picture: np.ascontiguousarray(picture[:, ::-1]),
    "before a plain wall": before_a_plain_wall,
    "before a soft background": before_a_soft_background,
}


@pytest.mark.parametrize("way", GOOD)
def test_a_face_that_can_be_read_is_sharp_uncovered_and_real(way, frame, look):
    quality = look(GOOD[way](frame))
    assert is_good(quality), quality


def motion(picture: np.ndarray, length: int) -> np.ndarray:
    return cv2.filter2D(picture, -1, np.full((1, length), 1 / length))


def out_of_focus(picture: np.ndarray, radius: int) -> np.ndarray:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.filter2D(picture, -1, disc / disc.sum())


BLURRED = {
    "softly": lambda picture: cv2.GaussianBlur(picture, (0, 0), 8),
    "out of focus": lambda picture: out_of_focus(picture, 16),
    "by motion": lambda picture: motion(picture, 41),
    "by few pixels": lambda picture: scaled(scaled(picture, 0.06), 1 / 0.06),
}


@pytest.mark.parametrize("way", BLURRED)
def test_a_blurred_face_is_not_sharp(way, frame, face, look):
    assert not look(BLURRED[way](frame), face).is_sharp


def test_a_blurred_face_before_a_sharp_wall_is_not_sharp(look, face, frame):
    scene = np.random.default_rng(0).integers(0, 255, frame.shape, dtype=np.uint8)
    scene[FACE] = cv2.GaussianBlur(frame, (0, 0), 8)[FACE]
    assert not look(scene, face).is_sharp


def test_a_face_in_the_dark_is_not_sharp(look, face, frame):
    assert not look((frame * 0.04).astype(np.uint8), face).is_sharp


def masked(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    x, y = NOSE
    outline = [(x - 55, y - 5), (x, y - 18), (x + 55, y - 5), (x + 45, y + 60), (x, y + 82)]
    outline.append((x - 45, y + 60))
    return cv2.fillPoly(picture.copy(), [np.array(outline)], colour, cv2.LINE_AA)


def in_dark_glasses(picture: np.ndarray) -> np.ndarray:
    result = picture.copy()
    for eye in (LEFT, RIGHT):
        cv2.ellipse(result, eye, (31, 24), 0, 0, 360, (18, 18, 22), -1, cv2.LINE_AA)
    return cv2.line(result, LEFT, RIGHT, (18, 18, 22), 5, cv2.LINE_AA)


def behind_a_hand(picture: np.ndarray) -> np.ndarray:
    result = picture.copy()
    x, y = MOUTH
    cv2.ellipse(result, (x, y + 25), (48, 40), 0, 0, 360, (215, 165, 140), -1, cv2.LINE_AA)
    for shift in (-36, -12, 12, 36):
        ends = (x + shift, y + 20), (x + shift, y - 45)
        cv2.line(result, *ends, (150, 105, 85), 23, cv2.LINE_AA)
        cv2.line(result, *ends, (222, 172, 148), 19, cv2.LINE_AA)
    return result


def with_a_bar(picture: np.ndarray) -> np.ndarray:
    return cv2.rectangle(picture.copy(), (215, 145), (390, 190), (0, 0, 0), -1)


COVERED = {
    "white mask": lambda picture: masked(picture, (240, 242, 245)),
    "blue mask": lambda picture: masked(picture, (120, 170, 215)),
    "black mask": lambda picture: masked(picture, (25, 25, 28)),
    "dark glasses": in_dark_glasses,
    "hand": behind_a_hand,
    "bar": with_a_bar,
}


@pytest.mark.parametrize("way", COVERED)
def test_a_covered_face_is_covered_in_colour_and_in_grey(way, frame, face, look):
    picture = COVERED[way](frame)
    assert look(picture, face).is_covered
    assert look(grey(picture), face).is_covered


def test_ordinary_glasses_cover_nothing(frame, look):
    picture = frame.copy()
    for eye in (LEFT, RIGHT):
        cv2.ellipse(picture, eye, (30, 24), 0, 0, 360, (40, 30, 30), 3, cv2.LINE_AA)
    cv2.line(picture, (293, 166), (310, 167), (40, 30, 30), 3, cv2.LINE_AA)
    assert is_good(look(picture))


def pencil(picture: np.ndarray) -> np.ndarray:
    level = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    lines = cv2.divide(level, cv2.GaussianBlur(level, (0, 0), 6), scale=255).astype(float) / 255
    return cv2.cvtColor((255 * lines**3).astype(np.uint8), cv2.COLOR_GRAY2RGB)


def inked(picture: np.ndarray) -> np.ndarray:
    level = cv2.medianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), 5)
    lines = cv2.adaptiveThreshold(level, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 15, 5)
    return cv2.cvtColor(lines, cv2.COLOR_GRAY2RGB)


@pytest.mark.parametrize("draw", [pencil, inked], ids=lambda draw: draw.__name__)
def test_a_drawn_face_is_not_real(draw, frame, face, look):
    assert not look(draw(frame), face).is_real


def test_a_grey_picture_is_judged_as_its_colour_picture(frame, face, look):
    assert np.allclose(look(frame, face), look(grey(frame), face), atol=0.02)


def test_a_picture_without_a_face_is_dull_when_nothing_could_be_seen_in_it(frame):
    assert not picture_is_dull(frame) and not picture_is_dull(wall())
    assert not picture_is_dull(hang(np.full_like(wall(), 200), 150, 60, 60))
    assert picture_is_dull((frame * 0.04).astype(np.uint8))
    assert picture_is_dull(np.full_like(frame, 128))
    assert picture_is_dull(cv2.GaussianBlur(frame, (0, 0), 12))
    assert picture_is_dull(blurred(person()))


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 900, 3)])
def test_a_tiny_or_narrow_picture_can_be_judged(shape):
    assert picture_is_dull(np.full(shape, 90, np.uint8))


def test_the_network_gives_what_its_source_gave(model_folder):
    session = onnxruntime.InferenceSession(model_folder / "1" / "quality.onnx")
    with np.load(ROOT / "export" / "parity" / "quality.npz") as fixture:
        (answer,) = session.run(["QUALITY"], {"FACES": fixture["input.FACES"]})
        np.testing.assert_allclose(answer, fixture["output.QUALITY"], atol=1e-4)


def test_a_box_that_leaves_the_picture_is_judged(frame, face, judge):
    cut = cut_square(frame, (270, 90), 200, 200, cv2.BORDER_REPLICATE)
    beyond = face._replace(box=(-48.0, 3.0, 101.0, 197.0))
    assert all(0 <= value <= 1 for value in judge(cut, beyond))

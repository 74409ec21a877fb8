"""The identity network: one person's faces are near each other, two people's are not."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import onnxruntime
import pytest
from identity import Identifier
from mtcnn import Face
from tracks import SAME_PERSON

from tests.face_crop.scenes import hang, portrait, wall

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def identify(model_folder) -> Identifier:
    return Identifier(model_folder / "1")


@pytest.fixture(scope="module")
def demo_pictures() -> list[np.ndarray]:
    with av.open(str(ROOT / "demo" / "clip.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return frames[:: len(frames) // 6][:6]


def test_the_file_describes_faces_as_its_source_network(model_folder):
    with np.load(ROOT / "export" / "parity" / "face_identity.npz") as fixture:
        pixels, expected = fixture["pixels"], fixture["descriptors"]
    session = onnxruntime.InferenceSession(
        model_folder / "1" / "identity.onnx", providers=["CPUExecutionProvider"]
    )
    (got,) = session.run(["descriptor"], {"pixels": pixels})
    assert np.linalg.norm(got - expected, axis=1).max() < 0.03


def somebody_else(picture: np.ndarray) -> np.ndarray:
    """Move the parts of a face up and down, so that it is another one."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    middle, span = 0.45 * height, 0.45 * width
    return cv2.remap(picture, x, y - 0.2 * span * np.sin((y - middle) / span * np.pi), 1)


def test_faces_of_one_person_are_near_each_other_and_far_from_somebody_elses(
    identify, detector, demo_pictures
):
    own = [identify(picture, detector.detect(picture)[0]) for picture in demo_pictures]
    picture = somebody_else(portrait())
    other = identify(picture, detector.detect(picture)[0])
    assert max(np.linalg.norm(one - own[0]) for one in own) < SAME_PERSON
    assert min(np.linalg.norm(one - other) for one in own) > SAME_PERSON


def test_a_face_is_the_same_persons_at_another_size_and_place(identify, detector):
    descriptors = []
    for left, top, side in ((0, 20, 160), (120, 40, 220)):
        picture = hang(wall(), left, top, side)
        descriptors.append(identify(picture, detector.detect(picture)[0]))
    assert np.linalg.norm(descriptors[0] - descriptors[1]) < SAME_PERSON


def test_a_face_beyond_the_edge_is_described_too(identify):
    descriptor = identify(portrait(), Face((-30.0, -30.0, 60.0, 60.0), 0.8))
    assert descriptor.shape == (128,) and np.isfinite(descriptor).all()

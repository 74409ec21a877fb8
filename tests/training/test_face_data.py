"""Faces of a manifest reach training as the served networks would see them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs PyTorch (requirements/export.txt)")

from clients.errors import ManifestError
from training.contract import EMOTIONS
from training.face_data import emotion_faces, people_faces, wide_faces
from training.framing import WIDE, WIDE_SIDE, surroundings
from training.manifest import read_manifest

SPLITS = ("train", "dev", "test")


@pytest.fixture
def manifest(tmp_path):
    """A face of each emotion and gender in each split; the first is grey, and dark on the left."""
    lines = ["face,emotion,age,gender,split"]
    for index in range(21):
        image = np.full((60, 50, 3), 10 * index, np.uint8)
        if index == 0:
            image = np.repeat([[0] * 24 + [240] * 24], 48, axis=0).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
        gender = ("male", "female")[index % 2]
        lines.append(f"{index}.png,{EMOTIONS[index // 3]},{index},{gender},{SPLITS[index % 3]}")
    path = tmp_path / "manifest.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_face_keeps_its_pixels_and_its_labels(manifest, tmp_path):
    faces = emotion_faces(read_manifest(manifest), tmp_path)
    assert faces.images.shape == (21, 1, 48, 48)
    np.testing.assert_array_equal(faces.labels["emotion"], np.arange(21) // 3)
    assert faces.images[0, ..., :22].max() < 5 and faces.images[0, ..., 26:].min() > 235
    assert (faces.part("dev").images[2] == 70).all()
    people = people_faces(read_manifest(manifest), tmp_path)
    assert people.images.shape == (21, 3, 112, 112)
    np.testing.assert_array_equal(people.labels["age"], np.arange(21))
    assert people.labels["age"].dtype == np.float32


def test_surroundings_are_read_where_a_corpus_keeps_them(manifest, tmp_path):
    wide = np.full((WIDE_SIDE, WIDE_SIDE, 3), 250, np.uint8)
    cv2.imwrite(str(surroundings(tmp_path / "7.png")), wide)
    faces = wide_faces(read_manifest(manifest), tmp_path)
    assert faces.images.shape == (21, 3, WIDE_SIDE, WIDE_SIDE)
    assert (faces.images[7] == 250).all() and (faces.images[8] == 80).all()
    assert faces.part("dev").shares[2] == pytest.approx(1 / WIDE) and faces.shares[8] == 1


def test_kept_images_are_read_again_only_when_a_file_changes(manifest, tmp_path, monkeypatch):
    folder = tmp_path / "kept"
    before = emotion_faces(read_manifest(manifest), folder)
    with monkeypatch.context() as patch:
        patch.setattr(cv2, "imdecode", None)
        again = emotion_faces(read_manifest(manifest), folder)
    np.testing.assert_array_equal(again.images, before.images)
    cv2.imwrite(str(tmp_path / "3.png"), np.full((80, 80, 3), 200, np.uint8))
    assert (emotion_faces(read_manifest(manifest), folder).images[3] == 200).all()


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_a_file_that_is_no_image_is_named_with_its_row(manifest, tmp_path, content):
    (tmp_path / "4.png").write_bytes(content)
    with pytest.raises(ManifestError, match=r"row 6: face .*4.png is not an image"):
        emotion_faces(read_manifest(manifest), tmp_path)

"""The detection benchmark counts what is found, missed and made up, and says how long it took."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec

import pytest

from tests.face_crop.scenes import encode, person, wall

pytest.importorskip("flask", reason="requirements/bench.txt is not installed")
pytest.importorskip("torch", reason="requirements/export.txt is not installed")
if find_spec("facenet_pytorch") is None:
    pytest.skip("requirements/mtcnn.txt is not installed", allow_module_level=True)

from benchmarks import face_crop
from benchmarks.face_crop import Found, match


def face(*box: float) -> face_crop.mtcnn.Face:
    return face_crop.mtcnn.Face(box, 1.0)


def test_faces_are_counted_by_what_the_peer_saw():
    here, nearly, elsewhere = (0, 0, 10, 10), (0, 0, 10, 12), (50, 50, 60, 60)
    assert match([here], [face(*nearly), face(*elsewhere)]) == Found(1, 1, 1, 0)
    assert match([here, elsewhere], [face(*nearly)]) == Found(2, 1, 0, 0)
    assert match([here], []) == Found(1, 0, 0, 0)
    assert match([], [face(*here)]) == Found(0, 0, 0, 1)
    assert match([], []) == Found()


def test_the_benchmark_writes_each_clip_and_their_sum(tmp_path, monkeypatch, capsys):
    clip = tmp_path / "clip.mkv"
    clip.write_bytes(encode([person()] * 10 + [wall()] * 3))
    out = tmp_path / "out.json"
    monkeypatch.setattr(sys, "argv", ["face_crop", str(clip), str(clip), "--out", str(out)])
    assert face_crop.main() == 0
    first, _, both = json.loads(out.read_text())
    assert (first["frames"], both["frames"]) == (13, 26)
    assert (
        first["alone"] == first["following"] == {"faces": 10, "found": 10, "beside": 0, "false": 0}
    )
    assert both["recall"] == {"alone": 1.0, "following": 1.0}
    assert all(ratio > 1 for ratio in both["times_faster"].values())
    assert len(capsys.readouterr().out.splitlines()) == 4

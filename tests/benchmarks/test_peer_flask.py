"""The peer is a fair one: the same networks give the same emotion, crops apart."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.media import DEMO, demo_sentence
from clients import Media, Recogniser
from clients.contract import EMOTION_CODES

pytest.importorskip("flask", reason="requirements/bench.txt is not installed")
pytest.importorskip("torch", reason="requirements/export.txt is not installed")
if find_spec("facenet_pytorch") is None:
    pytest.skip("requirements/mtcnn.txt is not installed", allow_module_level=True)

from benchmarks.facenet import batched_nms
from benchmarks.peer_flask import running_peer
from benchmarks.peer_flask.multimodal import inputs
from benchmarks.peer_flask.preprocessing import seconds


def emotion(result: dict[str, float]) -> str:
    return max(EMOTION_CODES, key=result.__getitem__)


def test_the_peer_sees_hears_and_reads_the_same_emotion(triton):
    clip = DEMO / "clip.mp4"
    with running_peer() as peer:
        answer = peer.recognise(demo_sentence(), clip)
    with Recogniser(triton.grpc_url) as recogniser:
        served = recogniser.recognise(Media(text=demo_sentence(), video=clip))
    assert answer.keys() == served.result.keys()
    assert emotion(answer) == emotion(served.result)


def test_the_peer_looks_at_ten_frames_a_second():
    counts = [len(frames) for frames in seconds(DEMO / "clip.mp4")]
    assert counts == [10] * 6 + [8]


def test_a_modality_without_files_is_a_row_of_zeros_that_does_not_count(tmp_path):
    tensors = inputs(tmp_path)
    assert [tensors[f"{name}_COUNT"].item() for name in ("TEXT", "SPEECH", "VIDEO")] == [0, 0, 0]
    assert not tensors["VIDEO_FEATURES"].any()


def test_boxes_are_suppressed_within_their_own_group_alone():
    import torch

    boxes = torch.tensor([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10]], dtype=torch.float32)
    kept = batched_nms(boxes, torch.tensor([0.8, 0.9, 0.7]), torch.tensor([0, 0, 1]), 0.5)
    np.testing.assert_array_equal(kept.numpy(), [1, 2])

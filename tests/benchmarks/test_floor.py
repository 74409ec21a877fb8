"""The floor answers as the server does: it is the same work without a server."""

from __future__ import annotations

import pytest

from benchmarks.floor import Floor, Pipeline, Setting
from benchmarks.media import DEMO, clip_of, demo_sentence
from clients import Media, Recogniser


@pytest.mark.parametrize("side_by_side", [False, True])
def test_the_floor_gives_the_servers_answer(triton, side_by_side):
    clip = DEMO / "clip.mp4"
    with Recogniser(triton.grpc_url) as recogniser:
        served = recogniser.recognise(Media(text=demo_sentence(), video=clip))
    cost = Pipeline(Setting(1, side_by_side, intra_op=1)).recognise(demo_sentence(), clip)
    assert cost.result == pytest.approx(served.result, abs=1e-3)


def test_what_a_clip_costs_is_told_stage_by_stage(tmp_path):
    clip = clip_of(1, tmp_path)
    with Floor(Setting(1, side_by_side=False, intra_op=1)) as floor:
        cost = floor.recognise(demo_sentence(), clip)
    assert cost.cpu_seconds > 0
    assert {"face_crop", "vgg_face", "speech_cnn", "text_encoder", "fusion"} <= set(
        cost.stage_seconds
    )

"""A file replayed second by second against the real server."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from benchmarks.replay import chunks_of_film, replay, window_of
from clients import Recogniser
from clients.contract import EMOTION_CODES
from rtmp_bridge.settings import Buffering, StreamSettings
from tests.rtmp_bridge.conftest import run_of

DEMO = Path(__file__).parents[2] / "demo"
CLIP = StreamSettings("demo", str(DEMO / "clip.mp4"), buffering=Buffering.WAIT)


@pytest.mark.parametrize("seconds", [1, 3, 6, 7])
def test_second_by_second_ends_as_one_call_on_the_window(triton, seconds):
    chunks = chunks_of_film(CLIP)[:seconds]
    with Recogniser(triton.grpc_url) as recogniser:
        replayed = replay(recogniser, chunks, CLIP.past_seconds)
        window = window_of(chunks, CLIP.past_seconds)
        whole = recogniser.recognise(window, features=("video",))
    np.testing.assert_allclose(replayed.features["video"], whole.features["video"], atol=1e-3)
    assert replayed.top == whole.top
    for code in EMOTION_CODES:
        assert replayed.result[code] == pytest.approx(whole.result[code], abs=1e-3)


def test_the_demo_clip_is_recognised_second_by_second(triton, sentence):
    run = run_of(CLIP, triton.grpc_url)
    run.stream.say(sentence, 0.0, 7.0)
    asyncio.run(run.stream.run())
    assert run.stream.account.results == len(run.outcomes) == 7
    record = run.outcomes[-1].record()
    assert list(record["modalities"]) == ["text", "speech", "video"]
    assert record["stream_time"] == pytest.approx(6.8)
    assert all(report["error_code"] == 0 for report in record["modalities"].values())

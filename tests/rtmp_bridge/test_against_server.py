"""A file replayed second by second against the real server."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from clients import Media, Recogniser
from clients.contract import EMOTION_CODES
from rtmp_bridge.chunks import Chunk
from rtmp_bridge.context import RollingContext
from rtmp_bridge.ingest import Ingest
from rtmp_bridge.settings import Buffering, StreamSettings
from rtmp_bridge.sound import RATE, encode_wav
from tests.rtmp_bridge.conftest import run_of
from tests.rtmp_bridge.test_chunks import samples_of

DEMO = Path(__file__).parents[2] / "demo"
CLIP = StreamSettings("demo", str(DEMO / "clip.mp4"), buffering=Buffering.WAIT)


def chunks_of_clip() -> list[Chunk]:
    chunks: list[Chunk] = []
    Ingest(CLIP, 0, lambda: None, chunks.append).run()
    return chunks


@pytest.mark.parametrize("seconds", [1, 3, 6, 7])
def test_second_by_second_ends_as_one_call_on_the_window(triton, seconds):
    chunks = chunks_of_clip()[:seconds]
    context = RollingContext(CLIP.past_seconds)
    with Recogniser(triton.grpc_url) as recogniser:
        for chunk in chunks:
            media = Media(audio=chunk.sound, video=chunk.frames, fps=chunk.fps)
            past = context.before(chunk)
            replayed = recogniser.recognise(media, past=past, features=("video",), context=True)
            context.add(chunk, replayed.context)
        whole = recogniser.recognise(media_of_window(chunks), features=("video",))
    np.testing.assert_allclose(replayed.features["video"], whole.features["video"], atol=1e-3)
    assert replayed.emotion == whole.emotion
    for code in EMOTION_CODES:
        assert replayed.result[code] == pytest.approx(whole.result[code], abs=1e-3)


def media_of_window(chunks: list[Chunk]) -> Media:
    """Return the last six chunks as one recording, with the second of sound before them."""
    window = chunks[-6:]
    sounds = [samples_of(chunk) for chunk in window if chunk.sound is not None]
    sound = np.concatenate([sounds[0], *(samples[RATE:] for samples in sounds[1:])])
    frames = [frame for chunk in window for frame in chunk.frames]
    return Media(audio=encode_wav(sound), video=frames, fps=10.0)


def test_the_demo_clip_is_recognised_second_by_second(triton, sentence):
    run = run_of(CLIP, triton.grpc_url)
    run.stream.say(sentence, 0.0, 7.0)
    asyncio.run(run.stream.run())
    assert run.stream.account.results == len(run.outcomes) == 7
    record = run.outcomes[-1].record()
    assert list(record["modalities"]) == ["text", "speech", "video"]
    assert record["stream_time"] == pytest.approx(6.8)
    assert all(report["error_code"] == 0 for report in record["modalities"].values())

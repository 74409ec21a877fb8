"""The client library against the real server."""

import asyncio
import json
from pathlib import Path

import av
import numpy as np
import pytest

from clients import (
    AsyncRecogniser,
    Connection,
    InputRefusedError,
    Media,
    Recogniser,
)
from clients.contract import EMOTION_CODES, LIMITS, MODALITIES
from clients.recognition_client import main
from tests.clients.media_files import wav

DEMO = Path(__file__).parents[2] / "demo"
EVERYTHING = Media(
    text=(DEMO / "sentence.txt").read_text(encoding="utf-8").strip(), video=DEMO / "clip.mp4"
)


@pytest.fixture(scope="module")
def recogniser(triton):
    with Recogniser(Connection(triton.grpc_url)) as client:
        yield client


def test_the_demo_clip_is_recognised_from_all_three_modalities(recogniser):
    answer = recogniser.recognise(EVERYTHING)
    assert tuple(answer.modalities) == MODALITIES
    assert answer.failures == {}
    assert sum(answer.result[code] for code in EMOTION_CODES) == pytest.approx(1, abs=1e-3)
    assert sum(answer.weights.values()) == pytest.approx(1, abs=1e-3)


def test_both_clients_get_the_same_answer(triton, recogniser):
    async def recognise():
        async with AsyncRecogniser(Connection(triton.grpc_url)) as client:
            return await client.recognise(EVERYTHING)

    assert asyncio.run(recognise()).document == recogniser.recognise(EVERYTHING).document


def test_features_and_context_have_a_row_each_for_the_same_crops_and_windows(recogniser):
    answer = recogniser.recognise(EVERYTHING, features=MODALITIES, context=True)
    assert answer.features["text"].shape == (1, 512)
    for name, context in (("speech", answer.context.speech), ("video", answer.context.video)):
        features = answer.features[name]
        np.testing.assert_array_equal(context[:, : features.shape[1]], features)


def test_rows_handed_back_stand_for_the_media_they_came_from(recogniser):
    whole = recogniser.recognise(EVERYTHING, context=True)
    again = recogniser.recognise(Media(text=EVERYTHING.text), past=whole.context)
    for code in EMOTION_CODES:
        assert again.result[code] == pytest.approx(whole.result[code], abs=1e-3)


def test_a_recording_of_minutes_is_heard_to_its_end(recogniser):
    spoken = _sound_of_clip()
    repeats = -(-round(2.2 * LIMITS.seconds) // (len(spoken) // 16_000))
    recording = wav(np.tile(spoken, (repeats, 1)), 16_000)
    answer = recogniser.recognise(Media(audio=recording), features=("speech",), context=True)
    seconds = len(spoken) * repeats // 16_000
    assert answer.failures == {}
    assert len(answer.context.speech) == pytest.approx(seconds - 1, abs=1)
    assert len(answer.features["speech"]) > LIMITS.windows


def test_faces_are_those_of_the_result(recogniser):
    faces = recogniser.faces(EVERYTHING)
    told = recogniser.recognise(EVERYTHING).modalities["video"]["faces"]
    np.testing.assert_allclose(faces.times, [face["time"] for face in told], atol=1e-3)
    np.testing.assert_allclose(faces.boxes, [face["box"] for face in told], atol=0.1)


def test_what_nobody_can_use_is_refused_with_a_sentence(recogniser):
    with pytest.raises(InputRefusedError, match="no modality can be used"):
        recogniser.recognise(Media(audio=b"no sound", video=b"no film"))


def test_a_broken_film_costs_only_its_own_modality(recogniser):
    answer = recogniser.recognise(Media(text=EVERYTHING.text, video=b"no film"))
    assert "video" in answer.failures
    assert "text" not in answer.failures


def test_the_command_prints_saves_and_draws(triton, tmp_path, capsys):
    media = ["--input_text", EVERYTHING.text, "--input_video", str(EVERYTHING.video)]
    wanted = ["--save-features", str(tmp_path), "--draw", str(tmp_path / "answer.png")]
    assert main(["--url", triton.grpc_url, *media, *wanted, "--full", "--strict"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    shapes = json.loads(line)["features"]
    for name in MODALITIES:
        assert list(np.load(tmp_path / f"{name}_feature.npy").shape) == shapes[name]
    assert (tmp_path / "answer.png").is_file()


def _sound_of_clip() -> np.ndarray:
    """Return the demo clip's sound, int16 [samples, 1] at 16 kHz."""
    resampler = av.AudioResampler("s16", "mono", 16_000)
    with av.open(str(EVERYTHING.video)) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray().reshape(-1, 1) for frame in frames])

"""The client library against the real server."""

import asyncio
import json
from pathlib import Path

import av
import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient

from clients import (
    AccessDeniedError,
    AsyncRecogniser,
    Connection,
    InputRefusedError,
    Media,
    Recogniser,
    SharedMemoryRefusedError,
)
from clients.contract import EMOTION_CODES, LIMITS, MODALITIES, SpeechStatus
from clients.recogniser import ADMIN_KEY_HEADER
from clients.recognition_client import main
from clients.shared_memory import Region
from tests.clients.media_files import wav

DEMO = Path(__file__).parents[2] / "demo"
EVERYTHING = Media(
    text=(DEMO / "sentence.txt").read_text(encoding="utf-8").strip(), video=DEMO / "clip.mp4"
)
SPOKEN = Media(text=EVERYTHING.text)


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


def test_media_in_shared_memory_give_the_same_answer_and_leave_nothing(triton):
    connection = Connection(triton.grpc_url, shared_memory=True, admin_key=triton.admin_key)
    before = shared_memory_files()
    with Recogniser(connection) as shared, Recogniser(triton.grpc_url) as plain:
        assert shared.recognise(EVERYTHING).document == plain.recognise(EVERYTHING).document
    assert registered_regions(triton) == []
    assert shared_memory_files() == before


def test_both_clients_can_share_memory(triton):
    connection = Connection(triton.grpc_url, shared_memory=True, admin_key=triton.admin_key)

    async def recognise():
        async with AsyncRecogniser(connection) as client:
            return await asyncio.gather(*(client.recognise(SPOKEN) for _ in range(4)))

    assert len({str(answer.document) for answer in asyncio.run(recognise())}) == 1


def test_memory_of_a_request_that_was_given_up_is_forgotten_with_the_next(triton):

    async def give_up_and_ask_again():
        connection = Connection(triton.grpc_url, shared_memory=True, admin_key=triton.admin_key)
        async with AsyncRecogniser(connection) as client:
            given_up = asyncio.create_task(client.recognise(EVERYTHING))
            while not await asyncio.to_thread(registered_regions, triton):
                assert not given_up.done()
            given_up.cancel()
            await asyncio.wait([given_up])
            while await asyncio.to_thread(registered_regions, triton):
                await client.recognise(SPOKEN)

    asyncio.run(asyncio.wait_for(give_up_and_ask_again(), 60))


def test_shared_memory_without_the_key_is_denied(triton):
    with (
        Recogniser(Connection(triton.grpc_url, shared_memory=True)) as client,
        pytest.raises(AccessDeniedError, match="restricted"),
    ):
        client.recognise(SPOKEN)


def test_memory_that_the_server_cannot_open_is_named_with_what_it_needs(triton, monkeypatch):
    def elsewhere(region):
        return {"name": region.name, "key": "/of-another-machine", "byte_size": 1}

    monkeypatch.setattr(Region, "registration", elsewhere)
    connection = Connection(triton.grpc_url, shared_memory=True, admin_key=triton.admin_key)
    with (
        Recogniser(connection) as client,
        pytest.raises(SharedMemoryRefusedError, match=r"Unable to open.*--allow-client-shm=true"),
    ):
        client.recognise(SPOKEN)


def test_the_command_shares_memory(triton, capsys):
    options = ["--shared-memory", "--admin-key-file", str(triton.admin_key_file)]
    assert main(["--url", triton.grpc_url, "--input_text", EVERYTHING.text, *options]) == 0
    assert json.loads(capsys.readouterr().out)


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


def test_a_film_is_recognised_second_by_second(recogniser):
    moments = list(recogniser.recognise_each(EVERYTHING))
    assert [moment.end for moment in moments] == pytest.approx([1, 2, 3, 4, 5, 6, 6.8], abs=0.05)
    assert moments[-1].progress == pytest.approx(1, abs=0.01)
    last, whole = moments[-1].recognition, recogniser.recognise(EVERYTHING)
    assert tuple(last.modalities) == MODALITIES
    assert (last.top, last.failures) == (whole.top, {})


def test_the_windows_of_all_seconds_say_what_the_whole_recording_says(recogniser):
    sound = Media(audio=wav(_sound_of_clip(), 16_000))
    whole = recogniser.recognise(sound)["speech"]
    *_, last = recogniser.recognise_each(sound, window=60)
    speech = last.recognition["speech"]
    assert speech.report["count"] == whole.report["count"]
    assert speech.emotion == pytest.approx(whole.emotion, abs=2e-3)


def test_pictures_and_samples_of_a_program_are_recognised(recogniser):
    with av.open(str(EVERYTHING.video)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    media = Media(audio=(_sound_of_clip()[:, 0], 16_000), video=np.stack(pictures[::5]), fps=5)
    answer = recogniser.recognise(media)
    assert answer.failures == {}
    assert answer.top == recogniser.recognise(Media(video=EVERYTHING.video)).top


def test_a_refused_minute_says_its_codes(recogniser):
    silence = np.zeros((round(1.5 * LIMITS.seconds) * 16_000, 1), np.int16)
    spoken = _sound_of_clip()
    recording = Media(audio=wav(np.concatenate([silence, spoken]), 16_000))
    speech = recogniser.recognise(recording)["speech"]
    assert (speech.error_code, speech.report["left_out"][0]["begin"]) == (0, 0)
    assert speech.report["worst"]["error_code"] in (SpeechStatus.SILENT, SpeechStatus.NO_VOICE)
    assert len(speech.report["second_error_codes"]) == pytest.approx(97, abs=1)


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


def registered_regions(triton) -> list[str]:
    """Name the shared memory that the server knows."""
    key = {ADMIN_KEY_HEADER: triton.admin_key}
    with InferenceServerClient(triton.grpc_url) as client:
        status = client.get_system_shared_memory_status(headers=key)
    return list(status.regions)


def shared_memory_files() -> set[str]:
    """Name what Python processes hold in shared memory."""
    return {file.name for file in Path("/dev/shm").glob("psm_*")}


def _sound_of_clip() -> np.ndarray:
    """Return the demo clip's sound, int16 [samples, 1] at 16 kHz."""
    resampler = av.AudioResampler("s16", "mono", 16_000)
    with av.open(str(EVERYTHING.video)) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray().reshape(-1, 1) for frame in frames])

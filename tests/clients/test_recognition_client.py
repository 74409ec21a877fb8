import json
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from clients.recognition_client import main
from tests.clients.fake_triton import DOCUMENT, RESULT, TENSORS, refuse

CLIP = Path(__file__).parents[2] / "demo/clip.mp4"


@pytest.fixture
def run(fake, capsys):
    """Run the command against the scripted server; return its exit code and lines of stdout."""

    def run(*arguments):
        code = main(["--url", fake.grpc, *map(str, arguments)])
        return code, capsys.readouterr().out.splitlines()

    return run


def test_the_flat_dictionary_is_one_line(run):
    code, lines = run("--input_text", "안녕")
    assert code == 0
    assert [json.loads(line) for line in lines] == [RESULT]


def test_all_three_media_travel(run, fake):
    run("--input_text", "안녕", "--input_video", CLIP, "--input_speech", CLIP)
    sent = fake.sent(0)
    assert set(sent) == {"TEXT", "VIDEO", "AUDIO"}
    assert sent["VIDEO"].tobytes() == CLIP.read_bytes()


def test_a_folder_of_frames_travels_with_its_rate(run, fake, tmp_path):
    for index in range(3):
        (tmp_path / f"{index}.jpg").write_bytes(b"x")
    run("--input_video", tmp_path, "--fps", "5")
    assert fake.sent(0)["FPS"].tolist() == [5]


def test_full_adds_the_shapes_of_the_features(run):
    _, (line,) = run("--input_text", "안녕", "--full")
    shapes = {"text": [1, 512], "speech": [3, 768], "video": [3, 4096]}
    assert json.loads(line) == DOCUMENT | {"features": shapes}


def test_features_are_saved_by_modality(run, tmp_path):
    run("--input_text", "안녕", "--save-features", tmp_path / "new")
    for name in ("text", "speech", "video"):
        saved = np.load(tmp_path / "new" / f"{name}_feature.npy")
        np.testing.assert_array_equal(saved, TENSORS[f"{name.upper()}_FEATURES"])


def test_an_answer_with_faces_is_drawn(run, fake, tmp_path):
    code, _ = run("--input_video", CLIP, "--draw", tmp_path / "answer.png")
    assert code == 0
    assert [request.model_name for request in fake.requests] == ["recognize", "face_crop"]
    with Image.open(tmp_path / "answer.png") as picture:
        box_corner = (255, 176, 0)
        assert box_corner in picture.convert("RGB").get_flattened_data()


def test_an_answer_without_video_is_drawn_without_asking_for_faces(run, fake, tmp_path):
    run("--input_text", "안녕", "--draw", tmp_path / "answer.png")
    assert len(fake.requests) == 1
    assert (tmp_path / "answer.png").is_file()


def test_no_faces_are_fetched_unless_drawn(run, fake):
    run("--input_video", CLIP, "--full")
    assert len(fake.requests) == 1


def test_the_token_is_read_from_its_file(run, fake, tmp_path):
    (tmp_path / "token").write_text("secret\n")
    run("--input_text", "안녕", "--token-file", tmp_path / "token")
    assert fake.metadata[0]["authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--input_text", "안녕", "--fps", "0"],
        ["--input_text", "안녕", "--timeout", "soon"],
        ["--input_text", "안녕", "--client-key", "key.pem"],
    ],
)
def test_wrong_usage_exits_with_2(run, arguments):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize("flag", ["--input_video", "--input_speech", "--token-file", "--ca-cert"])
def test_an_unreadable_file_exits_with_2_and_is_named(run, flag, caplog):
    code, lines = run("--input_text", "안녕", flag, "nowhere.bin")
    assert (code, lines) == (2, [])
    assert "nowhere.bin" in caplog.text


def test_nobody_at_the_address_exits_with_3(capsys):
    arguments = ["--url", "127.0.0.1:1", "--timeout", "0.2", "--input_text", "안녕"]
    assert main(arguments) == 3
    assert capsys.readouterr().out == ""


def test_refused_input_exits_with_4_and_says_why(run, fake, caplog):
    fake.script = [refuse(grpc.StatusCode.INVALID_ARGUMENT, "AUDIO is silent")]
    assert run("--input_text", "안녕") == (4, [])
    assert "AUDIO is silent" in caplog.text


def test_a_failing_server_exits_with_1(run, fake):
    fake.script = [refuse(grpc.StatusCode.INTERNAL, "broken")]
    assert run("--input_text", "안녕") == (1, [])


@pytest.mark.parametrize(("flags", "expected"), [([], 0), (["--strict"], 5)])
def test_a_failed_modality_is_told_and_counts_only_when_strict(run, fake, caplog, flags, expected):
    blurred = {"error_code": 2, "message": "too dark", "message_ko": "", "count": 0}
    fake.document = DOCUMENT | {"modalities": DOCUMENT["modalities"] | {"video": blurred}}
    code, lines = run("--input_text", "안녕", *flags)
    assert code == expected
    assert len(lines) == 1
    assert "video: error_code 2: too dark" in caplog.text


def test_help_lists_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "exit codes:" in capsys.readouterr().out

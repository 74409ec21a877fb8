import io
import json
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from clients.contract import EMOTIONS
from clients.recognition_client import main
from tests.clients.fake_triton import DOCUMENT, RESULT, TENSORS, refuse
from tests.clients.media_files import film, noise, wav

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
        ["a.mp4", "--input_video", "b.mp4"],
        ["a.mp4", "--input_text", "안녕", "--input_text", "하나"],
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


def lines_of(lines):
    return [json.loads(line) for line in lines]


@pytest.fixture
def folder(tmp_path):
    """A folder with a film, a sound, frames of another film, and what is no recording."""
    folder = tmp_path / "recordings"
    (folder / "frames").mkdir(parents=True)
    (folder / "frames/1.jpg").write_bytes(b"x")
    (folder / "2.mp4").write_bytes(film(2))
    (folder / "10.wav").write_bytes(wav(noise(2)))
    (folder / "notes.txt").write_text("no recording")
    (folder / ".hidden").write_text("nothing")
    return folder


def test_each_recording_of_files_and_folders_has_its_line_with_its_name(run, fake, folder, caplog):
    code, lines = run(CLIP, folder)
    assert code == 0
    expected = [CLIP, folder / "frames", folder / "2.mp4", folder / "10.wav"]
    assert [line.pop("name") for line in lines_of(lines)] == [str(path) for path in expected]
    assert lines_of(lines)[0] | {"name": ""} == RESULT | {"name": ""}
    sent = [set(fake.sent(index)) for index in range(4)]
    assert sent == [{"VIDEO"}, {"FRAMES", "FPS"}, {"VIDEO"}, {"AUDIO"}]
    assert "notes.txt is no recording: left out" in caplog.text
    assert ".hidden" not in caplog.text


def test_a_folder_of_frames_and_an_image_are_recordings(run, fake, folder):
    (folder / "frames/one.png").write_bytes(b"y")
    assert run(folder / "frames", folder / "frames/one.png")[0] == 0
    assert fake.requests[0].inputs[0].shape == [2]
    assert b"y" in fake.sent(1)["FRAMES"].tobytes()


def gif(pictures=1):
    target = io.BytesIO()
    first, *others = [Image.new("RGB", (16, 16), (40 * index, 0, 0)) for index in range(pictures)]
    first.save(target, "GIF", save_all=True, append_images=others)
    return target.getvalue()


def test_an_image_among_films_and_sounds_does_not_hide_them(run, fake, folder, caplog):
    (folder / "cover.jpg").write_bytes(b"x")
    code, lines = run(folder)
    names = [Path(line["name"]).name for line in lines_of(lines)]
    assert (code, names) == (0, ["frames", "2.mp4", "10.wav"])
    assert "images beside films or sounds are left out, 1 from cover.jpg on" in caplog.text


def test_images_of_every_format_are_the_frames_of_a_folder(run, fake, tmp_path):
    endings = ("avif", "bmp", "gif", "heic", "heif", "jpeg", "JPG", "png", "tif", "tiff", "webp")
    for ending in endings:
        (tmp_path / f"a.{ending}").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("no film")
    assert run(tmp_path)[0] == 0
    assert fake.requests[0].inputs[0].shape == [len(endings)]


def test_an_animation_is_a_film_and_a_still_of_its_format_an_image(run, fake, tmp_path):
    (tmp_path / "still.gif").write_bytes(gif())
    (tmp_path / "moving.gif").write_bytes(gif(3))
    run(tmp_path / "still.gif", tmp_path / "moving.gif")
    assert [set(fake.sent(index)) for index in range(2)] == [{"FRAMES", "FPS"}, {"VIDEO"}]


def test_folders_in_folders_are_looked_at_but_links_back_are_not(run, folder, tmp_path):
    (folder / "frames/again").symlink_to(tmp_path)
    code, lines = run(tmp_path)
    names = [Path(line["name"]).name for line in lines_of(lines)]
    assert (code, names) == (0, ["frames", "2.mp4", "10.wav"])


@pytest.mark.parametrize("missing", ["nowhere.mp4", "nowhere.jpg", "empty"])
def test_what_cannot_be_read_has_its_line_and_the_others_are_answered(
    run, folder, tmp_path, missing
):
    (tmp_path / "empty").mkdir()
    code, lines = run(tmp_path / missing, folder / "2.mp4", "--draw", tmp_path / "a.png")
    failed, answered = lines_of(lines)
    assert code == 2
    assert set(failed) == {"name", "error"}
    assert failed["name"] == str(tmp_path / missing)
    assert missing in failed["error"]
    assert answered["10001"] == RESULT["10001"]


def test_one_sentence_goes_with_each_recording(run, fake, folder):
    run(folder / "2.mp4", folder / "10.wav", "--input_text", "안녕")
    assert ["TEXT" in fake.sent(index) for index in range(2)] == [True, True]


def test_flags_that_come_again_are_the_next_recording(run, fake):
    videos = ["--input_video", CLIP, "--input_video", CLIP]
    code, lines = run(*videos, "--input_text", "하나", "--input_text", "둘")
    assert (code, len(lines)) == (0, 2)
    texts = [fake.sent(index)["TEXT"].tobytes()[4:].decode() for index in range(2)]
    assert texts == ["하나", "둘"]


def test_flags_that_came_differently_often_are_named(run, caplog):
    videos = ["--input_video", CLIP] * 3
    assert run(*videos, "--input_text", "하나", "--input_text", "둘") == (2, [])
    assert "--input_text: expected once or as often as the others" in caplog.text


def test_a_recording_that_fails_costs_only_its_own_line(run, fake, folder):
    fake.script = [refuse(grpc.StatusCode.INVALID_ARGUMENT, "nothing there")]
    code, lines = run(folder / "2.mp4", folder / "10.wav")
    assert code == 4
    failed, answered = lines_of(lines)
    assert failed == {"name": str(folder / "2.mp4"), "error": failed["error"]}
    assert "nothing there" in failed["error"]
    assert answered["10001"] == RESULT["10001"]


def test_no_recording_is_asked_about_when_nobody_answers(run, fake, folder):
    fake.script = [refuse(grpc.StatusCode.UNAUTHENTICATED, "who")] * 9
    assert run(folder) == (1, [])
    assert len(fake.requests) == 1


def test_names_take_the_place_of_codes(run):
    _, lines = run("--input_text", "안녕", "--labels")
    named = {**dict.fromkeys(EMOTIONS, 0.05), "happiness": 0.7}
    assert lines_of(lines) == [named | {"age": 31.5, "male": 0.25, "female": 0.75}]


def test_the_whole_result_has_names_too(run):
    _, lines = run("--input_text", "안녕", "--full", "--labels")
    (document,) = lines_of(lines)
    assert document["modalities"]["video"]["result"]["happiness"] == 0.7
    assert not any(code in json.dumps(document) for code in ("10001", "20000", "30001"))


def test_a_timeline_has_a_row_a_second(run, fake, tmp_path):
    (tmp_path / "film.mp4").write_bytes(film(5))
    code, lines = run(tmp_path / "film.mp4", "--timeline", tmp_path / "out.csv")
    assert (code, lines_of(lines)) == (0, [{"name": str(tmp_path / "film.mp4")} | RESULT])
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 6
    assert len(fake.requests) == 6


def test_files_of_several_recordings_carry_their_names(run, folder, tmp_path):
    out = tmp_path / "out"
    copies = [folder / "2.mp4", CLIP, CLIP]
    wanted = ["--timeline", out / "t.vtt", "--draw", out / "d.png", "--save-features", out / "f"]
    assert run(*copies, *wanted)[0] == 0
    for name in ("2", "clip", "clip-2"):
        assert (out / f"t-{name}.vtt").is_file()
        assert (out / f"d-{name}.png").is_file()
        assert (out / f"f/{name}/video_feature.npy").is_file()


def test_a_timeline_of_an_unknown_kind_is_refused_before_anything_is_asked(run, fake, caplog):
    assert run("--input_text", "안녕", "--timeline", "out.doc") == (2, [])
    assert "expected a file that ends in .csv" in caplog.text
    assert fake.requests == []


def test_others_are_drawn_in_another_colour(run, fake, tmp_path):
    box = {"time": 0.1, "box": [10, 20, 60, 90]}
    beside = {"time": 0.1, "box": [310, 20, 360, 90]}
    people = [{"id": 0, "main": True, "boxes": [box]}, {"id": 1, "main": False, "boxes": [beside]}]
    video = DOCUMENT["modalities"]["video"] | {"people": people}
    fake.document = DOCUMENT | {"modalities": DOCUMENT["modalities"] | {"video": video}}
    run("--input_video", CLIP, "--draw", tmp_path / "answer.png")
    with Image.open(tmp_path / "answer.png") as picture:
        colours = np.asarray(picture.convert("RGB"), int).reshape(-1, 3)
    for box_colour in ((255, 176, 0), (138, 92, 214)):
        assert np.abs(colours - box_colour).sum(axis=1).min() < 60


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_shows_on_a_terminal_only(fake, folder, monkeypatch, terminal):
    shown = io.StringIO()
    shown.isatty = lambda: terminal
    monkeypatch.setattr("sys.stderr", shown)
    main(["--url", fake.grpc, str(folder / "2.mp4"), str(folder / "10.wav")])
    assert ("recording" in shown.getvalue()) is terminal


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "localhost"])
def test_an_address_that_is_none_exits_with_2_and_is_explained(url, caplog):
    assert main(["--url", url, "--input_text", "안녕"]) == 2
    assert "expected host:port of the gRPC endpoint" in caplog.text

"""The evaluation's command line, against a scripted server and against the real one."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections import Counter
from pathlib import Path

import av
import cv2
import grpc
import numpy as np
import pytest
from PIL import Image

from clients import Media, Recogniser, chunks, recogniser
from clients.contract import AGE_CODE, EMOTIONS, OLD_VIDEO_ROW, SPEECH_FEATURE, VIDEO_FEATURE
from clients.evaluate import main
from clients.evaluation import pictures
from clients.evaluation.asking import read_crop
from clients.evaluation.manifest import COLUMNS
from tests.clients.fake_triton import DOCUMENT, TENSORS, refuse
from tests.clients.media_files import wav

DEMO = Path(__file__).parents[2] / "demo"


@pytest.fixture
def write(tmp_path):
    """Write a manifest; return its path."""

    def write(*rows, columns=COLUMNS):
        with (tmp_path / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)
        return tmp_path / "manifest.csv"

    return write


@pytest.fixture
def run(fake, tmp_path):
    """Run the command against the scripted server, one request at a time; return its exit code."""

    def run(manifest, *arguments):
        out = ("--out", str(tmp_path / "out"), "--concurrency", "1", "--timeout", "1")
        return main([str(manifest), "--url", fake.grpc, *out, *map(str, arguments)])

    return run


@pytest.fixture
def without_pictures(monkeypatch):
    """Save the seconds that drawing takes where pictures are not the point."""
    monkeypatch.setattr(pictures, "save_pictures", lambda pairs, folder: [])


@pytest.fixture
def report(tmp_path):
    """Return the report that the last run wrote."""
    return lambda: json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))


def sentences(count):
    return [{"text": f"sentence {index}", "emotion": "anger"} for index in range(count)]


def asked_sentences(fake):
    return Counter(fake.sent(index)["TEXT"].tobytes()[4:] for index in range(len(fake.requests)))


def measurement(report, source, target):
    (found,) = [
        one
        for one in report["measurements"]
        if (one["group"], one["source"], one["target"]) == ("all", source, target)
    ]
    return found


def test_each_row_is_asked_and_the_results_are_written(run, write, report, fake, tmp_path, capsys):
    assert run(write(*sentences(3))) == 0
    assert set(asked_sentences(fake).values()) == {1}
    assert report()["rows"] == {"selected": 3, "answered": 3, "failed": 0}
    # The scripted answer is happiness by 0.7.
    fused = measurement(report(), "fused", "emotion")
    assert fused["n"] == 3
    assert fused["figures"]["accuracy"]["value"] == 0
    assert fused["figures"]["calibration error"]["value"] == pytest.approx(0.7)
    assert capsys.readouterr().out == (tmp_path / "out/report.txt").read_text(encoding="utf-8")
    for name in ("emotion_confusion", "emotion_reliability"):
        with Image.open(tmp_path / f"out/{name}.png") as picture:
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 10
    assert not (tmp_path / "out/age.png").exists()


@pytest.mark.usefixtures("without_pictures")
def test_an_interrupted_run_goes_on_and_asks_nothing_twice(run, write, report, fake, tmp_path):
    manifest = write(*sentences(6))
    kept = [lambda request, context: None] * 3
    fake.script = kept + [refuse(grpc.StatusCode.UNAVAILABLE, "gone")] * 100
    assert run(manifest) == 3
    assert not (tmp_path / "out/report.json").exists()
    fake.script = []
    fake.requests.clear()
    assert run(manifest, "--resume") == 0
    assert asked_sentences(fake) == Counter(f"sentence {index}".encode() for index in (3, 4, 5))
    resumed = report()
    assert run(manifest, "--resume") == 0
    assert len(fake.requests) == 3
    assert main([str(manifest), "--url", fake.grpc, "--out", str(tmp_path / "whole")]) == 0
    whole = json.loads((tmp_path / "whole/report.json").read_text(encoding="utf-8"))
    assert resumed == whole


@pytest.mark.usefixtures("without_pictures")
def test_a_line_cut_short_by_a_crash_is_asked_again(run, write, report, fake, tmp_path):
    manifest = write(*sentences(3))
    run(manifest)
    journal = tmp_path / "out/journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    fake.requests.clear()
    assert run(manifest, "--resume") == 0
    assert len(fake.requests) == 1
    assert report()["rows"]["answered"] == 3
    run(manifest, "--resume")
    assert len(fake.requests) == 1


@pytest.mark.usefixtures("without_pictures")
def test_a_refused_row_is_recorded_counted_and_not_asked_again(run, write, report, fake, tmp_path):
    manifest = write(*sentences(3))
    fake.script = [refuse(grpc.StatusCode.INVALID_ARGUMENT, "TEXT is empty")]
    assert run(manifest, "--strict") == 5
    assert report()["rows"] == {"selected": 3, "answered": 2, "failed": 1}
    reasons = {"input refused": 1}
    assert report()["sources"]["text"] == {"answered": 2, "failed": 1, "reasons": reasons}
    figures = measurement(report(), "text", "emotion")["figures"]
    assert figures["refused"]["value"] == pytest.approx(1 / 3)
    (failure,) = report()["failures"]
    assert failure["row"] == 2
    assert "TEXT is empty" in failure["errors"]["text"]
    assert run(manifest, "--resume") == 0
    assert len(fake.requests) == 3


@pytest.mark.usefixtures("without_pictures")
def test_a_row_that_the_server_failed_on_is_counted_and_asked_again(run, write, report, fake):
    manifest = write(*sentences(2))
    fake.script = [refuse(grpc.StatusCode.INTERNAL, "broken")]
    assert run(manifest) == 0
    assert report()["rows"]["failed"] == 1
    assert run(manifest, "--resume") == 0
    assert report()["rows"] == {"selected": 2, "answered": 2, "failed": 0}


@pytest.mark.usefixtures("without_pictures")
def test_a_row_that_nobody_expected_to_fail_is_counted_and_the_run_goes_on(
    run, write, report, monkeypatch
):
    def cut(media):
        if media.text == "sentence 1":
            raise ZeroDivisionError("in the media")
        return chunks.cut(media)

    monkeypatch.setattr(recogniser, "cut", cut)
    assert run(write(*sentences(3)), "--strict") == 5
    assert report()["rows"] == {"selected": 3, "answered": 2, "failed": 1}
    (failure,) = report()["failures"]
    assert failure["errors"]["text"] == "ZeroDivisionError: in the media"


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize(
    "error", [MemoryError("full"), RecursionError("deep"), SystemExit(3), LookupError("\udc80")]
)
def test_a_row_is_counted_whatever_it_raises(run, write, report, monkeypatch, tmp_path, error):
    def fail(path):
        raise error

    (tmp_path / "face.png").write_bytes(b"x")
    monkeypatch.setattr("clients.evaluation.asking.read_crop", fail)
    rows = [{"face": "face.png"}, *sentences(2)]
    assert run(write(*rows)) == 0
    assert report()["rows"] == {"selected": 3, "answered": 2, "failed": 1}
    (failure,) = report()["failures"]
    assert failure["errors"]["face"].startswith(type(error).__name__)


@pytest.mark.usefixtures("without_pictures")
def test_a_row_with_an_answer_that_makes_no_sense_is_counted(
    run, write, report, monkeypatch, tmp_path
):
    Image.new("L", (48, 48), 90).save(tmp_path / "face.png")
    narrow = np.zeros((1, 1), np.float32)
    monkeypatch.setitem(TENSORS, "GENDER", narrow)
    assert run(write({"face": "face.png"}, *sentences(1))) == 0
    assert report()["rows"]["failed"] == 1


def test_an_interrupted_run_ends(run, write, monkeypatch):
    def interrupt(media):
        raise KeyboardInterrupt

    monkeypatch.setattr(recogniser, "cut", interrupt)
    assert run(write(*sentences(3))) == 130


@pytest.mark.usefixtures("without_pictures")
def test_rows_with_several_people_are_counted(run, write, report, fake, capsys):
    people = [{"id": 0, "main": True}, {"id": 1, "main": False}]
    video = DOCUMENT["modalities"]["video"] | {"people": people}
    crowded = DOCUMENT | {"modalities": DOCUMENT["modalities"] | {"video": video}}
    fake.script = [lambda request, context: setattr(fake, "document", crowded)]
    fake.script += [lambda request, context: setattr(fake, "document", DOCUMENT)]
    assert run(write(*sentences(2))) == 0
    assert report()["several_people"] == 1
    assert "1 rows with more than one person" in capsys.readouterr().out


def test_no_answer_at_all_exits_with_4(run, write, fake, caplog):
    fake.script = [refuse(grpc.StatusCode.INVALID_ARGUMENT, "TEXT is empty")]
    assert run(write(*sentences(1))) == 4
    assert "TEXT is empty" in caplog.text


def test_no_access_exits_with_1(run, write, fake, caplog):
    fake.script = [refuse(grpc.StatusCode.UNAUTHENTICATED, "who are you")]
    assert run(write(*sentences(2))) == 1
    assert len(fake.requests) == 1
    assert "who are you" in caplog.text


def test_nobody_at_the_address_exits_with_3_and_names_it(write, tmp_path, caplog):
    arguments = ["--url", "127.0.0.1:1", "--timeout", "0.2", "--out", str(tmp_path / "out")]
    assert main([str(write(*sentences(2))), *arguments]) == 3
    assert "127.0.0.1:1" in caplog.text


@pytest.mark.usefixtures("without_pictures")
def test_equal_media_are_asked_once_and_count_as_often_as_they_occur(run, write, report, fake):
    assert run(write(*sentences(1), *sentences(1))) == 0
    assert len(fake.requests) == 1
    assert measurement(report(), "fused", "emotion")["n"] == 2


@pytest.mark.usefixtures("without_pictures")
def test_another_run_is_not_overwritten_and_not_mixed_up(run, write, tmp_path, caplog):
    manifest = write(*sentences(1))
    run(manifest)
    assert run(manifest) == 2
    assert "--resume" in caplog.text
    other = manifest.rename(tmp_path / "other.csv")
    assert run(other, "--resume") == 2
    assert "manifest.csv" in caplog.text


@pytest.mark.usefixtures("without_pictures")
def test_another_run_is_compared_row_by_row(run, write, report, tmp_path, fake, capsys):
    manifest = write(*sentences(3), {"text": "unlabelled"})
    assert run(manifest) == 0
    (tmp_path / "out").rename(tmp_path / "before")
    # The scripted answer is happiness, which is wrong; now the first is refused.
    fake.script = [refuse(grpc.StatusCode.INVALID_ARGUMENT, "TEXT is empty")]
    assert run(manifest, "--compare", tmp_path / "before") == 0
    assert report()["compared rows"] == 4
    (change,) = [
        one for one in report()["changes"] if (one["group"], one["source"]) == ("all", "fused")
    ]
    assert (change["n"], change["mended"], change["spoilt"]) == (2, 0, 0)
    assert change["change"]["refused"]["value"] == pytest.approx(1 / 3)
    assert f"change since {tmp_path / 'before'}" in capsys.readouterr().out


@pytest.mark.usefixtures("without_pictures")
def test_a_run_is_not_compared_with_another_manifests_or_with_nothing(
    run, write, tmp_path, fake, caplog
):
    manifest = write(*sentences(1))
    assert run(manifest, "--compare", tmp_path / "nowhere") == 2
    assert "nowhere/journal.jsonl" in caplog.text
    assert run(manifest) == 0
    (tmp_path / "out").rename(tmp_path / "before")
    other = manifest.rename(tmp_path / "other.csv")
    fake.requests.clear()
    assert run(other, "--compare", tmp_path / "before") == 2
    assert f"expected {other}" in caplog.text
    assert fake.requests == []


@pytest.mark.usefixtures("without_pictures")
def test_any_column_makes_groups(run, write, report, caplog):
    rows = [one | {"microphone": f"m{index % 2}"} for index, one in enumerate(sentences(4))]
    manifest = write(*rows, columns=[*COLUMNS, "microphone"])
    assert run(manifest, "--group-by", "microphone", "split") == 0
    sizes = {one["group"]: one["n"] for one in report()["measurements"] if one["source"] == "text"}
    del sizes["modalities agree"]
    assert sizes == {"all": 4, "microphone m0": 2, "microphone m1": 2}
    assert "microphone" not in caplog.text
    assert run(manifest, "--resume", "--group-by", "room") == 2
    assert "no column of names 'room'; there are: " in caplog.text


@pytest.mark.usefixtures("without_pictures")
def test_rows_are_selected_by_split_and_corpus_and_limited_evenly(run, write, fake):
    rows = [
        {"text": f"{corpus} {split} {index}", "split": split, "corpus": corpus}
        for corpus in ("a", "b")
        for split in ("train", "test")
        for index in range(5)
    ]
    assert run(write(*rows), "--split", "test", "--corpus", "b", "--limit", "3") == 0
    assert [*asked_sentences(fake)] == [f"b test {index}".encode() for index in (0, 2, 4)]


@pytest.mark.parametrize(
    ("chosen", "expected"), [((), 1.0), (("anger", "disgust"), 1.0), (("anger", "happiness"), 0.0)]
)
@pytest.mark.usefixtures("without_pictures")
def test_classes_restrict_the_posteriors(run, write, report, chosen, expected):
    rows = [{"text": "a", "emotion": "anger", "corpus": "a"}]
    assert run(write(*rows), "--classes", *chosen) == 0
    assert measurement(report(), "fused", "emotion")["figures"]["accuracy"]["value"] == 0
    restricted = measurement(report(), "fused", "restricted emotion")["figures"]
    assert restricted["accuracy"]["value"] == expected


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"text": "a", "emotion": "joy"}, ("row 3", "emotion", "'joy'", *EMOTIONS)),
        ({"text": "a", "gender": "m"}, ("row 3", "gender", "'m'", "male, female")),
        ({"text": "a", "age": "old"}, ("row 3", "age", "'old'", "0 to 120")),
        ({"text": "a", "age": "nan"}, ("row 3", "age", "'nan'")),
        ({"speech": "gone.wav"}, ("row 3", "speech", "gone.wav")),
        ({"emotion": "anger"}, ("row 3", "text, speech, video, face")),
    ],
)
def test_a_wrong_cell_exits_with_2_before_anything_is_asked(run, write, fake, caplog, row, told):
    assert run(write(*sentences(1), row)) == 2
    assert all(part in caplog.text for part in told)
    assert fake.requests == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["--split", "tset"], "train"), (["--corpus", "b"], "the manifest has: a")],
)
def test_a_selection_of_nothing_exits_with_2_and_tells_what_there_is(
    run, write, caplog, arguments, told
):
    assert run(write({"text": "a", "split": "train", "corpus": "a"}), *arguments) == 2
    assert told in caplog.text


def test_a_manifest_without_media_or_that_is_not_there_exits_with_2(run, write, tmp_path, caplog):
    assert run(write({"emotion": "anger"}, columns=["emotion"])) == 2
    assert "expected at least one of the columns" in caplog.text
    assert run(tmp_path / "nowhere.csv") == 2
    assert "nowhere.csv" in caplog.text


def test_a_missing_package_exits_with_2_and_says_how_to_get_it(run, write, monkeypatch, caplog):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name)
    )
    assert run(write(*sentences(1))) == 2
    assert "matplotlib" in caplog.text
    assert "requirements/evaluate.txt" in caplog.text


@pytest.mark.usefixtures("without_pictures")
def test_a_face_goes_to_both_face_networks_and_then_through_the_front_door(
    run, write, report, fake, tmp_path
):
    Image.new("L", (48, 48), 90).save(tmp_path / "face.png")
    row = {"face": "face.png", "text": "a", "emotion": "anger", "age": "43", "gender": "female"}
    assert run(write(row)) == 0
    models = [request.model_name for request in fake.requests]
    assert sorted(models[:2]) == ["age_gender", "vgg_face"]
    assert models[2:] == ["recognize"]
    assert (fake.sent(0)["CROPS"].shape, fake.sent(0)["CROPS"].max()) == ((1, 224, 224, 3), 90)
    fused = fake.sent(2)
    assert set(fused) == {"TEXT", "PAST_VIDEO"}
    assert fused["PAST_VIDEO"][0, VIDEO_FEATURE + 1 : OLD_VIDEO_ROW].tolist() == pytest.approx(
        [0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 40, 0.75, 0.25]
    )
    figures = {name: measurement(report(), "face", name)["figures"] for name in ("emotion", "age")}
    assert figures["emotion"]["accuracy"]["value"] == 1
    assert figures["age"]["mean absolute error"]["value"] == 3
    assert measurement(report(), "face", "gender")["figures"]["accuracy"]["value"] == 0


@pytest.mark.usefixtures("without_pictures")
def test_a_face_beside_a_video_is_measured_and_not_mixed_into_it(run, write, fake, tmp_path):
    Image.new("RGB", (300, 260)).save(tmp_path / "face.png")
    (tmp_path / "clip.mp4").write_bytes((DEMO / "clip.mp4").read_bytes())
    assert run(write({"face": "face.png", "video": "clip.mp4"})) == 0
    assert set(fake.sent(2)) == {"VIDEO"}


@pytest.mark.parametrize("size", [(48, 48), (160, 160), (90, 120)])
def test_a_face_is_enlarged_as_serving_enlarges_its_crops(tmp_path, size):
    small = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(small).save(tmp_path / "face.png")
    expected = cv2.resize(small, (224, 224), interpolation=cv2.INTER_LINEAR).astype(int)
    assert np.abs(read_crop(tmp_path / "face.png")[0] - expected).max() <= 2


def test_the_real_server_is_measured_on_every_kind_of_row(
    triton, write, report, tmp_path, clip, monkeypatch
):
    sentence = (DEMO / "sentence.txt").read_text(encoding="utf-8").strip()
    (tmp_path / "clip.mp4").write_bytes(clip)
    (tmp_path / "speech.wav").write_bytes(_speech(clip))
    (tmp_path / "bad.png").write_bytes(b"no image")
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    with Recogniser(triton.grpc_url) as recogniser:
        video = Media(video=tmp_path / "clip.mp4")
        Image.fromarray(recogniser.faces(video).crops[0]).save(tmp_path / "face.png")
        seen = recogniser.recognise(video, context=True)
    labels = {"emotion": "sadness", "age": "25", "gender": "female", "person": "a"}
    manifest = write(
        {"text": sentence, **labels},
        {"speech": "speech.wav", **labels},
        {"video": "clip.mp4", **labels},
        {"face": "face.png", **labels},
        {"text": sentence, "face": "face.png", **labels},
        {"text": sentence, "speech": "bad.wav", **labels},
        {"face": "bad.png", **labels},
    )
    arguments = ["--url", triton.grpc_url, "--out", str(tmp_path / "out")]
    assert main([str(manifest), *arguments, "--strict"]) == 5
    written = report()
    assert written["rows"] == {"selected": 7, "answered": 6, "failed": 1}
    assert written["sources"] == {
        "text": {"answered": 3, "failed": 0, "reasons": {}},
        "speech": {"answered": 2, "failed": 1, "reasons": {"unreadable": 1}},
        "video": {"answered": 3, "failed": 0, "reasons": {}},
        "face": {"answered": 2, "failed": 1, "reasons": {"unreadable file": 1}},
        "fused": {"answered": 6, "failed": 0, "reasons": {}},
    }
    assert [failure["row"] for failure in written["failures"]] == [7, 8]
    speech = measurement(written, "speech", "emotion")
    assert (speech["n"], speech["refused"], speech["reasons"]) == (2, 1, {"unreadable": 1})
    told = {gain["present"]: gain["n"] for gain in written["gains"]}
    assert told == {"text+video": 1, "speech+video": 1}
    monkeypatch.setattr(pictures, "save_pictures", lambda pairs, folder: [])
    assert main([str(manifest), *arguments, "--resume", "--compare", str(tmp_path / "out")]) == 0
    changes = {(one["source"], one["target"]): one for one in report()["changes"]}
    fused = changes["fused", "age"]
    assert (fused["n"], fused["change"]["mean absolute error"]["value"]) == (4, 0)
    lines = (tmp_path / "out/journal.jsonl").read_text(encoding="utf-8").splitlines()
    outcomes = {tuple(one["media"]): one["answers"] for one in map(json.loads, lines[1:])}
    *emotions, age, male, female = outcomes["", "", "", "face.png"]["face"].values()
    row = seen.context.video[0, VIDEO_FEATURE:OLD_VIDEO_ROW]
    np.testing.assert_allclose(emotions, row[: len(EMOTIONS)], atol=1e-4)
    # In a video's rows age and gender are those of the nearest crop that was aged.
    ages = seen.context.video[:, VIDEO_FEATURE + len(EMOTIONS)]
    assert ages.min() - 2 < age < ages.max() + 2
    assert [male, female] == pytest.approx(row[-2:].tolist(), abs=0.05)
    heard = outcomes["", "speech.wav", "", ""]["speech"][AGE_CODE]
    windows = seen.context.speech
    age = np.average(windows[:, SPEECH_FEATURE + 7], weights=windows[:, -1])
    assert heard == pytest.approx(age, abs=0.2)
    together, alone = (outcomes[text, "", "", "face.png"]["fused"] for text in (sentence, ""))
    assert together != alone


def _speech(clip: bytes) -> bytes:
    """Return a film's sound as a WAV file."""
    resampler = av.AudioResampler("s16", "mono", 16_000)
    with av.open(io.BytesIO(clip)) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return wav(np.concatenate([frame.to_ndarray().reshape(-1, 1) for frame in frames]), 16_000)

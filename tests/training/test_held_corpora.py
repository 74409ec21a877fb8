"""Corpora as their publishers lay them out become rows of a manifest; each on a tiny tree."""

from __future__ import annotations

import csv
import json
import logging

import av
import cv2
import numpy as np
import pytest

from clients.errors import ManifestError
from tests.clients.media_files import wav
from training import corpora
from training.held_corpora import found_in
from training.manifest import read_manifest


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def read(data, tmp_path, caplog):
    """Convert the data folder; return the manifest's rows, which have passed every check."""

    def read():
        caplog.set_level(logging.INFO)
        corpora.main(["--data", str(data), "--out", str(tmp_path / "out")])
        return read_manifest(tmp_path / "out/manifest.csv").samples

    return read


def write(path, content=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def table(path, rows, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)


def picture(side=8):
    return cv2.imencode(".jpg", np.full((side, side, 3), 128, np.uint8))[1].tobytes()


def labels(rows):
    return [(row.person, row.emotion, row.gender) for row in rows]


def test_kemdy19_gives_each_actor_the_own_segments(data, read, caplog):
    heading = [["Numb", "Wav", "", "Segment ID", "Total Evaluation"], ["", "start", "end", "", "E"]]
    said = {
        "Sess01_script01_F001": "happy",
        "Sess01_script01_M001": "disqust",
        "Sess01_impro02_F002": "neutral;sad",
        "Sess01_impro02_M002": "neutral",
    }
    both = [["1", "0", "1", name, label] for name, label in said.items()]
    for letter in "FM":
        table(data / f"annotation/Session01_{letter}_res.csv", [*heading, *both])
    for name in [*said][:3]:
        place = data / "wav/Session01" / name.rsplit("_", 1)[0]
        write(place / f"{name}.wav", wav(np.zeros((16, 1)), 16_000))
        write(place / f"{name}.txt", "b/ 정말 n/ 좋아*".encode("cp949"))
    rows = read()
    assert labels(rows) == [
        ("kemdy19-Sess01F", "happiness", "female"),
        ("kemdy19-Sess01M", "disgust", "male"),
    ]
    assert [(row.text, row.script) for row in rows] == [("정말 좋아", "kemdy19 script01")] * 2
    assert "1 without a majority" in caplog.text
    assert "1 without a file" in caplog.text


def test_kemdy20_names_speakers_by_session_and_user(data, read):
    heading = [["Numb", "Wav", "", "Segment ID", "Total Evaluation"], ["", "start", "end", "", "E"]]
    name = "Sess02_script03_User004M_001"
    table(data / "kemdy20/annotation/Sess02_eval.csv", [*heading, ["1", "0", "1", name, "fear"]])
    write(data / f"kemdy20/wav/Session02/{name}.wav")
    write(data / f"kemdy20/wav/Session02/{name}.txt", "무서워")
    (row,) = read()
    assert labels([row]) == [("kemdy20-Sess02User004M", "fear", "male")]
    assert (row.text, row.speech.name, row.corpus) == ("무서워", f"{name}.wav", "kemdy20")


def test_aihub_speech_takes_what_most_of_five_raters_chose(data, read, caplog):
    heading = ["wav_id", "발화문", "상황"]
    for rater in range(1, 6):
        heading += [f"{rater}번 감정", f"{rater}번 감정세기"]

    def line(name, *votes, age="32", gender="female"):
        return [name, f"말 {name}", "angry", *(x for vote in votes for x in (vote, 1)), age, gender]

    rows = [
        line("a", "Angry", "anger", "Neutral", "Sadness", "fear"),
        line("b", *["Happiness"] * 5, age="30대", gender="남"),
        line("c", "Angry", "Angry", "Neutral", "Neutral", "Fear"),
        line("d", *["Neutral"] * 5),
    ]
    table(data / "5차년도_2차.csv", [[*heading, "나이", "성별"], *rows], "cp949")
    for name in "abc":
        write(data / f"5차년도_2차/{name}.wav")
    first, second = read()
    assert (first.emotion, first.votes) == ("anger", "anger:2 fear:1 neutral:1 sadness:1")
    assert (first.age, first.age_group, first.gender) == (32, "", "female")
    assert (second.age, second.age_group, second.gender) == (35, "30s", "male")
    assert "1 without a majority" in caplog.text
    assert "1 without a file" in caplog.text


def film(path, pictures=20, rate=10):
    """Write a film with sound whose pictures are grey on the left and white on the right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        seen = container.add_stream("mpeg4", rate=rate)
        seen.width, seen.height, seen.pix_fmt = 64, 48, "yuv420p"
        heard = container.add_stream("aac", rate=16_000)
        image = np.full((48, 64, 3), 100, np.uint8)
        image[:, 32:] = 255
        for _ in range(pictures):
            container.mux(seen.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(seen.encode())
        samples = np.zeros((1, 16_000 * pictures // rate), np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux(heard.encode(frame))
        container.mux(heard.encode())


def test_aihub_video_cuts_utterances_out_of_films(data, read, caplog):
    film(data / "1-400/clip_7/clip_7.mp4")

    def said(frame, emotion, first=5, last=14):
        text = {"script": "왜 이래", "script_start": str(first), "script_end": str(last)}
        box = {"xtl": "32", "ytl": "0", "xbr": "64", "ybr": "48"}
        told = {"multimodal": {"emotion": emotion}}
        return {"person_id": "2", "frame": str(frame), "text": text, "emotion": told, **box}

    frames = {
        str(frame): {"1": {"person_id": "1"}, "2": said(frame, "dislike")} for frame in range(5, 15)
    }
    frames["16"] = {"2": said(16, "contempt", 16, 18)}
    listing = {"clip_id": "7", "nr_frame": 20, "data": frames}
    write(data / "1-400/clip_7/clip_7.json", json.dumps(listing))
    (row,) = read()
    assert (row.text, row.emotion, row.person) == ("왜 이래", "disgust", "aihub-video-7-2")
    # A second of ten pictures: every second one is taken, and of it only who speaks.
    pictures = sorted(row.video.iterdir())
    assert [file.stem for file in pictures] == ["000005", "000007", "000009", "000011", "000013"]
    seen = cv2.imread(str(pictures[0]))
    assert (seen.shape, seen.min() > 200) == ((48, 32, 3), True)
    with av.open(str(row.speech)) as sound:
        assert sound.duration / 1e6 == pytest.approx(0.9, abs=0.01)
    assert "1 labelled contempt" in caplog.text


@pytest.mark.parametrize("layout", ["cropped", "lists"])
def test_affectnet_leaves_out_contempt_and_its_validation_part_is_test(data, read, caplog, layout):
    numbers = {"train": [1, 6, 7], "val": [0, 3]}
    if layout == "cropped":
        for part, those in numbers.items():
            for index, number in enumerate(those):
                place = data / f"{part}_set/annotations/{index}_exp.npy"
                place.parent.mkdir(parents=True, exist_ok=True)
                np.save(place, str(number))
                write(data / f"{part}_set/images/{index}.jpg", picture())
    else:
        heading = ["subDirectory_filePath", "face_x", "face_y", "face_width", "face_height"]
        heading += ["facial_landmarks", "expression", "valence", "arousal"]
        for part, those in numbers.items():
            lines = [[f"{part}/{i}.jpg", 2, 2, 4, 4, "", n, 0, 0] for i, n in enumerate(those)]
            name = {"train": "training", "val": "validation"}[part]
            top = [heading] if part == "train" else []
            table(data / f"Manually_Annotated_file_lists/{name}.csv", [*top, *lines])
            for line in lines:
                write(data / "Manually_Annotated_Images" / line[0], picture())
    rows = read()
    assert [row.emotion for row in rows] == ["happiness", "anger", "neutral", "surprise"]
    assert [row.split == "test" for row in rows] == [False, False, True, True]
    side = 8 if layout == "cropped" else 4
    assert cv2.imread(str(rows[0].face)).shape == (side, side, 3)
    assert "1 labelled contempt" in caplog.text


def test_rafdb_brings_aligned_faces_with_age_groups(data, read):
    listing = "train_00001.jpg 5\ntest_0001.jpg 1\n"
    write(data / "raf/basic/EmoLabel/list_patition_label.txt", listing)
    for name in ("train_00001", "test_0001"):
        write(data / f"raf/basic/Image/aligned/{name}_aligned.jpg", picture())
    landmarks = "1 2\n" * 5
    write(data / "raf/basic/Annotation/manual/train_00001_manu_attri.txt", f"{landmarks}1\n2\n3\n")
    first, second = read()
    assert (first.emotion, first.gender, first.age, first.age_group) == (
        *("sadness", "female"),
        *(55, "40-69"),
    )
    assert (second.emotion, second.split, second.gender) == ("surprise", "test", "")
    assert first.split in ("train", "dev")


def test_ferplus_labels_the_images_of_fer2013(data, read, caplog):
    pixels = " ".join(["7"] * 48 * 48)
    usage = ["Training", "PublicTest", "PrivateTest", "Training"]
    table(data / "fer2013.csv", [["emotion", "pixels", "Usage"], *[[0, pixels, u] for u in usage]])
    names = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear"]
    heading = ["Usage", "Image name", *names, "contempt", "unknown", "NF"]
    votes = [[4, 0, 0, 1, 3, 2], [0, 9, 1], [0, 0, 0, 0, 5, 5], [0] * 9 + [10]]
    lines = [
        [use, "", *those, *[0] * (10 - len(those))] for use, those in zip(usage, votes, strict=True)
    ]
    table(data / "fer2013new.csv", [heading, *lines])
    first, second = read()
    assert (first.emotion, first.split) == ("neutral", "train")
    assert first.votes == "anger:3 disgust:2 neutral:4 sadness:1"
    assert (second.emotion, second.split) == ("happiness", "dev")
    assert cv2.imread(str(first.face), cv2.IMREAD_GRAYSCALE).shape == (48, 48)
    assert "1 without a majority" in caplog.text
    assert "1 labelled nf" in caplog.text


def test_meld_keeps_its_parts_though_they_share_speakers(data, read, caplog):
    parts = {
        "train": "train_splits",
        "dev": "dev_splits_complete",
        "test": "output_repeated_splits_test",
    }
    for part, films in parts.items():
        heading = ["Sr No.", "Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID"]
        lines = [[1, "Oh!", "Joey", "joy", 0, 0], [2, "No.", "Joey", "anger", 0, 1]]
        table(data / f"MELD.Raw/{part}_sent_emo.csv", [heading, *lines])
        write(data / f"MELD.Raw/{films}/dia0_utt0.mp4")
    rows = read()
    assert [(row.person, row.emotion, row.split) for row in rows] == [
        (f"meld-{part}-Joey", "happiness", part) for part in parts
    ]
    assert all(row.video == row.speech and not row.text for row in rows)
    assert "3 without a file" in caplog.text


def test_cremad_brings_ages_and_films(data, read):
    heading = ["ActorID", "Age", "Sex", "Race", "Ethnicity"]
    table(data / "VideoDemographics.csv", [heading, [1001, 51, "Male", "", ""]])
    write(data / "AudioWAV/1001_DFA_ANG_XX.wav")
    write(data / "AudioWAV/1001_IEO_HAP_HI.wav")
    write(data / "VideoFlash/1001_DFA_ANG_XX.flv")
    first, second = read()
    assert labels([first, second]) == [
        ("cremad-1001", "anger", "male"),
        ("cremad-1001", "happiness", "male"),
    ]
    assert (first.age, first.script, first.video.name, second.video) == (
        *(51, "cremad DFA"),
        *("1001_DFA_ANG_XX.flv", None),
    )


def test_ravdess_films_have_sound_once_and_no_calm(data, read, caplog):
    for actor in ("01", "02"):
        place = data / f"Video_Speech_Actor_{actor}/Actor_{actor}"
        for kind, label in (("01", "05"), ("02", "05"), ("01", "02")):
            write(place / f"{kind}-01-{label}-01-02-01-{actor}.mp4")
    rows = read()
    assert labels(rows) == [("ravdess-01", "anger", "male"), ("ravdess-02", "anger", "female")]
    assert {row.script for row in rows} == {"ravdess 02"}
    assert "2 labelled calm" in caplog.text


def test_actors_who_are_placed_already_stay_in_their_split(data, read):
    clips = ["path,corpus,language,speaker,gender,age,age_group,emotion,script,seconds"]
    clips += [f"{i}.ogg,ravdess,en,ravdess-{i:02},male,,,angry,,3" for i in range(1, 25)]
    write(data / "speech/manifest.csv", "\n".join(clips))
    for actor in range(1, 25):
        write(data / f"speech/{actor}.ogg")
        write(data / f"films/Video_Speech_Actor_{actor:02}/01-01-05-01-02-01-{actor:02}.mp4")
    rows = read()
    splits = {(row.person, row.split) for row in rows}
    assert (len(rows), len(splits)) == (48, 24)


def test_several_corpora_are_found_wherever_they_lie(data):
    table(data / "a/VideoDemographics.csv", [["ActorID"]])
    write(data / "a/AudioWAV/1001_DFA_ANG_XX.wav")
    write(data / "b/c/Video_Speech_Actor_01/01-01-05-01-02-01-01.mp4")
    found = [(corpus.name, folder.name) for corpus, folder in found_in(data)]
    assert found == [("crema-d", "a"), ("ravdess-video", "c")]


def test_a_wrong_layout_is_named(data, tmp_path):
    write(data / "wav/Session01/x.wav")
    arguments = ["--data", str(data), "--out", str(tmp_path / "out"), "--corpus", "kemdy20"]
    with pytest.raises(
        SystemExit,
        match=r"is no kemdy20: expected annotation/Sess\*_eval.csv, wav/Session\* in it; "
        r"annotation/Sess\*_eval.csv not found; it holds wav",
    ):
        corpora.main(arguments)


def test_a_wrong_table_is_named(data, read):
    table(data / "annotation/Sess01_eval.csv", [["Number", "Segment"], ["", ""]])
    write(data / "wav/Session01/x.wav")
    with pytest.raises(SystemExit, match=r"Sess01_eval.csv: expected the columns Segment ID and"):
        read()


def test_a_corpus_of_which_nothing_can_be_used_says_why(data, read):
    write(data / "Video_Speech_Actor_01/01-01-02-01-02-01-01.mp4")
    with pytest.raises(SystemExit, match=r"no row of ravdess-video can be used: 1 labelled calm"):
        read()


def test_an_unknown_folder_names_what_is_known(data, tmp_path):
    with pytest.raises(ManifestError, match=r"as they are published one of kemdy19, kemdy20"):
        corpora.open_manifest(data, tmp_path / "out")

"""The known data sets become one manifest, with the splits that the figures rest on."""

from __future__ import annotations

import csv
import zipfile
from collections import Counter

import cv2
import numpy as np
import pytest

from clients.errors import ManifestError
from tests.face_crop.scenes import person, wall
from training import corpora
from training.framing import WIDE, WIDE_SIDE, surroundings
from training.manifest import read_manifest, votes_of

SPEECH_COLUMNS = "path,corpus,language,speaker,gender,age,age_group,emotion,script,seconds"


@pytest.fixture
def data(tmp_path):
    """A folder laid out like the known data sets: 40 faces, 10 people, some clips and lines."""
    folder = tmp_path / "data"
    for name in ("faces", "speech", "text"):
        (folder / name).mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (40, 48, 48), np.uint8)
    np.savez(
        folder / "faces" / "fer2013.npz",
        images=images,
        emotions=np.arange(40) % 2,
        labels=np.array(["happy", "fear"]),
        is_validation=np.arange(40) % 4 == 0,
    )
    with zipfile.ZipFile(folder / "faces" / "utkface.zip", "w") as archive:
        jpeg = cv2.imencode(".jpg", np.zeros((160, 160, 3), np.uint8))[1].tobytes()
        rows = [f"{index}.jpg,{20 + index},female\n" for index in range(10)]
        archive.writestr("labels.csv", "path,age,gender\n" + "".join(rows))
        for index in range(10):
            archive.writestr(f"{index}.jpg", jpeg)
    clips = [SPEECH_COLUMNS]
    for speaker in range(10):
        clips.append(f"e{speaker}.ogg,emodb,de,e{speaker},male,31,,boredom,a01,2.0")
        for script in range(10):
            path = f"k{speaker}-{script}.ogg"
            clips.append(
                f"{path},korean-tts,ko,k{speaker},female,,50plus,happy,{script}{script}x,3"
            )
            (folder / "speech" / path).touch()
        (folder / "speech" / f"e{speaker}.ogg").touch()
    (folder / "speech" / "manifest.csv").write_text("\n".join(clips), encoding="utf-8")
    lines = ["text,label", "좋아요,happy", "좋아요  ,happy", *(f"문장 {i},sad" for i in range(50))]
    with zipfile.ZipFile(folder / "faces" / "aaf.zip", "w") as archive:
        archive.writestr("labels.csv", "path,age,gender\nseen.jpg,25,female\nwall.jpg,40,male\n")
        archive.writestr("seen.jpg", jpeg_of(person()))
        archive.writestr("wall.jpg", jpeg_of(wall()))
    spoken = ["path,person,gender,age"]
    for speaker in range(10):
        (folder / "speech" / "speechocean" / f"{speaker}").mkdir(parents=True)
        for path in (f"{speaker}/a.ogg", f"{speaker}/b.ogg"):
            spoken.append(f"{path},o{speaker},male,{10 + speaker}")
            (folder / "speech" / "speechocean" / path).touch()
    listing = folder / "speech" / "speechocean" / "manifest.csv"
    listing.write_text("\n".join(spoken), encoding="utf-8")
    (folder / "text" / "korean_utterances.csv").write_text("\n".join(lines), encoding="utf-8")
    spoken = [
        "corpus,text,label,votes,person,gender,age,dialogue,turn",
        "aihub_dialogue_speech,둘 다 하기 싫어,anger,angry:4 neutral:1,,male,27,,",
        "aihub_dialogue_speech,글쎄 그런가,,happy:2 sad:2,,male,27,,",
        "aihub_dialogue_speech,아무도 모른다,,,,male,27,,",
        "kote,고맙고 기쁘다,happy,고마움|기쁨|없음|깨달음,,,,,",
        *(
            f"kemdy19,대사 {i} {'가나다라마바'[i // 2] * 5},fear,,p,male,,scene{i % 3},{i}"
            for i in range(12)
        ),
    ]
    (folder / "text" / "korean_dialogue.csv").write_text("\n".join(spoken), encoding="utf-8")
    return folder


def jpeg_of(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()


def test_faces_keep_their_pixels_labels_and_validation_part(data, tmp_path):
    faces = corpora.open_manifest(data, tmp_path / "out").having("face", "emotion")
    with np.load(data / "faces" / "fer2013.npz") as archive:
        assert all(row.split == "test" for row in faces[::4])
        assert not any(row.split == "test" for row in faces[1::4])
        for row, image in zip(faces, archive["images"], strict=True):
            assert (cv2.imread(str(row.face), cv2.IMREAD_GRAYSCALE) == image).all()
    assert [row.emotion for row in faces] == ["happiness", "fear"] * 20


def test_people_bring_age_and_gender(data, tmp_path):
    faces = corpora.open_manifest(data, tmp_path / "out").having("face", "age", "gender")
    people = [row for row in faces if row.corpus == "utkface"]
    assert [row.age for row in people] == [20 + index for index in range(10)]
    assert all(row.gender == "female" and row.face.is_file() for row in people)


def test_portraits_are_cut_to_the_face_and_left_out_without_one(data, tmp_path):
    faces = corpora.open_manifest(data, tmp_path / "out").having("face", "age")
    (portrait,) = [row for row in faces if row.corpus == "aaf"]
    assert (portrait.age, portrait.gender) == (25, "female")
    face, wide = (cv2.imread(str(path)) for path in (portrait.face, surroundings(portrait.face)))
    assert face.shape == (224, 224, 3)
    # The face is the middle of the picture that shows its surroundings.
    part = round(WIDE_SIDE / WIDE)
    edge = (WIDE_SIDE - part) // 2
    middle = wide[edge : edge + part, edge : edge + part].astype(float)
    shrunk = cv2.resize(face, (part, part), interpolation=cv2.INTER_AREA)
    assert np.abs(middle - shrunk).mean() < 8


def test_near_copies_of_a_measured_face_take_no_part(data, tmp_path):
    path = data / "faces" / "fer2013.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["images"][1] = arrays["images"][0][:, ::-1]
    arrays["images"][2] = arrays["images"][3]
    np.savez(path, **arrays)
    faces = corpora.open_manifest(data, tmp_path / "out").having("face", "emotion")
    assert (faces[0].split, faces[1].split) == ("test", "unused")
    assert faces[2].split == faces[3].split


def test_near_copies_of_a_person_share_a_split(data, tmp_path):
    """One photograph twenty times over: by their names alone they would be in all three."""
    copy = jpeg_of(person())
    with zipfile.ZipFile(data / "faces" / "utkface.zip", "w") as archive:
        rows = [f"{index}.jpg,30,female\n" for index in range(20)]
        archive.writestr("labels.csv", "path,age,gender\n" + "".join(rows))
        for index in range(20):
            archive.writestr(f"{index}.jpg", copy)
    faces = corpora.open_manifest(data, tmp_path / "out").having("face", "age")
    assert len({row.split for row in faces if row.corpus == "utkface"}) == 1


def test_a_speaker_of_known_age_is_in_one_split(data, tmp_path):
    clips = corpora.open_manifest(data, tmp_path / "out").having("speech", "age")
    ocean = {(clip.person, clip.split) for clip in clips if clip.corpus == "speechocean"}
    assert len(ocean) == 10
    assert Counter(split for _, split in ocean) == {"train": 6, "test": 2, "dev": 2}


def test_a_speaker_whose_voice_contradicts_the_label_takes_no_part(data, tmp_path):
    doubted = corpora.DOUBTED[0]
    with (data / "speech" / "speechocean" / "manifest.csv").open("a", encoding="utf-8") as file:
        file.write(f"\n0/a.ogg,{doubted},female,21")
    clips = corpora.open_manifest(data, tmp_path / "out").having("speech", "age")
    assert {clip.split for clip in clips if clip.person == doubted} == {"unused"}


def test_korean_emotional_clips_are_left_to_cross_validation(data, tmp_path):
    clips = corpora.open_manifest(data, tmp_path / "out").having("speech", "emotion")
    assert {clip.split for clip in clips} == {"train"}
    scripts = {clip.speech.stem.split("-")[1]: clip.script for clip in clips}
    assert scripts == {str(index): f"{index}{index}" for index in range(10)}


def test_speakers_are_held_back_unless_they_are_the_only_ones_of_their_kind(data, tmp_path):
    with (data / "speech" / "manifest.csv").open("a", encoding="utf-8") as file:
        file.write("\nk0-0.ogg,korean-tts,ko,boy,male,,10s,,,3")
    clips = corpora.open_manifest(data, tmp_path / "out").having("speech", "gender")
    splits = {clip.person: clip.split for clip in clips if clip.corpus != "speechocean"}
    assert splits["boy"] == "train"
    german = Counter(split for person, split in splits.items() if person.startswith("e"))
    assert german == {"train": 6, "dev": 2, "test": 2}


def test_an_emotion_that_is_none_of_the_seven_is_left_open_and_a_group_is_no_age(data, tmp_path):
    clips = corpora.open_manifest(data, tmp_path / "out").having("speech")
    german = [clip for clip in clips if clip.corpus == "emodb"]
    korean = [clip for clip in clips if clip.corpus == "korean-tts"]
    assert all(not clip.states("emotion") and clip.age == 31 for clip in german)
    assert all(clip.age == 60 and clip.age_group == "50plus" for clip in korean)


def test_equal_sentences_share_a_split(data, tmp_path):
    first, second, *_ = corpora.open_manifest(data, tmp_path / "out").having("text")
    assert first.person == second.person and first.split == second.split


def test_raters_votes_are_kept_and_a_line_that_nobody_judged_is_left_out(data, tmp_path):
    rows = corpora.open_manifest(data, tmp_path / "out").having("text", "votes")
    assert [(row.corpus, row.emotion, row.votes) for row in rows] == [
        ("aihub-dialogue-speech", "anger", "anger:4 neutral:1"),
        ("aihub-dialogue-speech", "", "happiness:2 sadness:2"),
        ("kote", "happiness", "happiness:2 neutral:1"),
    ]
    np.testing.assert_allclose(votes_of(rows)[0], [0, 0.8, 0, 0, 0.2, 0, 0])


def test_near_copies_go_to_train_if_one_of_them_is_there():
    texts = (
        "오늘 점심은 뭐 먹었어?",
        "오늘 점심은 뭐 먹었어요",
        "집에 가고 싶다",
        "정말 놀랐잖아",
        "정말로 놀랐잖아",
    )
    splits = ("test", "train", "test", "test", "dev")
    rows = [{"text": text, "split": split} for text, split in zip(texts, splits, strict=True)]
    rows.append({"face": "a.png", "split": "test"})
    corpora.keep_likes_together(rows)
    assert [row["split"] for row in rows] == ["train", "train", "test", "dev", "dev", "test"]


def test_a_data_folder_is_converted_once(data, tmp_path):
    first = corpora.open_manifest(data, tmp_path / "out")
    for source in corpora.SOURCES:
        (data / source).unlink()
    assert corpora.open_manifest(data, tmp_path / "out") == first


def test_a_folder_without_data_says_what_was_expected(tmp_path):
    with pytest.raises(ManifestError, match=r"expected manifest.csv or one of faces/fer2013.npz"):
        corpora.open_manifest(tmp_path, tmp_path / "out")


def test_the_command_writes_a_users_manifest_with_its_splits(tmp_path):
    own = tmp_path / "manifest.csv"
    own.write_text("text\n" + "".join(f"line {i}\n" for i in range(10)), encoding="utf-8")
    corpora.main(["--data", str(tmp_path), "--out", str(tmp_path / "eval")])
    written = tmp_path / "eval" / "manifest.csv"
    with written.open(encoding="utf-8") as file:
        assert {row["split"] for row in csv.DictReader(file)} == {"train", "dev", "test"}
    assert [row.split for row in read_manifest(written).samples] == [
        row.split for row in read_manifest(own).samples
    ]


def test_the_command_ends_with_the_cause_of_a_mistake(tmp_path):
    (tmp_path / "manifest.csv").write_text("text,emotion\nyes,hapy\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"error: .*row 2: emotion: expected .*, found 'hapy'"):
        corpora.main(["--data", str(tmp_path), "--out", str(tmp_path / "eval")])

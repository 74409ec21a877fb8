"""A manifest is read as written, or refused with the row, the column and the cause."""

from __future__ import annotations

from collections import Counter

import pytest

from clients.errors import ManifestError
from training.manifest import (
    labels_of,
    read_manifest,
    row_of,
    split_by_person,
    votes_of,
    write_manifest,
)

EMOTIONS = ("happiness", "anger", "disgust", "fear", "neutral", "sadness", "surprise")


@pytest.fixture
def manifest(tmp_path):
    """Write the given lines as a manifest beside a file `a.wav`."""
    (tmp_path / "a.wav").write_bytes(b"")

    def write(*lines: str):
        path = tmp_path / "manifest.csv"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return write


def test_a_row_says_what_it_states_and_nothing_else(manifest):
    path = manifest(
        "speech,emotion,age,gender,person", "a.wav,fear,31.5,female,kim", "a.wav,,,,kim"
    )
    full, bare = read_manifest(path).samples
    assert full.speech == path.parent / "a.wav" and full.face is None and full.text is None
    assert (full.emotion, full.age, full.gender, full.person) == ("fear", 31.5, "female", "kim")
    assert (bare.emotion, bare.gender, bare.age) == ("", "", None)
    assert read_manifest(path).having("speech", "emotion") == [full]


def test_a_byte_order_mark_and_korean_are_read(manifest):
    path = manifest("\ufefftext,emotion", '"좋아요, 정말",happiness')
    (row,) = read_manifest(path).samples
    assert row.text == "좋아요, 정말" and row.emotion == "happiness"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ("text,emotion", "yes,fear", "no,hapy"),
            "row 3: emotion: .*, found 'hapy'",
        ),
        (("text,age", "yes,-1"), "row 2: age: expected years from 0 to 120, found '-1'"),
        (("text,age", "yes,old"), "row 2: age: expected years from 0 to 120, found 'old'"),
        (("text,age", "yes,nan"), "row 2: age: expected years from 0 to 120, found 'nan'"),
        (("text,gender", "yes,Male"), "row 2: gender: expected male, female, found 'Male'"),
        (("text,split", "yes,valid"), "row 2: split: expected train, dev, test, unused"),
        (("text,split", "yes,train", "no,"), "row 3: split is empty, expected one in all rows"),
        (("speech", "b.wav"), "row 2: speech: no file .*b.wav"),
        (("text,emotion", ",fear"), "row 2: expected one of text, speech, video, face, all are"),
        (("text", "yes, really"), "row 2: more cells than the heading"),
        (
            ("sentence,emotion", "yes,fear"),
            "expected .* columns text, .*, found sentence",
        ),
        (
            ("text,person,split", "yes,kim,train", "no,kim,test"),
            "row 3: 'kim' is in split test, but in train in .*row 2",
        ),
        (("text,split", "Yes!!!!,train", "yes!!,test"), "row 3: 'sentence yes!!' is in split test"),
    ],
)
def test_a_mistake_is_named_with_its_row(manifest, lines, message):
    with pytest.raises(ManifestError, match=message):
        read_manifest(manifest(*lines))


def test_a_file_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_bytes("text\n좋아요\n".encode("euc-kr"))
    with pytest.raises(ManifestError, match=r"manifest\.csv: 'utf-8' codec"):
        read_manifest(path)


def test_columns_that_mean_nothing_are_named(manifest, caplog):
    read_manifest(manifest("text,emotoin", "yes,fear"))
    assert "ignoring the columns emotoin" in caplog.text


def test_a_manifest_without_splits_is_split_by_person_in_fifths(manifest):
    lines = [f"line {i},p{i // 3},{EMOTIONS[i % 7]}" for i in range(300)]
    rows = read_manifest(manifest("text,person,emotion", *lines)).samples
    people = {row.person: row.split for row in rows}
    assert all(row.split == people[row.person] for row in rows)
    assert Counter(people.values()) == {"train": 64, "dev": 16, "test": 20}
    assert [row.split for row in split_by_person(rows)] == [row.split for row in rows]


def test_three_people_are_enough_for_three_splits(manifest):
    path = manifest("text,person", "one,a", "two,b", "three,c")
    assert sorted(row.split for row in read_manifest(path).samples) == ["dev", "test", "train"]


def test_each_emotion_of_nameless_images_is_found_in_every_split(manifest):
    lines = [f"line {i},{emotion}" for emotion in EMOTIONS for i in range(10)]
    read_manifest(manifest("text,emotion", *lines)).require("text", "emotion")


def test_a_class_that_a_split_lacks_is_named(manifest):
    lines = [f"{s} {e},{e},{s}" for s in ("train", "dev", "test") for e in EMOTIONS]
    lines.remove("dev fear,fear,dev")
    read = read_manifest(manifest("text,emotion,split", *lines))
    with pytest.raises(ManifestError, match="with text in split dev have no emotion fear; train"):
        read.require("text", "emotion")
    with pytest.raises(ManifestError, match="with text in split train have no age; train"):
        read.require("text", "age")


def test_what_is_written_reads_the_same_from_another_folder(manifest, tmp_path):
    path = manifest(
        "speech,text,emotion,age,age_group,gender,person,script,corpus",
        "a.wav,,fear,32,20-40s,female,kim,one,own",
        ',"yes, no",,,,,,,',
    )
    before = read_manifest(path).samples
    other = tmp_path / "other" / "manifest.csv"
    write_manifest(other, [row_of(row, other.parent) for row in before])
    after = read_manifest(other).samples
    assert after[0].speech.resolve() == path.parent / "a.wav"
    assert after[1].text == "yes, no" and after[1].age is None
    for name, values in labels_of(before).items():
        assert list(map(str, values)) == list(map(str, labels_of(after)[name]))


@pytest.mark.parametrize("cell", ["anger", "anger:", "anger:two", "angry:2", "anger:-1"])
def test_votes_that_cannot_be_counted_are_refused_by_row(manifest, cell):
    rows = read_manifest(manifest("text,votes", "yes,", f"no,{cell}")).samples
    with pytest.raises(ManifestError, match=f"row 3: votes: expected .*, found '{cell}'"):
        votes_of(rows)

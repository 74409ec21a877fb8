"""AffectNet, RAF-DB and FER+: faces with an emotion."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from clients.errors import ManifestError
from training.held_corpora.layout import (
    Corpus,
    Row,
    emotion_of,
    is_there,
    read_lines,
    read_table,
    votes_cell,
    winner,
)
from training.manifest import relative

#: AffectNet's labels by number.
AFFECTNET = (
    *("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"),
    *("none", "uncertain", "no face"),
)
#: RAF-DB's by number, from 1.
RAFDB = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
#: RAF-DB's age groups, with the years that stand for them.
RAFDB_AGES = (("0-3", 2), ("4-19", 12), ("20-39", 30), ("40-69", 55), ("70+", 75))
RAFDB_GENDERS = ("male", "female")
#: What FER+'s raters chose among.
FERPLUS = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    *("unknown", "NF"),
)
FERPLUS_SPLITS = {"Training": "train", "PublicTest": "dev", "PrivateTest": "test"}
FERPLUS_SIDE = 48


def affectnet(folder: Path, out: Path, left: Counter[str]) -> Iterator[Row]:
    """Read the cropped release; its validation part is `test`."""
    for part, split in (("train_set", "train"), ("val_set", "test")):
        for listing in sorted((folder / part / "annotations").glob("*_exp.npy")):
            emotion = _affectnet_emotion(np.load(listing, allow_pickle=False).item(), listing, left)
            name = listing.name.removesuffix("_exp.npy")
            face = folder / part / "images" / f"{name}.jpg"
            if emotion and is_there(face, left):
                yield {"face": relative(face, out), "emotion": emotion, "split": split}


def affectnet_lists(folder: Path, out: Path, left: Counter[str]) -> Iterator[Row]:
    """Cut the faces out of the whole release's images; its validation part is `test`."""
    for part, split in (("training", "train"), ("validation", "test")):
        listing = folder / "Manually_Annotated_file_lists" / f"{part}.csv"
        # One release's validation list has no heading.
        lines = [line for line in csv.reader(read_lines(listing)) if line[0] != _AFFECTNET_FILE]
        for line in lines:
            emotion = _affectnet_emotion(line[6], listing, left)
            image = folder / "Manually_Annotated_Images" / line[0]
            if emotion and is_there(image, left):
                face = out / "affectnet" / Path(line[0]).with_suffix(".png")
                if _cut_face(image, line[1:5], face):
                    yield {"face": relative(face, out), "emotion": emotion, "split": split}
                else:
                    left["without a readable face"] += 1


_AFFECTNET_FILE = "subDirectory_filePath"


def _affectnet_emotion(label: object, listing: Path, left: Counter[str]) -> str:
    try:
        return emotion_of(AFFECTNET[int(label)], left)
    except (ValueError, IndexError) as error:
        raise ManifestError(
            f"{listing}: expected a label from 0 to {len(AFFECTNET) - 1}, found {label!r}"
        ) from error


def _cut_face(image: Path, box: list[str], face: Path) -> bool:
    picture = cv2.imread(str(image))
    x, y, width, height = (max(0, int(float(side))) for side in box)
    if picture is None or not picture[y : y + height, x : x + width].size:
        return False
    face.parent.mkdir(parents=True, exist_ok=True)
    return cv2.imwrite(str(face), picture[y : y + height, x : x + width])


def rafdb(folder: Path, out: Path, left: Counter[str]) -> Iterator[Row]:
    """Read the basic emotions of RAF-DB by its official parts, as aligned faces."""
    listing = next(folder.glob("**/EmoLabel/list_patition_label.txt"))
    basic = listing.parent.parent
    for line in read_lines(listing):
        name, _, number = line.strip().partition(" ")
        if not name:
            continue
        split = name.split("_")[0]
        if number not in "1234567" or split not in ("train", "test"):
            raise ManifestError(
                f"{listing}: expected lines like 'train_00001.jpg 5', found {line!r}"
            )
        stem = Path(name).stem
        face = basic / "Image" / "aligned" / f"{stem}_aligned.jpg"
        if is_there(face, left):
            yield {
                "face": relative(face, out),
                "emotion": RAFDB[int(number) - 1],
                "split": split,
                **_rafdb_person(basic / "Annotation" / "manual" / f"{stem}_manu_attri.txt"),
            }


def _rafdb_person(listing: Path) -> Row:
    """Read gender and age group, where they are told: after five landmarks, with race between."""
    lines = read_lines(listing) if listing.is_file() else []
    if len(lines) < 8:
        return {}
    gender, group = int(lines[5]), RAFDB_AGES[int(lines[7])]
    told: Row = {"age_group": group[0], "age": group[1]}
    return told | ({"gender": RAFDB_GENDERS[gender]} if gender < len(RAFDB_GENDERS) else {})


def ferplus(folder: Path, out: Path, left: Counter[str]) -> Iterator[Row]:
    """Write FER2013's images with the labels of FER+: what most of ten raters chose."""
    pixels = read_table(folder / "fer2013.csv", ["pixels", "Usage"])
    labels = read_table(folder / "fer2013new.csv", ["Usage", "Image name", *FERPLUS])
    if len(pixels) != len(labels):
        raise ManifestError(
            f"{folder}: expected as many rows in fer2013.csv as in fer2013new.csv, found "
            f"{len(pixels)} and {len(labels)}"
        )
    faces = out / "ferplus"
    faces.mkdir(parents=True, exist_ok=True)
    for index, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        votes = {name: int(label[name]) for name in FERPLUS}
        emotion = winner(votes, left)
        if emotion:
            face = faces / f"{index:05d}.png"
            values = np.array(image["pixels"].split(), np.uint8)
            cv2.imwrite(str(face), values.reshape(FERPLUS_SIDE, FERPLUS_SIDE))
            yield {
                "face": relative(face, out),
                "emotion": emotion,
                "votes": votes_cell(votes),
                "split": FERPLUS_SPLITS[label["Usage"]],
            }


CORPORA = (
    Corpus("affectnet", ("train_set/annotations/*_exp.npy", "train_set/images"), affectnet),
    Corpus(
        "affectnet",
        ("Manually_Annotated_file_lists/training.csv", "Manually_Annotated_Images"),
        affectnet_lists,
    ),
    Corpus("raf-db", ("**/EmoLabel/list_patition_label.txt", "**/Image/aligned"), rafdb),
    Corpus("ferplus", ("fer2013.csv", "fer2013new.csv"), ferplus),
)

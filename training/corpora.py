"""The known data sets as one manifest: `python -m training.corpora --data DIR --out FOLDER`.

Writes `FOLDER/manifest.csv`, in which every row has its split, and beside it the face images that
the sets keep in archives. `DIR` holds any of `faces/fer2013.npz`, `faces/utkface.zip`,
`faces/aaf.zip`, `speech/manifest.csv` and `speech/speechocean/manifest.csv` with their clips,
`text/korean_utterances.csv` and `text/korean_dialogue.csv`; or a corpus that `held_corpora` reads
as it is published; or a `manifest.csv` of its own, which is then written with its splits made.
"""

from __future__ import annotations

import argparse
import csv
import io
import logging
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from clients.errors import ManifestError
from training import held_corpora
from training.framing import cut_wide, surroundings
from training.held_corpora.layout import Row, emotion_named, votes_cell
from training.likeness import like_sentences
from training.manifest import Manifest, read_manifest, relative, row_of, write_manifest
from training.serving_code import MODEL_REPOSITORY, front_end
from training.splits import (
    SPLITS,
    UNUSED,
    like_pictures,
    sentence_name,
    split_of,
    splits_in_order,
)

log = logging.getLogger(__name__)

MANIFEST = "manifest.csv"
#: Adults of speechocean whose voice contradicts the gender stated: the median of two women's
#: fundamental frequency is 124 and 116 Hz, that of a man of 19 years is 241 Hz.
DOUBTED = ("speechocean-2380", "speechocean-2430", "speechocean-3023")
#: Years that stand for the age groups of korean-tts, which states no years.
GROUP_YEARS = {"10s": 15, "20-40s": 32, "50plus": 60}


def open_manifest(data: Path, out: Path) -> Manifest:
    """Read `data/manifest.csv`, or convert the known data sets in `data` into `out/data` once.

    Args:
        data: The data folder.
        out: The folder of the checkpoints.

    Raises:
        ManifestError: The folder holds neither, or its manifest cannot be used.
    """
    own, converted = data / MANIFEST, out / "data" / MANIFEST
    if own.exists():
        return read_manifest(own)
    if not converted.exists():
        convert(data, converted.parent)
    return read_manifest(converted)


def convert(data: Path, folder: Path) -> None:
    """Write `folder/manifest.csv` about the known data sets in `data`.

    Raises:
        ManifestError: None of them is there.
    """
    found = {name: read for name, read in SOURCES.items() if (data / name).exists()}
    held = held_corpora.found_in(data)
    if not found and not held:
        raise ManifestError(
            f"{data}: expected {MANIFEST} or one of {', '.join(SOURCES)}, or as they are published "
            f"one of {', '.join(dict.fromkeys(held_corpora.NAMES))}"
        )
    rows: list[Row] = []
    for name, read in found.items():
        part = list(read(data / name, folder))
        log.info("%s: %d rows", data / name, len(part))
        rows += part
    keep_likes_together(rows)
    placed = {str(row["person"]): str(row["split"]) for row in rows if row.get("person")}
    for corpus, place in held:
        rows += held_corpora.rows_of(corpus, place, folder, placed)
    write_manifest(folder / MANIFEST, rows)


def fer2013(path: Path, folder: Path) -> Iterator[Row]:
    """Extract FER2013; its validation part is `test`, a tenth of the rest `dev`.

    Near-copies share a split; those of a validation face that are elsewhere take no part.
    """
    with np.load(path, allow_pickle=False) as archive:
        images, validation = archive["images"], archive["is_validation"]
        names = [emotion_named(str(label)) for label in archive["labels"]]
        emotions = archive["emotions"]
    groups = like_pictures(images)
    measured = set(groups[validation])
    faces = folder / "fer2013"
    faces.mkdir(parents=True, exist_ok=True)
    for index, (image, group) in enumerate(zip(images, groups, strict=True)):
        file = faces / f"{index:05d}.png"
        cv2.imwrite(str(file), image)
        split = "test" if validation[index] else split_of(f"fer2013/{group}", dev=0.1, test=0.0)
        yield {
            "face": file.relative_to(folder),
            "emotion": names[emotions[index]],
            "split": UNUSED if group in measured and not validation[index] else split,
            "corpus": "fer2013",
        }


def utkface(path: Path, folder: Path) -> Iterator[Row]:
    """Extract UTKFace: 70 % train, 15 % dev, 15 % test; near-copies share a split."""
    with zipfile.ZipFile(path) as archive:
        rows = _rows_in(archive)
        archive.extractall(folder / "utkface", [row["path"] for row in rows])
        splits = _people_splits("utkface", archive, rows)
    for row, split in zip(rows, splits, strict=True):
        yield {
            "face": Path("utkface") / row["path"],
            "age": row["age"],
            "gender": row["gender"],
            "split": split,
            "corpus": "utkface",
        }


def aaf(path: Path, folder: Path) -> Iterator[Row]:
    """Cut the faces out of AAF's portraits as serving does, and again with their surroundings.

    70 % train, 15 % dev, 15 % test; near-copies share a split. A portrait in which no face is found
    is left out.
    """
    detector = front_end("face_crop", "mtcnn").Mtcnn(MODEL_REPOSITORY / "face_crop" / "1")
    cut_face = front_end("face_crop", "selection").cut_face
    with zipfile.ZipFile(path) as archive:
        rows = _rows_in(archive)
        splits = _people_splits("aaf", archive, rows)
        for row, split in zip(tqdm(rows, "aaf", disable=None), splits, strict=True):
            portrait = _picture_in(archive, row["path"])
            faces = detector.detect(portrait)
            if not faces:
                continue
            face = max(faces, key=lambda face: face.side)
            file = (folder / "aaf" / row["path"]).with_suffix(".png")
            file.parent.mkdir(parents=True, exist_ok=True)
            _write_picture(file, cut_face(portrait, face))
            _write_picture(surroundings(file), cut_wide(portrait, face.side, face.centre))
            yield {
                "face": file.relative_to(folder),
                "age": row["age"],
                "gender": row["gender"],
                "split": split,
                "corpus": "aaf",
            }


def _rows_in(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    with archive.open("labels.csv") as file:
        return list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))


def _picture_in(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Read a picture: RGB uint8 [height,width,3]."""
    data = np.frombuffer(archive.read(name), np.uint8)
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _write_picture(path: Path, picture: np.ndarray) -> None:
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _people_splits(
    corpus: str, archive: zipfile.ZipFile, rows: Sequence[Mapping[str, str]]
) -> list[str]:
    """Split pictures by the first of their near-copies."""
    pictures = (_picture_in(archive, row["path"]) for row in rows)
    groups = like_pictures(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures)
    # The 2 draws for a second time: choices had been made after looking at the first `test`.
    return [split_of(f"{corpus}/{rows[group]['path']}/2", dev=0.15, test=0.15) for group in groups]


def speechocean(path: Path, folder: Path) -> Iterator[Row]:
    """Split speechocean's speakers within gender and age: real ages, no emotions.

    Speakers of `DOUBTED` take no part.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = {row["person"]: (row["gender"], int(row["age"]) // 10) for row in rows}
    splits = splits_in_order(kinds, test=5, dev=4)
    for row in rows:
        yield {
            "speech": relative(path.parent / row["path"], folder),
            "person": row["person"],
            "age": row["age"],
            "gender": row["gender"],
            "split": UNUSED if row["person"] in DOUBTED else splits[row["person"]],
            "corpus": "speechocean",
        }


def speech(path: Path, folder: Path) -> Iterator[Row]:
    """Split by speaker within corpus and gender.

    Korean emotional clips are few, and most scripts are always read in the same emotion: held-back
    speakers would be judged by a handful of clips of held-back scripts. So all of them are `train`,
    and cross-validation over speakers and scripts measures (`speech_folds`).
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    split_of_speaker = _speaker_splits(rows)
    for row in rows:
        yield {
            "speech": relative(path.parent / row["path"], folder),
            "person": row["speaker"],
            "emotion": emotion_named(row["emotion"]),
            "age": row["age"] or GROUP_YEARS.get(row["age_group"], ""),
            "age_group": row["age_group"],
            "gender": row["gender"],
            "split": split_of_speaker[row["speaker"]],
            # Readers spell a script a little differently; its first characters tell it from others.
            "script": row["script"][:2] if _is_korean_emotional(row) else "",
            "corpus": row["corpus"],
        }


def _is_korean_emotional(row: dict[str, str]) -> bool:
    return row["corpus"] == "korean-tts" and bool(row["emotion"])


def _speaker_splits(rows: list[dict[str, str]]) -> dict[str, str]:
    """Split the speakers; whoever is the only one of a gender and an age group is `train`."""
    kinds = {row["speaker"]: (row["corpus"], row["gender"], row["age_group"]) for row in rows}
    times = Counter(kinds.values())
    always = {row["speaker"] for row in rows if _is_korean_emotional(row)}
    always |= {speaker for speaker, kind in kinds.items() if times[kind] == 1}
    ranked = {
        speaker: (corpus, gender)
        for speaker, (corpus, gender, _) in kinds.items()
        if speaker not in always
    }
    return splits_in_order(ranked, test=8, dev=5) | dict.fromkeys(always, "train")


def utterances(path: Path, folder: Path) -> Iterator[Row]:
    """Split the Korean sentences by what is left when case, spaces and long runs are evened."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {
                "text": row["text"],
                "emotion": emotion_named(row["label"]),
                "split": split_of(sentence_name(row["text"]), dev=0.06, test=0.06),
                "corpus": "korean-utterances",
            }


def dialogue(path: Path, folder: Path) -> Iterator[Row]:
    """Split four corpora of Korean as it is spoken: by dialogue, or by sentence where none is told.

    Speakers are not kept apart: what is read are their words alone.
    """
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            emotion, votes = emotion_named(row["label"]), _votes(row["corpus"], row["votes"])
            if not emotion and not votes:
                continue
            # The few acted dialogues would hardly be measured by a sixteenth of them.
            share = 0.16 if row["corpus"] == "kemdy19" else 0.06
            name = row["dialogue"] or sentence_name(row["text"])
            yield {
                "text": row["text"],
                "emotion": emotion,
                "votes": votes,
                "split": split_of(name, dev=share, test=share),
                "corpus": row["corpus"].replace("_", "-"),
            }


def _votes(corpus: str, cell: str) -> str:
    """Count what raters chose; kote's own labels count for the emotions that hold them."""
    if corpus == "kote":
        chosen = set(cell.split("|"))
        counts = {name: len(chosen & labels) for name, labels in KOTE_LABELS.items()}
    elif ":" in cell:
        pairs = (vote.split(":") for vote in cell.split())
        counts = {emotion_named(name): int(count) for name, count in pairs}
    else:
        return ""
    return votes_cell(counts)


#: Which of kote's 44 labels each emotion holds; the others belong to none or to several.
KOTE_LABELS = {
    "happiness": {
        "기쁨",
        "행복",
        "즐거움/신남",
        "환영/호의",
        "감동/감탄",
        "고마움",
        "존경",
        "기대감",
    }
    | {"흐뭇함(귀여움/예쁨)", "뿌듯함", "편안/쾌적", "아껴주는", "안심/신뢰"},
    "anger": {"화남/분노", "불평/불만", "짜증", "어이없음", "지긋지긋"},
    "disgust": {"역겨움/징그러움", "증오/혐오", "한심함"},
    "fear": {"공포/무서움", "불안/걱정"},
    "neutral": {"없음"},
    "sadness": {
        "슬픔",
        "안타까움/실망",
        "절망",
        "서러움",
        "힘듦/지침",
        "불쌍함/연민",
        "패배/자기혐오",
    },
    "surprise": {"놀람", "경악", "당황/난처", "신기함/관심"},
}


def keep_likes_together(rows: list[Row]) -> None:
    """Give near-copies among the sentences one split, in place.

    Of a group of near-copies all are `train` if one is, else all are `dev` if one is: nothing that
    was learned from is measured, and nothing new is learned from.
    """
    written = [row for row in rows if row.get("text")]
    if not written:
        return
    groups = like_sentences([str(row["text"]) for row in written])
    ranks = np.array([SPLITS.index(str(row["split"])) for row in written])
    first = np.full(groups.max() + 1, len(SPLITS))
    np.minimum.at(first, groups, ranks)
    for row, rank in zip(written, first[groups], strict=True):
        row["split"] = SPLITS[rank]


#: Where each data set lies in the data folder, and what turns it into rows.
SOURCES: dict[str, Callable[[Path, Path], Iterator[Row]]] = {
    "faces/fer2013.npz": fer2013,
    "faces/utkface.zip": utkface,
    "faces/aaf.zip": aaf,
    "speech/manifest.csv": speech,
    "speech/speechocean/manifest.csv": speechocean,
    "text/korean_utterances.csv": utterances,
    "text/korean_dialogue.csv": dialogue,
}


def main(arguments: list[str] | None = None) -> None:
    """Write a manifest with splits, e.g. to measure a server with `clients/evaluate.py`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--out", type=Path, required=True, help="receives manifest.csv")
    parser.add_argument(
        "--corpus",
        choices=tuple(dict.fromkeys(held_corpora.NAMES)),
        help="what DIR is, and say what is missing if it is not; without it DIR is looked through",
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    own = options.data / MANIFEST
    try:
        if options.corpus:
            corpus = held_corpora.corpus_in(options.data, options.corpus)
            rows = held_corpora.rows_of(corpus, options.data, options.out)
            write_manifest(options.out / MANIFEST, rows)
        elif own.exists():
            rows = [row_of(row, options.out) for row in read_manifest(own).samples]
            write_manifest(options.out / MANIFEST, rows)
        else:
            convert(options.data, options.out)
    except ManifestError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

"""The known data sets as one manifest: `python -m training.corpora --data DIR --out FOLDER`.

Writes `FOLDER/manifest.csv`, in which every row has its split, and beside it the face images that
the sets keep in archives. `DIR` holds any of `faces/fer2013.npz`, `faces/utkface.zip`,
`faces/aaf.zip`, `speech/manifest.csv` and `speech/speechocean/manifest.csv` with their clips, and
`text/korean_utterances.csv`; or a `manifest.csv` of its own, which is then written with its splits
made.
"""

from __future__ import annotations

import argparse
import csv
import io
import logging
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from clients.errors import ManifestError
from training.contract import EMOTIONS
from training.manifest import Manifest, read_manifest, relative, row_of, write_manifest
from training.serving_code import MODEL_REPOSITORY, front_end
from training.splits import UNUSED, sentence_name, split_of, splits_in_order

log = logging.getLogger(__name__)

MANIFEST = "manifest.csv"
Row = dict[str, object]
#: The data sets' names of emotions that the contract calls otherwise.
_SYNONYMS = {"happy": "happiness", "angry": "anger", "sad": "sadness"}
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
    if not found:
        raise ManifestError(f"{data}: expected {MANIFEST} or one of {', '.join(SOURCES)}")
    rows: list[Row] = []
    for name, read in found.items():
        part = list(read(data / name, folder))
        log.info("%s: %d rows", data / name, len(part))
        rows += part
    write_manifest(folder / MANIFEST, rows)


def fer2013(path: Path, folder: Path) -> Iterator[Row]:
    """Extract FER2013; its validation part is `test`, a tenth of the rest `dev`, by image."""
    with np.load(path, allow_pickle=False) as archive:
        images, validation = archive["images"], archive["is_validation"]
        names = [emotion_name(str(label)) for label in archive["labels"]]
        emotions = archive["emotions"]
    faces = folder / "fer2013"
    faces.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(images):
        file = faces / f"{index:05d}.png"
        cv2.imwrite(str(file), image)
        split = "test" if validation[index] else split_of(f"fer2013/{index}", dev=0.1, test=0.0)
        yield {
            "face": file.relative_to(folder),
            "emotion": names[emotions[index]],
            "split": split,
            "corpus": "fer2013",
        }


def utkface(path: Path, folder: Path) -> Iterator[Row]:
    """Extract UTKFace: 70 % train, 15 % dev, 15 % test, by image."""
    with zipfile.ZipFile(path) as archive:
        with archive.open("labels.csv") as file:
            rows = list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))
        archive.extractall(folder / "utkface", [row["path"] for row in rows])
    for row in rows:
        yield {
            "face": Path("utkface") / row["path"],
            "age": row["age"],
            "gender": row["gender"],
            "split": split_of(f"utkface/{row['path']}", dev=0.15, test=0.15),
            "corpus": "utkface",
        }


def aaf(path: Path, folder: Path) -> Iterator[Row]:
    """Cut the faces out of AAF's portraits as serving does: 70 % train, 15 % dev, 15 % test.

    There is one portrait a person; one in which no face is found is left out.
    """
    detector = front_end("face_crop", "mtcnn").Mtcnn(MODEL_REPOSITORY / "face_crop" / "1")
    cut_face = front_end("face_crop", "selection").cut_face
    with zipfile.ZipFile(path) as archive:
        with archive.open("labels.csv") as file:
            rows = list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))
        for row in tqdm(rows, "aaf", disable=None):
            data = np.frombuffer(archive.read(row["path"]), np.uint8)
            portrait = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
            faces = detector.detect(portrait)
            if not faces:
                continue
            face = cut_face(portrait, max(faces, key=lambda face: face.side))
            file = (folder / "aaf" / row["path"]).with_suffix(".png")
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), cv2.cvtColor(face, cv2.COLOR_RGB2BGR))
            yield {
                "face": file.relative_to(folder),
                "age": row["age"],
                "gender": row["gender"],
                "split": split_of(f"aaf/{row['path']}", dev=0.15, test=0.15),
                "corpus": "aaf",
            }


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
            "emotion": emotion_name(row["emotion"]),
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
                "emotion": emotion_name(row["label"]),
                "split": split_of(sentence_name(row["text"]), dev=0.06, test=0.06),
                "corpus": "korean-utterances",
            }


#: Where each data set lies in the data folder, and what turns it into rows.
SOURCES: dict[str, Callable[[Path, Path], Iterator[Row]]] = {
    "faces/fer2013.npz": fer2013,
    "faces/utkface.zip": utkface,
    "faces/aaf.zip": aaf,
    "speech/manifest.csv": speech,
    "speech/speechocean/manifest.csv": speechocean,
    "text/korean_utterances.csv": utterances,
}


def emotion_name(label: str) -> str:
    """Give a data set's label its name in the contract; empty when it is none of the seven."""
    name = _SYNONYMS.get(label, label)
    return name if name in EMOTIONS else ""


def main(arguments: list[str] | None = None) -> None:
    """Write a manifest with splits, e.g. to measure a server with `clients/evaluate.py`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--out", type=Path, required=True, help="receives manifest.csv")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    own = options.data / MANIFEST
    try:
        if own.exists():
            rows = [row_of(row, options.out) for row in read_manifest(own).samples]
            write_manifest(options.out / MANIFEST, rows)
        else:
            convert(options.data, options.out)
    except ManifestError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

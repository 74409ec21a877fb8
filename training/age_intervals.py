"""How far ages read from faces and voices are off: `python -m training.age_intervals --data DIR`.

Asks the served networks about people of known age and writes, for ages that a network reads,
between which true ages at least four of five such people are, in each corpus. The intervals are
fitted on `dev` and their coverage is measured on `test`; the networks have learnt from neither.

Quantiles of the error in bins of the age read; between the bins' centres the bounds are
interpolated.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from clients.errors import ManifestError
from clients.evaluation.asking import read_crop
from clients.evaluation.manifest import Sample
from training import metrics
from training.corpora import open_manifest
from training.serving_code import MODEL_REPOSITORY, front_end, served_network
from training.speech_data import voice_detector

log = logging.getLogger(__name__)

OUTPUT = MODEL_REPOSITORY / "recognize" / "1" / "age_intervals.json"
#: The share of people whose true age is inside.
COVERAGE = 0.8
#: The readings that a bin holds at least, and those of a corpus that has a say in its bounds.
BIN, LEAST = 200, 50


def read_ages(samples: Sequence[Sample], medium: str) -> np.ndarray:
    """Ask the served networks about each sample's face or speech.

    Returns:
        Years [N], the mean of a recording's windows; NaN where there is nothing to read.
    """
    read = {"face": _face_reader, "speech": _voice_reader}[medium]()
    return np.array([read(sample) for sample in tqdm(samples, medium, disable=None)])


def fit_interval(read: np.ndarray, true: np.ndarray, corpora: np.ndarray) -> list[list[float]]:
    """Find the bounds of the true age by the age read: wide enough for each corpus by itself.

    Args:
        read: Years that the network reads [N].
        true: The true ones [N].
        corpora: Whose they are [N].

    Returns:
        Rows of (years read, lower bound, upper bound), rising in the first.
    """
    rows = []
    for part in np.array_split(np.argsort(read), max(1, len(read) // BIN)):
        error = true[part] - read[part]
        groups = [error[corpora[part] == corpus] for corpus in np.unique(corpora[part])]
        # Of a few people quantiles say little.
        sure = [group for group in groups if len(group) >= LEAST] or [error]
        beyond = (1 - COVERAGE) / 2
        low = min(np.quantile(group, beyond) for group in sure)
        high = max(np.quantile(group, 1 - beyond) for group in sure)
        centre = float(np.median(read[part]))
        rows.append([round(float(value), 1) for value in (centre, centre + low, centre + high)])
    return rows


def covered(rows: list[list[float]], read: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Say for each age whether it is within its interval, as serving interpolates: bool [N]."""
    interval = front_end("recognize", "age_interval").AgeInterval(rows)
    bounds = np.array([interval.around(float(years)) for years in read])
    return (bounds[:, 0] <= true) & (true <= bounds[:, 1])


def _face_reader() -> Callable[[Sample], float]:
    network = served_network("age_gender")

    def read(sample: Sample) -> float:
        return float(network.run(["AGE"], {"CROPS": read_crop(sample.face)})[0].mean())

    return read


def _voice_reader() -> Callable[[Sample], float]:
    network = served_network("speech_cnn")
    hear = front_end("speech_frontend", "sound_worker").hear

    def read(sample: Sample) -> float:
        heard = hear(sample.speech.read_bytes(), None, voice_detector())
        if not heard.count:
            return float("nan")
        ages = network.run(["AGE"], {"MELS": heard.mels})[0].ravel()
        return float(np.average(ages, weights=heard.voice))

    return read


def main(arguments: list[str] | None = None) -> None:
    """Fit, measure, and write the intervals that `recognize` states."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="a folder as training takes it")
    parser.add_argument("--out", type=Path, default=Path("build/training"), help="its manifest")
    parser.add_argument(
        "--untaught",
        nargs="*",
        default=[],
        help="corpora that the networks have not learnt from: `train` is fitted on as well",
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    cv2.setNumThreads(1)
    try:
        manifest = open_manifest(options.data, options.out)
    except ManifestError as error:
        sys.exit(f"error: {error}")
    document: dict[str, object] = {"coverage": COVERAGE}
    for modality, medium in (("video", "face"), ("speech", "speech")):
        # The years that stand for an age group are nobody's.
        known = [row for row in manifest.having(medium, "age") if not row.age_group]
        held = ("dev", "test")
        samples = [row for row in known if row.split in held or row.corpus in options.untaught]
        read, true = read_ages(samples, medium), np.array([row.age for row in samples])
        is_test = np.array([row.split == "test" for row in samples])
        there = ~np.isnan(read)
        corpora = np.array([row.corpus for row in samples])
        fitted = there & ~is_test
        rows = fit_interval(read[fitted], true[fitted], corpora[fitted])
        document[modality] = rows
        _report(modality, rows, corpora, read, true, there & is_test)
    OUTPUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    log.info("wrote %s", OUTPUT)


def _report(
    modality: str,
    rows: list[list[float]],
    corpora: np.ndarray,
    read: np.ndarray,
    true: np.ndarray,
    chosen: np.ndarray,
) -> None:
    inside = np.zeros(len(read), bool)
    inside[chosen] = covered(rows, read[chosen], true[chosen])
    parts = {corpus: chosen & (corpora == corpus) for corpus in sorted({*corpora[chosen]})}
    writer = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    writer.writerow(["modality", "corpus", "people", "covered", "mean error in years"])
    for corpus, which in {"all": chosen, **parts}.items():
        error = metrics.mean_absolute_error(true[which], read[which])
        share = inside[which].mean()
        writer.writerow([modality, corpus, which.sum(), f"{share:.3f}", f"{error:.2f}"])


if __name__ == "__main__":
    main()

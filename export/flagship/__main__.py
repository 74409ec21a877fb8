"""Convert the original's own files: `python -m export.flagship --weights DIR --out build/flagship`.

It writes a model repository which the same ensembles serve:

    python -m server --model-repository build/flagship --model-repository ensemble

`--only` converts some networks, into a new folder or an earlier one; the others of a new folder
have no weights until they are converted too.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

# Before TensorFlow is loaded: it would fill the screen, and take a GPU that it does not need.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from export.flagship.errors import MissingPackageError, SourceError
from export.flagship.files import SLOTS, Files
from export.flagship.parity import INT8_REPORT, REPORT, ParityError, write_report
from export.flagship.repository import NETWORKS, prepare, write_morphemes
from export.flagship.word2vec import read_word2vec
from export.repository import WEIGHTS, RepositoryError
from server.variants import write_variants

log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> None:
    """Convert what the command line names.

    Raises:
        SourceError: A file is missing, or not what it is taken for.
        ParityError: A converted network answers differently from its source.
        MissingPackageError: A package for converting is not installed.
        RepositoryError: The folder `--out` holds something else.
    """
    options = _parsed(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    readers, convert = _converters(options.cut)
    files = Files(options.weights, dict(options.file))
    prepare(options.out)
    for name in options.only:
        report = convert(name, readers[name](files), options.out / name / "1" / WEIGHTS)
        if name == "text_encoder":
            write_morphemes(options.out, read_word2vec(files.find("word2vec")).words)
        write_report(options.out / name / REPORT, report)
        for line in report.lines():
            log.info("%s", line)
    if options.int8:
        _quantise(options.out, options.int8)
    write_variants(options.out)


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--weights", type=Path, required=True, help="a folder with the files, at any depth"
    )
    parser.add_argument("--out", type=Path, default=Path("build/flagship"))
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument(
        "--file",
        type=_slot,
        action="append",
        default=[],
        metavar="SLOT=PATH",
        help=f"the file of a slot, instead of searching: {', '.join(SLOTS)}",
    )
    parser.add_argument("--cut", metavar="LAYER", help="VGG-Face's layer of 4096, if not the usual")
    parser.add_argument(
        "--int8",
        type=Path,
        metavar="CROPS",
        help="quantise VGG-Face to int8, calibrated on this folder of face pictures",
    )
    return parser.parse_args(arguments)


def _slot(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if name not in SLOTS or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not SLOT=PATH of {', '.join(SLOTS)}")
    return name, Path(path)


def _converters(cut: str | None) -> tuple[dict[str, Callable], Callable]:
    """Import what needs TensorFlow."""
    try:
        from export.flagship import (
            age_gender,
            fusion,
            speech_cnn,
            text_encoder,
            vgg_face,
            video_emotion,
        )
        from export.flagship.conversion import convert
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"converting needs {error.name}: pip install -r requirements/flagship.txt"
        ) from error
    readers = {
        "vgg_face": lambda files: vgg_face.read(files, cut),
        "age_gender": age_gender.read,
        "video_emotion": video_emotion.read,
        "speech_cnn": speech_cnn.read,
        "text_encoder": text_encoder.read,
        "fusion": fusion.read,
    }
    return readers, convert


def _quantise(repository: Path, pictures: Path) -> None:
    from export.flagship.int8 import quantise

    report = quantise(repository / "vgg_face" / "1" / WEIGHTS, pictures)
    write_report(repository / "vgg_face" / INT8_REPORT, report)
    for line in report.lines():
        log.info("%s", line)


def run() -> None:
    """Run from the command line; what is wrong with the files ends it with one sentence."""
    try:
        main()
    except (SourceError, MissingPackageError, ParityError, RepositoryError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    run()

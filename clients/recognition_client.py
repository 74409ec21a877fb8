"""Recognise recordings: `python -m clients.recognition_client --help`."""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import sys
from collections.abc import Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from clients import command, timeline
from clients.contract import (
    AGE_BAND_CODES,
    AGE_CODE,
    AGE_HIGH_CODE,
    AGE_LOW_CODE,
    EMOTION_CODES,
    GENDER_CODES,
    MODALITIES,
)
from clients.drawing import draw
from clients.errors import (
    AccessDeniedError,
    RecogniserError,
    ServerUnavailableError,
)
from clients.inputs import Input, of_flags, of_paths
from clients.protocol import Recognition
from clients.recogniser import Recogniser

logger = logging.getLogger("recognition_client")

EXIT_CODES = """\
exit codes:
  0  answered
  1  the server failed, denied access, was too late or answered something unknown
  2  wrong usage, or a file that cannot be read, cut or written
  3  nobody answers at the address, or the server stayed too busy, after every retry
  4  the server cannot use any part of the input
  5  with --strict: answered, but something was wrong with a modality

Of several recordings the others are answered when one fails; the code is that of the first failure.
"""
LABELS = {
    **EMOTION_CODES,
    **GENDER_CODES,
    **{AGE_CODE: "age", AGE_LOW_CODE: "age_low", AGE_HIGH_CODE: "age_high"},
    **{code: f"age_from_{low:g}" for code, (low, _) in AGE_BAND_CODES.items()},
}
#: What is wrong with every recording; anything else costs its own only.
_RUN_FAULTS = (AccessDeniedError, ServerUnavailableError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.WARNING, format="%(name)s: %(levelname)s: %(message)s", stream=sys.stderr
    )
    _check_usage(parser, options)
    try:
        if options.timeline:
            timeline.check(options.timeline)
        inputs = _inputs(options)
        several = len(inputs) > 1
        with (
            Recogniser(command.connection(options)) as recogniser,
            _bar(len(inputs), "recording", several) as bar,
        ):
            codes = []
            for one in inputs:
                codes.append(_recognise(recogniser, one, options, several))
                bar.update()
    except (RecogniserError, OSError) as error:
        logger.error("%s", error)
        return command.exit_code(error)
    return next((code for code in codes if code), command.OK)


def _recognise(
    recogniser: Recogniser, one: Input, options: argparse.Namespace, several: bool
) -> int:
    """Recognise a recording and print its line; return the exit code that it deserves.

    Raises:
        RecogniserError, OSError: It cannot be recognised, and is the only one, or none can.
    """
    try:
        if one.fault is not None:
            raise one.fault
        recognition = _run(recogniser, one, options, several)
    except (RecogniserError, OSError) as error:
        if not several or isinstance(error, _RUN_FAULTS):
            raise
        logger.error("%s: %s", one.name, error)
        _print({"name": one.name, "error": str(error)})
        return command.exit_code(error)
    where = f"{one.name}: " if several else ""
    for modality, failure in recognition.failures.items():
        logger.warning("%s%s: %s", where, modality, failure)
    return command.INCOMPLETE if options.strict and recognition.failures else command.OK


def _run(
    recogniser: Recogniser, one: Input, options: argparse.Namespace, several: bool
) -> Recognition:
    if options.timeline:
        _write_timeline(recogniser, one, _own(options.timeline, one, several))
    features = MODALITIES if options.full or options.save_features else ()
    recognition = recogniser.recognise(one.media, features=features)
    name = {"name": one.name} if several or options.recordings else {}
    _print(name | _document(recognition, options))
    if options.save_features:
        _save_features(recognition, options.save_features / (one.slug if several else ""))
    if options.draw:
        faces = None if one.media.video is None else recogniser.faces(one.media)
        picture = _own(options.draw, one, several)
        picture.parent.mkdir(parents=True, exist_ok=True)
        draw(recognition, one.media, faces).save(picture, "PNG")
    return recognition


def _own(path: Path, one: Input, several: bool) -> Path:
    """Return where a recording's own file goes: with several, its name is put before the ending."""
    return path.with_name(f"{path.stem}-{one.slug}{path.suffix}") if several else path


def _write_timeline(recogniser: Recogniser, one: Input, path: Path) -> None:
    file = one.file if one.file is not None and one.file.is_file() else None
    with (
        timeline.timeline(path, one.name, file) as write,
        closing(recogniser.recognise_each(one.media)) as moments,
        _bar(None, "s", True) as bar,
    ):
        for moment in moments:
            write(moment)
            bar.total = moment.total and round(moment.total)
            bar.update(round(moment.end) - bar.n)


def _bar(total: int | None, unit: str, wanted: bool) -> Any:
    """Return a progress bar, which shows only on a terminal and where tqdm is installed."""
    if wanted and sys.stderr.isatty() and importlib.util.find_spec("tqdm"):
        from tqdm import tqdm

        return tqdm(total=total, unit=unit, leave=False)
    return nullcontext(_NoBar())


class _NoBar:
    """Stands where no progress is shown."""

    total: int | None = None
    n = 0

    def update(self, count: int = 1) -> None:
        """Show nothing."""


def _document(recognition: Recognition, options: argparse.Namespace) -> dict[str, Any]:
    if not options.full:
        return labelled(recognition.result) if options.labels else dict(recognition.result)
    document = labelled(recognition.document) if options.labels else recognition.document
    shapes = {name: list(rows.shape) for name, rows in recognition.features.items()}
    return document | {"features": shapes}


def labelled(part: Any) -> Any:
    """Return a part of a result with names in place of the codes that are keys, at any depth."""
    if isinstance(part, dict):
        return {LABELS.get(key, key): labelled(value) for key, value in part.items()}
    return [labelled(value) for value in part] if isinstance(part, list) else part


def _print(document: dict[str, Any]) -> None:
    print(json.dumps(document, ensure_ascii=False), flush=True)  # noqa: T201


def _save_features(recognition: Recognition, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in recognition.features.items():
        np.save(folder / f"{name}_feature.npy", rows)


def _check_usage(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    flagged = options.input_speech or options.input_video
    if options.recordings and (flagged or len(options.input_text) > 1):
        parser.error("beside RECORDING only one --input_text, which goes with each of them")
    if not options.recordings and not flagged and not options.input_text:
        parser.error(
            "give a RECORDING, or at least one of --input_text, --input_video, --input_speech"
        )
    command.check_server_options(parser, options)


def _inputs(options: argparse.Namespace) -> list[Input]:
    if options.recordings:
        text = next(iter(options.input_text), None)
        return of_paths(options.recordings, text, options.fps)
    return of_flags(options.input_text, options.input_speech, options.input_video, options.fps)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clients.recognition_client",
        description="Recognise emotion, age and gender; prints one JSON line a recording.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    media = parser.add_argument_group(
        "recordings", "Either paths, or flags; a flag may come again for the next recording."
    )
    media.add_argument(
        "recordings",
        metavar="RECORDING",
        nargs="*",
        type=Path,
        help="a film, a sound file, an image, a folder of images, which are the frames of one "
        "film, or a folder of these; images beside films or sounds are left out",
    )
    media.add_argument(
        "--input_text", metavar="SENTENCE", action="append", default=[], help="what is said"
    )
    media.add_argument(
        "--input_speech",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="a sound file",
    )
    media.add_argument(
        "--input_video",
        metavar="FILE|FOLDER",
        type=Path,
        action="append",
        default=[],
        help="a film (its sound is used without --input_speech) or a folder of frame images",
    )
    media.add_argument(
        "--fps",
        type=command.positive,
        default=10.0,
        help="frames a second of a folder (default 10)",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--full", action="store_true", help="print the whole result and the features' shapes"
    )
    output.add_argument("--labels", action="store_true", help="print names in place of codes")
    output.add_argument(
        "--timeline",
        metavar="FILE",
        type=Path,
        help="also recognise second by second, and write a row a second: .csv, .jsonl, .parquet "
        "(needs pyarrow), .vtt (WebVTT) or .eaf (ELAN)",
    )
    output.add_argument(
        "--save-features",
        metavar="FOLDER",
        type=Path,
        help="write text_feature.npy, speech_feature.npy and video_feature.npy; of several "
        "recordings into a folder for each",
    )
    output.add_argument(
        "--draw",
        metavar="FILE.png",
        type=Path,
        help="draw faces and probabilities; of several recordings, as of --timeline, into a file "
        "for each, with its name before the ending",
    )
    output.add_argument(
        "--strict", action="store_true", help="exit with 5 when a modality has an error code"
    )
    command.add_server_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())

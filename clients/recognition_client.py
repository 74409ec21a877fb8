"""Recognise one recording: `python -m clients.recognition_client --help`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clients import command
from clients.contract import MODALITIES
from clients.drawing import draw
from clients.errors import RecogniserError
from clients.media import Media
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
"""


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
    if options.input_text is None and options.input_video is None and options.input_speech is None:
        parser.error("give at least one of --input_text, --input_video, --input_speech")
    command.check_server_options(parser, options)
    try:
        recognition = _run(options)
    except (RecogniserError, OSError) as error:
        logger.error("%s", error)
        return command.exit_code(error)
    for modality, failure in recognition.failures.items():
        logger.warning("%s: %s", modality, failure)
    return command.INCOMPLETE if options.strict and recognition.failures else command.OK


def _run(options: argparse.Namespace) -> Recognition:
    media = Media(
        text=options.input_text,
        audio=options.input_speech,
        video=options.input_video,
        fps=options.fps,
    )
    features = MODALITIES if options.full or options.save_features else ()
    with Recogniser(command.connection(options)) as recogniser:
        recognition = recogniser.recognise(media, features=features)
        _print(recognition, full=options.full)
        if options.save_features:
            _save_features(recognition, options.save_features)
        if options.draw:
            faces = None if media.video is None else recogniser.faces(media)
            options.draw.parent.mkdir(parents=True, exist_ok=True)
            draw(recognition, media, faces).save(options.draw, "PNG")
    return recognition


def _print(recognition: Recognition, full: bool) -> None:
    document = recognition.result
    if full:
        shapes = {name: list(rows.shape) for name, rows in recognition.features.items()}
        document = recognition.document | {"features": shapes}
    print(json.dumps(document, ensure_ascii=False))  # noqa: T201


def _save_features(recognition: Recognition, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in recognition.features.items():
        np.save(folder / f"{name}_feature.npy", rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clients.recognition_client",
        description="Recognise emotion, age and gender; prints one JSON line.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    media = parser.add_argument_group("recording, at least one of")
    media.add_argument("--input_text", metavar="SENTENCE", help="what is said")
    media.add_argument("--input_speech", metavar="FILE", type=Path, help="a sound file")
    media.add_argument(
        "--input_video",
        metavar="FILE|FOLDER",
        type=Path,
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
    output.add_argument(
        "--save-features",
        metavar="FOLDER",
        type=Path,
        help="write text_feature.npy, speech_feature.npy and video_feature.npy",
    )
    output.add_argument(
        "--draw", metavar="FILE.png", type=Path, help="draw faces and probabilities"
    )
    output.add_argument(
        "--strict", action="store_true", help="exit with 5 when a modality has an error code"
    )
    command.add_server_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())

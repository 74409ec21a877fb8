"""What the training commands' command lines share."""

from __future__ import annotations

import argparse
import dataclasses
import logging
from pathlib import Path

import torch

from training.fit import Schedule


def parser(description: str | None) -> argparse.ArgumentParser:
    """Build a parser with the options that every training has."""
    result = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("--data", type=Path, required=True, help="the data folder")
    result.add_argument("--out", type=Path, default=Path("build/training"), help="checkpoints")
    result.add_argument("--epochs", type=int, help="instead of the network's own number")
    result.add_argument("--seed", type=int, default=0)
    result.add_argument("--threads", type=int, default=torch.get_num_threads())
    return result


def start(parser: argparse.ArgumentParser, arguments: list[str] | None) -> argparse.Namespace:
    """Parse, and set up logging and threads."""
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    torch.set_num_threads(options.threads)
    return options


def scaled(schedule: Schedule, options: argparse.Namespace) -> Schedule:
    """Apply the command line's epochs and seed to a network's own schedule."""
    epochs = options.epochs or schedule.epochs
    return dataclasses.replace(schedule, epochs=epochs, seed=options.seed)

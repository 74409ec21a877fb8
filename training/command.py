"""What the training commands' command lines share."""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from clients.errors import ManifestError
from training.corpora import open_manifest
from training.fit import Schedule
from training.manifest import Manifest

#: A file that says of a folder of checkpoints that they were made by `--quick`.
QUICK_MARK = "QUICK"
QUICK_EPOCHS = 2
#: Rows that `--quick` keeps of each medium, split and label.
QUICK_ROWS = 3
#: Parameters of mallopt, from glibc's malloc.h: blocks that are mapped one by one, and the free
#: bytes at the heap's end that are handed back.
_MMAP_MAX, _TRIM_THRESHOLD = -4, -1


class DeviceError(RuntimeError):
    """What `--device` asks for is not there."""


class QuickError(RuntimeError):
    """Checkpoints of `--quick`, which recognise nothing, would be taken for real ones."""


def parser(description: str | None) -> argparse.ArgumentParser:
    """Build a parser with the options that every training has."""
    result = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument(
        "--data", type=Path, required=True, help="a folder with manifest.csv or the known data sets"
    )
    result.add_argument(
        "--out", type=Path, help="checkpoints (build/training, with --quick build/quick)"
    )
    result.add_argument("--epochs", type=int, help="instead of the network's own number")
    result.add_argument("--seed", type=int, default=0)
    result.add_argument("--threads", type=int, default=torch.get_num_threads())
    result.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="cpu",
        help="where networks are trained: auto takes a CUDA graphics card where there is one "
        "(default %(default)s, which the served weights come from)",
    )
    result.add_argument(
        "--quick",
        action="store_true",
        help="try the command in seconds: a few rows, two epochs, untrained encoders",
    )
    return result


def start(parser: argparse.ArgumentParser, arguments: list[str] | None) -> argparse.Namespace:
    """Parse, and set up logging, device, threads and the folder of the checkpoints.

    Raises:
        DeviceError: There is no graphics card, and one is asked for.
        QuickError: The folder holds the other kind of checkpoints.
    """
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    options.device = choose_device(options.device)
    torch.set_num_threads(options.threads)
    _keep_memory()
    options.out = options.out or Path("build/quick" if options.quick else "build/training")
    _mark(options.out, options.quick)
    return options


def choose_device(name: str) -> str:
    """Have PyTorch make its tensors on a device, by the name that `--device` takes.

    Returns:
        "cpu" or "cuda".

    Raises:
        DeviceError: There is no graphics card, and one is asked for.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise DeviceError(
            f"--device cuda: expected a graphics card with CUDA, PyTorch {torch.__version__} sees "
            "none; auto goes on without"
        )
    chosen = "cuda" if there and name != "cpu" else "cpu"
    # Every call costs a little more once a default is set, so it is left where it is right.
    if torch.get_default_device().type != chosen:
        torch.set_default_device(chosen)
    # TF32 on graphics cards: 10 bits of a product's mantissa for several times the speed.
    torch.set_float32_matmul_precision("high" if chosen == "cuda" else "highest")
    torch.backends.cudnn.benchmark = chosen == "cuda"
    return chosen


def _keep_memory() -> None:
    """Have the C library keep freed memory for the next step, where it can be asked to.

    By default glibc hands large blocks back to the system and asks for new ones, whose pages have
    to be cleared at their first use. Of three trainings on one virtual machine that took half of
    the time.
    """
    ask = getattr(ctypes.CDLL(None), "mallopt", None)
    if ask:
        ask(_MMAP_MAX, 0)
        ask(_TRIM_THRESHOLD, 2**31 - 1)


def run(main: Callable[[], None]) -> None:
    """Run a command; say in one line, without a traceback, why data or folders cannot be used."""
    try:
        main()
    except (ManifestError, DeviceError, QuickError) as error:
        sys.exit(f"error: {error}")


def open_data(options: argparse.Namespace) -> Manifest:
    """Read the manifest of `--data`, or a few of its rows when the command is only tried."""
    manifest = open_manifest(options.data, options.out)
    return manifest.few(QUICK_ROWS) if options.quick else manifest


def scaled(schedule: Schedule, options: argparse.Namespace) -> Schedule:
    """Apply the command line's epochs and seed to a network's own schedule."""
    epochs = options.epochs or (QUICK_EPOCHS if options.quick else schedule.epochs)
    return dataclasses.replace(schedule, epochs=epochs, seed=options.seed)


def is_quick(checkpoints: Path) -> bool:
    """Tell whether a folder of checkpoints was made by `--quick`."""
    return (checkpoints / QUICK_MARK).exists()


def _mark(folder: Path, quick: bool) -> None:
    """Mark a new folder; refuse one of the other kind."""
    if folder.exists() and any(folder.iterdir()) and is_quick(folder) != quick:
        has, asked = ("real", "--quick") if quick else ("--quick", "real")
        raise QuickError(f"{folder} holds {has} checkpoints, {asked} ones need another --out")
    if quick:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / QUICK_MARK).touch()

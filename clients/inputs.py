"""The recordings that a command line names: sentences, files and folders."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.errors import UnreadableFileError
from clients.media import IMAGE_SUFFIXES, Media, natural_order
from clients.tracks import opened

logger = logging.getLogger("recognition_client")


@dataclass(frozen=True)
class Input:
    """One recording.

    Attributes:
        name: What it is called in the output: its path.
        slug: A name for its own files, different from all others'.
        media: The recording.
        file: The file that it mainly is, if any.
    """

    name: str
    slug: str
    media: Media
    file: Path | None


def of_flags(
    texts: Sequence[str], speeches: Sequence[Path], videos: Sequence[Path], fps: float
) -> list[Input]:
    """Return the recordings that repeated flags describe; what comes once goes with all.

    Raises:
        UnreadableFileError: The flags came differently often.
    """
    given = {"input_text": texts, "input_speech": speeches, "input_video": videos}
    count = max(map(len, given.values()))
    if uneven := [name for name, one in given.items() if len(one) not in (0, 1, count)]:
        came = ", ".join(f"--{name} {len(one)}" for name, one in given.items() if one)
        raise UnreadableFileError(
            f"--{uneven[0]}: expected once or as often as the others, came {came} times"
        )
    columns = [
        list(one) * count if len(one) == 1 else list(one) or [None] * count
        for one in given.values()
    ]
    recordings = [
        (Media(text=text, audio=speech, video=video, fps=fps), video or speech, text)
        for text, speech, video in zip(*columns, strict=True)
    ]
    return _named([(str(file or text), media, file) for media, file, text in recordings])


def of_paths(paths: Sequence[Path], text: str | None, fps: float) -> list[Input]:
    """Return the recordings at paths: each file, each folder of images, all files of other folders.

    Args:
        paths: Sound files, films, images, folders.
        text: The sentence that goes with each, if any.
        fps: Frames a second of folders of images.

    Raises:
        UnreadableFileError: A path cannot be read, or a folder holds no recording.
    """
    found = []
    for path in paths:
        if not path.is_dir():
            found.append((str(path), _media(path, text, fps), path))
            continue
        entries = sorted(_entries(path), key=natural_order)
        if any(entry.suffix.lower() in IMAGE_SUFFIXES for entry in entries):
            found.append((str(path), Media(text=text, video=path, fps=fps), path))
            continue
        held = [entry for entry in entries if entry.is_dir() or _is_recording(entry)]
        for entry in entries:
            if entry not in held:
                logger.warning("%s is no recording: left out", entry)
        if not held:
            raise UnreadableFileError(f"expected recordings in {path}, found none")
        found += [
            (
                str(entry),
                Media(text=text, video=entry, fps=fps)
                if entry.is_dir()
                else _media(entry, text, fps),
                entry,
            )
            for entry in held
        ]
    return _named(found)


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise UnreadableFileError(f"cannot list {folder}: {error.strerror}") from error


def _is_recording(path: Path) -> bool:
    with contextlib.suppress(UnreadableFileError), opened(path, "file") as recording:
        return recording.pictures is not None or recording.sound is not None
    return False


def _media(path: Path, text: str | None, fps: float) -> Media:
    """Take a file for what it is; what cannot be told is a film, and the server says the rest."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return Media(text=text, video=[path], fps=fps)
    with opened(path, "file") as recording:
        only_sound = recording.pictures is None and recording.sound is not None
    return Media(text=text, audio=path) if only_sound else Media(text=text, video=path)


def _named(found: Sequence[tuple[str, Media, Path | None]]) -> list[Input]:
    """Give each recording a name for its own files: its file's, numbered where it comes again."""
    seen: Counter[str] = Counter()
    inputs = []
    for name, media, file in found:
        stem = file.stem if file is not None else "text"
        seen[stem] += 1
        slug = stem if seen[stem] == 1 else f"{stem}-{seen[stem]}"
        inputs.append(Input(name, slug, media, file))
    return inputs

"""The recordings that a command line names: sentences, files and folders."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from clients.errors import RecogniserError, UnreadableFileError
from clients.media import IMAGE_SUFFIXES, Media, is_folder, natural_order
from clients.stills import STILL_ERRORS, open_still
from clients.tracks import opened

logger = logging.getLogger("recognition_client")

#: Images with these endings may be films.
ANIMATION_SUFFIXES = frozenset({".avif", ".gif", ".webp"})


@dataclass(frozen=True)
class Input:
    """One recording.

    Attributes:
        name: What it is called in the output: its path.
        slug: A name for its own files, different from all others'.
        media: The recording.
        file: The file that it mainly is, if any.
        fault: Why it cannot be read; its media are empty then.
    """

    name: str
    slug: str
    media: Media
    file: Path | None
    fault: RecogniserError | None = None


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
    """Return the recordings at paths; one that cannot be read is among them, with its `fault`.

    A folder whose files are images is one recording, of frames. Of other folders each film and
    each sound is one. A folder's own folders are looked at in the same way.

    Args:
        paths: Sound files, films, images, folders.
        text: The sentence that goes with each, if any.
        fps: Frames a second of folders of images.
    """
    found: list[tuple[str, Media | RecogniserError, Path | None]] = []
    for path in paths:
        for place, fault in _recordings(path):
            found.append((str(place), fault or _media(place, text, fps), place))
    return _named(found)


def _recordings(
    path: Path, above: frozenset[Path] = frozenset()
) -> Iterator[tuple[Path, UnreadableFileError | None]]:
    """Yield the files and the folders of frames at a path, and folders that hold neither.

    Args:
        path: A file or a folder.
        above: The folders that it was found in: a link may lead back to one of them.
    """
    if not is_folder(path):
        yield path, None
        return
    try:
        entries = sorted(_entries(path), key=natural_order)
    except UnreadableFileError as error:
        yield path, error
        return
    above |= {path.resolve()}
    images: list[Path] = []
    files: list[Path] = []
    inner: list[Path] = []  # these and folders, in the order of their names
    for entry in entries:
        if _is_still(entry):
            images.append(entry)
        elif is_folder(entry) and entry.resolve() not in above:
            inner.append(entry)
        elif _is_animation(entry) or _is_recording(entry):
            files.append(entry)
            inner.append(entry)
        else:
            logger.warning("%s is no recording: left out", entry)
    if not (images or inner):
        yield path, UnreadableFileError(f"expected recordings in {path}, found none")
    elif images and not files:
        yield path, None
    elif images:
        logger.warning(
            "%s: images beside films or sounds are left out, %d from %s on; frames of a film need "
            "a folder of their own",
            *(path, len(images), images[0].name),
        )
    for entry in inner:
        yield from _recordings(entry, above)


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise UnreadableFileError(f"cannot list {folder}: {error.strerror}") from error


def _is_recording(path: Path) -> bool:
    with contextlib.suppress(UnreadableFileError), opened(path, "file") as recording:
        return recording.pictures is not None or recording.sound is not None
    return False


def _is_still(path: Path) -> bool:
    image = path.suffix.lower() in IMAGE_SUFFIXES and not is_folder(path)
    return image and not _is_animation(path)


def _is_animation(path: Path) -> bool:
    """Tell whether a file is an animation, which is a film; pages of a TIFF are none."""
    if path.suffix.lower() not in ANIMATION_SUFFIXES or is_folder(path):
        return False
    try:
        with open_still(path.read_bytes()) as image:
            return bool(getattr(image, "is_animated", False))
    except (*STILL_ERRORS, Image.DecompressionBombError):
        return False


def _media(path: Path, text: str | None, fps: float) -> Media | RecogniserError:
    """Take a file for what it is; what cannot be told is a film, and the server says the rest."""
    if is_folder(path) or _is_animation(path):
        return Media(text=text, video=path, fps=fps)
    if _is_still(path):
        return Media(text=text, video=[path], fps=fps)
    try:
        with opened(path, "file") as recording:
            only_sound = recording.pictures is None and recording.sound is not None
    except UnreadableFileError as error:
        return error
    return Media(text=text, audio=path) if only_sound else Media(text=text, video=path)


def _named(found: Sequence[tuple[str, Media | RecogniserError, Path | None]]) -> list[Input]:
    """Give each recording a name for its own files: its file's, numbered where it comes again."""
    seen: Counter[str] = Counter()
    inputs = []
    for name, media, file in found:
        stem = file.stem if file is not None else "text"
        seen[stem] += 1
        slug = stem if seen[stem] == 1 else f"{stem}-{seen[stem]}"
        if isinstance(media, RecogniserError):
            inputs.append(Input(name, slug, Media(), file, media))
        else:
            inputs.append(Input(name, slug, media, file))
    return inputs

"""What the caller brings, and how it is read."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from clients.arrays import Pictures, Samples, is_number
from clients.errors import MediaTypeError, UnreadableFileError

#: Frames of a folder are the files with these endings: of every format that the server reads.
IMAGE_SUFFIXES = frozenset(
    (".avif", ".bmp", ".gif", ".heic", ".heif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
)

#: Where one encoded file may be: in memory, at a path, or in a file opened in binary.
Encoded = bytes | bytearray | memoryview | str | os.PathLike | BinaryIO


@dataclass(frozen=True)
class Media:
    """One recording: any of its three modalities.

    What is given as a file object is read to its end when the recording is made, so a film larger
    than memory is better given as a path. Other types than these raise `MediaTypeError` then.

    Attributes:
        text: A sentence.
        audio: An encoded sound file, or samples: `Samples(array, rate)` or `(array, rate)`. Without
            it the video's own sound track is heard.
        video: An encoded film; a folder of frame images, taken in natural order of their names;
            a sequence of encoded images or of RGB pictures, uint8 [H, W, 3]; or RGB pictures,
            uint8 [T, H, W, 3].
        fps: Frames a second of a folder or sequence of images; a film brings its own.
    """

    text: str | None = None
    audio: Encoded | Samples | tuple[np.ndarray, int] | None = None
    video: Encoded | Sequence[Encoded | np.ndarray] | np.ndarray | None = None
    fps: float = 10.0

    def __post_init__(self) -> None:
        """Take each medium for what it is: bytes, a path or a sequence of them.

        Raises:
            MediaTypeError: It is something else.
            UnreadableFileError: A file object cannot be read.
        """
        if not isinstance(self.text, str | None):
            raise MediaTypeError(f"text: expected a string, came {type(self.text).__name__}")
        if not is_number(self.fps) or not 0 < self.fps < float("inf"):
            raise MediaTypeError(f"fps: expected a positive number, came {self.fps!r}")
        object.__setattr__(self, "audio", _sound(self.audio))
        object.__setattr__(self, "video", _pictures(self.video))

    @property
    def film(self) -> bytes | Path | None:
        """The video when it is one encoded file."""
        if isinstance(self.video, bytes):
            return self.video
        return self.video if isinstance(self.video, Path) and not is_folder(self.video) else None

    def frames(self) -> Sequence[bytes | Path]:
        """Return the images when the video is given as such, in order; else nothing.

        Raises:
            UnreadableFileError: A folder without images.
        """
        if self.video is None or self.film is not None:
            return ()
        return frame_files(self.video) if isinstance(self.video, Path) else self.video


def _sound(source: object) -> bytes | Path | None:
    if source is None:
        return None
    if isinstance(source, tuple) and len(source) == 2:
        source = Samples(*source)
    if isinstance(source, Samples):
        return source.encoded()
    encoded = _encoded(source, "audio")
    if encoded is None:
        raise MediaTypeError(
            "audio: expected bytes, a path, a file opened in binary, Samples or (array, rate), "
            f"came {_described(source)}"
        )
    return encoded


def _pictures(source: object) -> bytes | Path | Sequence[bytes | Path] | None:
    if source is None or isinstance(source, Pictures):
        return source
    if isinstance(source, np.ndarray):
        return Pictures(source)
    if isinstance(source, Sequence) and not isinstance(
        source, str | bytes | bytearray | memoryview
    ):
        return tuple(_picture(one, index) for index, one in enumerate(source))
    encoded = _encoded(source, "video")
    if encoded is None:
        raise MediaTypeError(
            "video: expected bytes, a path, a file opened in binary, a sequence of images or "
            f"pictures uint8 [T, H, W, 3], came {_described(source)}"
        )
    return encoded


def _picture(source: object, index: int) -> bytes | Path:
    if isinstance(source, np.ndarray):
        return Pictures(source[None])[0]
    encoded = _encoded(source, f"video[{index}]")
    if encoded is None:
        raise MediaTypeError(
            f"video[{index}]: expected an encoded image or a picture uint8 [H, W, 3], "
            f"came {_described(source)}"
        )
    return encoded


def _encoded(source: object, name: str) -> bytes | Path | None:
    """Return where an encoded file is, or its bytes; None of anything else."""
    if isinstance(source, bytes):
        return source
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str | os.PathLike):
        return Path(os.fsdecode(source))
    if not hasattr(source, "read"):
        return None
    try:
        data = source.read()
    except (OSError, ValueError) as error:
        raise UnreadableFileError(f"{name}: cannot read {source!r:.80}: {error}") from error
    if not isinstance(data, bytes):
        came = type(data).__name__
        raise MediaTypeError(f"{name}: expected a file opened in binary, its read() gave {came}")
    return data


def _described(source: object) -> str:
    if isinstance(source, np.ndarray):
        return f"{source.dtype.name} {list(source.shape)} without a rate"
    return type(source).__name__


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder's; what cannot be a path at all is none."""
    try:
        return path.is_dir()
    except OSError:  # a name too long for any folder
        return False


def frame_files(folder: Path) -> list[Path]:
    """List a folder's images in natural order: frame2 comes before frame10.

    Raises:
        UnreadableFileError: The folder cannot be listed or has no images.
    """
    try:
        files = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    except OSError as error:
        raise UnreadableFileError(f"video: cannot list {folder}: {error.strerror}") from error
    if not files:
        endings = ", ".join(sorted(IMAGE_SUFFIXES))
        raise UnreadableFileError(f"video: expected images ({endings}) in {folder}, found none")
    return sorted(files, key=natural_order)


def natural_order(path: Path) -> list[tuple[int, str]]:
    """Return what to sort files by, so that 2 comes before 10."""
    parts = re.findall(r"\d+|\D+", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def read(source: bytes | Path, name: str) -> bytes:
    """Return what is encoded in memory or in a file.

    Args:
        source: The bytes themselves or where they are.
        name: What the error calls it, e.g. "audio".

    Raises:
        UnreadableFileError: The file cannot be read or holds nothing.
    """
    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
    except (OSError, ValueError) as error:
        raise unreadable(source, name, error) from error
    return filled(data, source, name)


def unreadable(source: bytes | Path, name: str, error: Exception) -> UnreadableFileError:
    """Return the error that names a file that cannot be read, and the cause."""
    cause = getattr(error, "strerror", None) or error
    return UnreadableFileError(f"{name}: cannot read {name_of(source)}: {cause}")


def filled(data: bytes, source: bytes | Path, name: str) -> bytes:
    """Return what was read of a source.

    Raises:
        UnreadableFileError: It is nothing.
    """
    if not data:
        where = "" if isinstance(source, bytes) else f" in {source}"
        raise UnreadableFileError(f"{name}: expected an encoded file, found 0 bytes{where}")
    return data


def name_of(source: bytes | Path) -> str:
    """Return what a message calls a source."""
    return f"{len(source)} bytes" if isinstance(source, bytes) else str(source)


def encode_text(text: str | None) -> bytes | None:
    """Return a sentence as UTF-8.

    Raises:
        UnreadableFileError: It holds half a character, as from a wrongly encoded command line.
    """
    try:
        return None if text is None else text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnreadableFileError(f"text: expected Unicode, found {error.object!r}") from error


class Span(NamedTuple):
    """Where in its recording a piece lies.

    Attributes:
        begin: Seconds from the start of the recording's sound, or of its pictures.
        seconds: How long it is, where that is known.
    """

    begin: float = 0.0
    seconds: float | None = None


UNPLACED = Span()


@dataclass(frozen=True)
class Chunk:
    """What one request carries: at most the server's 60 s, read into memory.

    Attributes:
        text: UTF-8.
        audio: An encoded sound file.
        film: An encoded film.
        frames: Encoded images, instead of a film.
        fps: Their frames a second.
        more: Whether other chunks of the same recording follow.
        sound_span: Where the sound lies.
        picture_span: Where the pictures lie.
    """

    text: bytes | None = None
    audio: bytes | None = None
    film: bytes | None = None
    frames: tuple[bytes, ...] = ()
    fps: float = 10.0
    more: bool = False
    sound_span: Span = UNPLACED
    picture_span: Span = UNPLACED

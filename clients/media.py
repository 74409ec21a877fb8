"""What the caller brings, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.errors import UnreadableFileError

#: Frames of a folder are the files with these endings.
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})


@dataclass(frozen=True)
class Media:
    """One recording: any of its three modalities.

    Attributes:
        text: A sentence.
        audio: An encoded sound file; without it the video's own sound track is heard.
        video: An encoded film, a folder of frame images (taken in natural order of their names),
            or the encoded images themselves.
        fps: Frames a second of a folder or sequence of images; a film brings its own.
    """

    text: str | None = None
    audio: bytes | str | Path | None = None
    video: bytes | str | Path | Sequence[bytes] | None = None
    fps: float = 10.0

    def __post_init__(self) -> None:
        """Take strings for what they mean: paths."""
        for name in ("audio", "video"):
            if isinstance(source := getattr(self, name), str):
                object.__setattr__(self, name, Path(source))

    @property
    def film(self) -> bytes | Path | None:
        """The video when it is one encoded file."""
        if isinstance(self.video, bytes):
            return self.video
        return self.video if isinstance(self.video, Path) and not _is_folder(self.video) else None

    def frames(self) -> Sequence[bytes | Path]:
        """Return the images when the video is given as such, in order; else nothing.

        Raises:
            UnreadableFileError: A folder without images.
        """
        if self.video is None or self.film is not None:
            return ()
        return frame_files(self.video) if isinstance(self.video, Path) else self.video


def _is_folder(path: Path) -> bool:
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
    return sorted(files, key=_natural_order)


def _natural_order(path: Path) -> list[tuple[int, str]]:
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
    except OSError as error:
        raise UnreadableFileError(f"{name}: cannot read {source}: {error.strerror}") from error
    if not data:
        where = "" if isinstance(source, bytes) else f" in {source}"
        raise UnreadableFileError(f"{name}: expected an encoded file, found 0 bytes{where}")
    return data


def encode_text(text: str | None) -> bytes | None:
    """Return a sentence as UTF-8.

    Raises:
        UnreadableFileError: It holds half a character, as from a wrongly encoded command line.
    """
    try:
        return None if text is None else text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnreadableFileError(f"text: expected Unicode, found {error.object!r}") from error


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
    """

    text: bytes | None = None
    audio: bytes | None = None
    film: bytes | None = None
    frames: tuple[bytes, ...] = ()
    fps: float = 10.0
    more: bool = False

"""What the page's tests publish, upload and hold before the camera: the demo clip, or generated."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

CLIP = Path(__file__).parents[3] / "demo" / "clip.mp4"
QUIET = ("ffmpeg", "-nostdin", "-loglevel", "error", "-y")
ENCODED = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac")
#: A sharp picture without a face.
FACELESS = ("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10:duration=4")


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run([*QUIET, *arguments], check=True)


def faceless(folder: Path) -> Path:
    """Write 4 s of speech beside pictures without a face."""
    path = folder / "faceless.mp4"
    ffmpeg(*FACELESS, "-i", CLIP, "-map", "0:v", "-map", "1:a", "-shortest", *ENCODED, path)
    return path


def silent(folder: Path) -> Path:
    """Write 4 s of pictures without a face beside silence."""
    path = folder / "silent.mp4"
    ffmpeg(*FACELESS, "-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono", "-shortest", *ENCODED, path)
    return path


def looped(folder: Path, times: int) -> Path:
    """Write the demo clip, again and again."""
    path = folder / "looped.mp4"
    ffmpeg("-stream_loop", str(times - 1), "-i", CLIP, "-c", "copy", path)
    return path


def sound(folder: Path) -> Path:
    """Write what is said in the demo clip."""
    path = folder / "sound.wav"
    ffmpeg("-i", CLIP, "-vn", path)
    return path


def pictures(folder: Path) -> Path:
    """Write the demo clip as Chromium takes it for a camera's."""
    path = folder / "camera.mjpeg"
    ffmpeg("-i", CLIP, "-an", "-c:v", "mjpeg", "-q:v", "3", path)
    return path


@contextlib.contextmanager
def publishing(address: str) -> Iterator[subprocess.Popen]:
    """Publish the demo clip in real time, again and again, to a bridge that listens."""
    publisher = subprocess.Popen(
        [*QUIET, "-re", "-stream_loop", "-1", "-i", CLIP, "-c", "copy", "-f", "flv", address]
    )
    try:
        yield publisher
    finally:
        publisher.terminate()
        publisher.wait()

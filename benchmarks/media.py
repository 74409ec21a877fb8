"""Clips of any length to measure with, made of the demo clip: 640x480, 30 frames a second, sound.

The demo clip's pictures and sound are repeated and encoded again (H.264, AAC). A clip is made once
and kept in build/benchmarks/media.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "demo"
OUT = ROOT / "build" / "benchmarks"
FPS = 30


def demo_sentence() -> str:
    """Return what is said in the demo clip."""
    return (DEMO / "sentence.txt").read_text(encoding="utf-8").strip()


def clip_of(seconds: int, folder: Path = OUT / "media") -> Path:
    """Make a clip of so many seconds, unless it is there already.

    Args:
        seconds: Its length.
        folder: Where it is kept.

    Returns:
        The file.
    """
    clip = folder / f"clip_{seconds}s.mp4"
    if not clip.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = clip.with_suffix(".part.mp4")
        _write(unfinished, seconds)
        unfinished.rename(clip)
    return clip


def _write(path: Path, seconds: int) -> None:
    pictures, picture_rate, samples, sample_rate = _read_demo()
    with av.open(str(path), "w", options={"movflags": "faststart"}) as output:
        video = output.add_stream("libx264", rate=FPS)
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt, video.options = "yuv420p", {"preset": "veryfast"}
        audio = output.add_stream("aac", rate=sample_rate, layout="mono")
        for index in range(seconds * FPS):
            picture = pictures[int(index / FPS * picture_rate) % len(pictures)]
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        output.mux(video.encode())
        sound = np.resize(samples, (1, seconds * sample_rate))
        frame = av.AudioFrame.from_ndarray(sound, "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, 0, Fraction(1, sample_rate)
        output.mux(audio.encode(frame))
        output.mux(audio.encode())


def _read_demo() -> tuple[list[np.ndarray], float, np.ndarray, int]:
    """Return the pictures, how many there are a second, the samples [n], and how many a second."""
    with av.open(str(DEMO / "clip.mp4")) as container:
        picture_rate = float(container.streams.video[0].average_rate)
        sample_rate = container.streams.audio[0].rate
        pictures, blocks = [], []
        for frame in container.decode(video=0, audio=0):
            if isinstance(frame, av.VideoFrame):
                pictures.append(frame.to_ndarray(format="rgb24"))
            else:
                blocks.append(frame.to_ndarray().mean(axis=0, dtype=np.float32))
    return pictures, picture_rate, np.concatenate(blocks), sample_rate

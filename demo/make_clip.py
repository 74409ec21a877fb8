"""Makes the demo clip: a portrait under slow pan and zoom, with synthesised Korean speech.

    pip install scikit-image && apt-get install espeak-ng
    python demo/make_clip.py --output demo/clip.mp4

The picture is the public-domain NASA portrait that scikit-image ships; the speech is the line in
`sentence.txt`, spoken by espeak-ng. See README.md beside this file for origins and licences.
"""

from __future__ import annotations

import argparse
import io
import math
import subprocess
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

HERE = Path(__file__).parent


@dataclass(frozen=True)
class View:
    """What the camera sees of the portrait: a 4:3 window, in the portrait's pixels."""

    centre_x: float
    centre_y: float
    width: float

    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        half_width, half_height = self.width / 2, self.width * 3 / 8
        return (
            self.centre_x - half_width,
            self.centre_y - half_height,
            self.centre_x + half_width,
            self.centre_y + half_height,
        )


@dataclass(frozen=True)
class Clip:
    """How the clip is made. The face spans a quarter to a third of the picture's width."""

    width: int = 640
    height: int = 480
    fps: int = 25
    first: View = View(centre_x=236, centre_y=145, width=384)
    last: View = View(centre_x=218, centre_y=128, width=310)
    voice: str = "ko+f3"
    words_per_minute: int = 160
    pitch: int = 60
    #: Speech of this root-mean-square level, in dB below full scale, sounds like a near voice.
    level_db: float = -20.0
    #: Digital silence between the sentences would be unlike any microphone.
    room_noise_db: float = -60.0
    margin_seconds: float = 0.3
    video_quality: int = 23
    audio_bits_per_second: int = 48_000


def speak(sentence: str, clip: Clip) -> tuple[np.ndarray, int]:
    """Synthesises the sentence with espeak-ng.

    Returns:
        Samples in [-1, 1] at the clip's level, with a quiet margin at both ends, and their rate.

    Raises:
        FileNotFoundError: espeak-ng is not installed.
    """
    settings = ["-v", clip.voice, "-s", str(clip.words_per_minute), "-p", str(clip.pitch)]
    spoken = subprocess.run(
        ["espeak-ng", *settings, "--stdin", "--stdout"],
        input=sentence.encode(),
        capture_output=True,
        check=True,
    ).stdout
    with wave.open(io.BytesIO(spoken)) as sound:
        rate = sound.getframerate()
        # The length in the header of a piped file is a placeholder: read what is there.
        samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16) / 32768
    audible = np.flatnonzero(np.abs(samples) > 0.01)
    samples = samples[audible[0] : audible[-1] + 1]
    samples = samples * (_amplitude(clip.level_db) / np.sqrt(np.mean(samples**2)))
    samples = np.pad(samples, round(clip.margin_seconds * rate))
    noise = np.random.default_rng(0).normal(0, _amplitude(clip.room_noise_db), samples.shape)
    return np.clip(samples + noise, -1, 1), rate


def _amplitude(decibels: float) -> float:
    return 10 ** (decibels / 20)


def pictures(portrait: Image.Image, count: int, clip: Clip) -> Iterator[Image.Image]:
    """Moves the view from the first to the last one, slow at both ends."""
    for index in range(count):
        progress = (1 - math.cos(math.pi * index / (count - 1))) / 2
        view = View(
            centre_x=_between(clip.first.centre_x, clip.last.centre_x, progress),
            centre_y=_between(clip.first.centre_y, clip.last.centre_y, progress),
            width=_between(clip.first.width, clip.last.width, progress),
        )
        yield portrait.resize((clip.width, clip.height), Image.Resampling.LANCZOS, view.box())


def _between(start: float, end: float, progress: float) -> float:
    return start + (end - start) * progress


def write(portrait: Image.Image, samples: np.ndarray, rate: int, clip: Clip, output: Path) -> None:
    """Encodes pictures (H.264) and sound (AAC, mono) into an MP4 that starts playing at once."""
    frame_count = math.ceil(len(samples) / rate * clip.fps)
    with av.open(output, "w", options={"movflags": "faststart"}) as container:
        video = container.add_stream("libx264", rate=clip.fps)
        video.width, video.height, video.pix_fmt = clip.width, clip.height, "yuv420p"
        video.options = {"crf": str(clip.video_quality), "preset": "slow"}
        audio = container.add_stream("aac", rate=rate, layout="mono")
        audio.bit_rate = clip.audio_bits_per_second
        for picture in pictures(portrait, frame_count, clip):
            container.mux(video.encode(av.VideoFrame.from_image(picture)))
        container.mux(video.encode())
        sound = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "fltp", "mono")
        sound.sample_rate, sound.pts, sound.time_base = rate, 0, Fraction(1, rate)
        container.mux(audio.encode(sound))
        container.mux(audio.encode())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=HERE / "clip.mp4")
    parser.add_argument("--sentence", type=Path, default=HERE / "sentence.txt")
    arguments = parser.parse_args()
    from skimage.data import astronaut  # only this script needs scikit-image

    clip = Clip()
    samples, rate = speak(arguments.sentence.read_text(encoding="utf-8").strip(), clip)
    write(Image.fromarray(astronaut()), samples, rate, clip, arguments.output)


if __name__ == "__main__":
    main()

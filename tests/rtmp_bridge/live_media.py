"""Small streams, published or written when a test needs them."""

from __future__ import annotations

import argparse
import time
from fractions import Fraction

import av
import numpy as np

RATE = 44_100
BLOCK = 1024


def write_stream(
    address: str,
    seconds: float,
    fps: int = 25,
    size: tuple[int, int] = (128, 96),
    pictures: bool = True,
    sound: bool = True,
    container: str = "flv",
    codec: str = "libx264",
    paced: bool = False,
) -> None:
    """Write pictures, each another grey, and AAC noise to a file or a server.

    Paced, it takes as long as it lasts, as a camera does; otherwise it goes as fast as it can.
    """
    with av.open(address, "w", format=container) as output:
        video = audio = None
        if pictures:
            video = output.add_stream(codec, rate=fps)
            video.width, video.height, video.pix_fmt = *size, "yuv420p"
            if codec == "libx264":
                video.options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(fps)}
        if sound:
            audio = output.add_stream("aac", rate=RATE, layout="mono")
        noise = np.random.default_rng(0).uniform(-0.3, 0.3, (1, BLOCK)).astype(np.float32)
        blocks, begin = 0, time.monotonic()
        for index in range(round(seconds * fps)):
            if paced:
                time.sleep(max(0.0, begin + index / fps - time.monotonic()))
            if video is not None:
                picture = np.full((size[1], size[0], 3), index * 3 % 251, np.uint8)
                output.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            while audio is not None and blocks * BLOCK / RATE < (index + 1) / fps:
                output.mux(audio.encode(sound_block(noise, blocks)))
                blocks += 1
        for stream in filter(None, (video, audio)):
            output.mux(stream.encode(None))


def sound_block(samples: np.ndarray, number: int) -> av.AudioFrame:
    """Return float samples [1, BLOCK] as the block of a number."""
    block = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
    block.sample_rate, block.pts, block.time_base = RATE, number * BLOCK, Fraction(1, RATE)
    return block


def picture(value: int = 0, size: tuple[int, int] = (64, 48)) -> av.VideoFrame:
    """Return a plain picture."""
    return av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), value, np.uint8), "rgb24")


def tone(seconds: float = 0.1, rate: int = 16_000, level: float = 0.25) -> av.AudioFrame:
    """Return a block of constant samples."""
    samples = np.full((1, round(seconds * rate)), level, np.float32)
    block = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
    block.sample_rate = rate
    return block


def main() -> None:
    """Write a stream as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--paced", action="store_true")
    parser.add_argument("--size", type=int, nargs=2, default=(128, 96))
    options = parser.parse_args()
    write_stream(options.address, options.seconds, size=tuple(options.size), paced=options.paced)


if __name__ == "__main__":
    main()

"""Media made for the tests out of the demo clip, so that nothing has to be downloaded."""

from __future__ import annotations

import io

import av
import numpy as np
from audio import decode_audio
from PIL import Image


def frames(clip: bytes, fps: float = 10.0) -> list[np.ndarray]:
    """Decode a video to RGB frames uint8 [H, W, 3] at about `fps`."""
    with av.open(io.BytesIO(clip)) as container:
        step = max(1, round(float(container.streams.video[0].average_rate) / fps))
        decoded = enumerate(container.decode(video=0))
        return [frame.to_ndarray(format="rgb24") for number, frame in decoded if number % step == 0]


def film(pictures: list[np.ndarray], fps: int = 10) -> bytes:
    """Encode RGB frames as a silent H.264 video."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": "8"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))
    return target.getvalue()


def jpegs(pictures: list[np.ndarray]) -> list[bytes]:
    """Encode RGB frames as JPEG files."""
    files = []
    for picture in pictures:
        target = io.BytesIO()
        Image.fromarray(picture).save(target, "JPEG", quality=92)
        files.append(target.getvalue())
    return files


def looped(items: list, count: int) -> list:
    """Repeat a sequence there and back, so that it never jumps, up to `count` items."""
    there_and_back = items + items[-2:0:-1]
    return [there_and_back[number % len(there_and_back)] for number in range(count)]


def voice(clip: bytes, seconds: float) -> np.ndarray:
    """Return what is said in the demo clip, over and over, float32 [S] at 16 kHz."""
    return np.resize(decode_audio(clip, "VIDEO")[4_000:84_000], int(16_000 * seconds))

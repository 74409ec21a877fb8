"""Small real recordings, encoded when a test needs them."""

from __future__ import annotations

import io
import wave
from fractions import Fraction

import av
import numpy as np


def noise(seconds: float, rate: int = 8000, channels: int = 1) -> np.ndarray:
    """Return int16 [samples, channels]; any two places of it differ."""
    shape = (round(seconds * rate), channels)
    return np.random.default_rng(0).integers(-8000, 8000, shape).astype(np.int16)


def wav(samples: np.ndarray, rate: int = 8000) -> bytes:
    """Encode int16 [samples, channels]."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(samples.shape[1])
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples.tobytes())
    return file.getvalue()


def samples_of(data: bytes) -> np.ndarray:
    """Decode a WAV file to int16 [samples, channels]."""
    with wave.open(io.BytesIO(data)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
        return samples.reshape(-1, sound.getnchannels())


def film(
    seconds: float,
    fps: int = 5,
    key_seconds: float = 8,
    sound: np.ndarray | None = None,
    container: str = "mp4",
    options: dict[str, str] | None = None,
) -> bytes:
    """Encode a small film whose every picture differs, and int16 [samples, 1] at 8 kHz."""
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=options or {}) as output:
        video = output.add_stream("libx264", rate=fps)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        interval = str(round(key_seconds * fps))
        video.options = {"preset": "ultrafast", "g": interval, "bf": "2", "sc_threshold": "0"}
        audio = output.add_stream("aac", rate=8000, layout="mono") if sound is not None else None
        for index in range(round(seconds * fps)):
            picture = np.full((48, 64, 3), index % 251, np.uint8)
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        output.mux(video.encode())
        if audio is not None:
            block = av.AudioFrame.from_ndarray(sound.T.astype(np.float32) / 32768, "fltp", "mono")
            block.sample_rate, block.pts, block.time_base = 8000, 0, Fraction(1, 8000)
            output.mux(audio.encode(block))
            output.mux(audio.encode())
    return file.getvalue()


def pictures_of(data: bytes) -> list[np.ndarray]:
    """Decode a film."""
    with av.open(io.BytesIO(data)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def seconds_of(data: bytes) -> float:
    """Return what a file says of its length."""
    with av.open(io.BytesIO(data)) as container:
        return container.duration / av.time_base


def encoded_sound(
    codec: str, rate: int, layout: str, seconds: float, container: str, into: bytes | None = None
) -> bytes:
    """Encode noise in any layout; with `into`, beside the pictures of a film."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        pictures = [] if into is None else _copied_pictures(into, output)
        channels = stream.layout.nb_channels
        samples = noise(seconds, rate, channels).reshape(1, -1)
        for start in range(0, samples.shape[1], 1024 * channels):
            part = np.ascontiguousarray(samples[:, start : start + 1024 * channels])
            block = av.AudioFrame.from_ndarray(part, "s16", layout)
            block.sample_rate, block.time_base = rate, Fraction(1, rate)
            block.pts = start // channels
            output.mux(stream.encode(block))
        output.mux(stream.encode(None))
        output.mux(pictures)
    return file.getvalue()


def _copied_pictures(film: bytes, output: av.container.OutputContainer) -> list[av.Packet]:
    with av.open(io.BytesIO(film)) as container:
        copy = output.add_stream_from_template(container.streams.video[0])
        packets = [packet for packet in container.demux(video=0) if packet.size]
    for packet in packets:
        packet.stream = copy
    return packets

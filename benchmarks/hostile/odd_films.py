"""Films that no camera makes."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
import numpy as np

from benchmarks.hostile.odd_sounds import LAYOUT_71, frames_of_eight_channels
from benchmarks.hostile.seeds import FPS, Source

#: Pictures from one key frame to the next.
_GROUP = 60
_FLV_HEAD = 9 + 4
_FLV_TAG_HEAD = 11
#: What a picture is turned and scaled by in MP4: nine numbers, fixed point.
MATRICES = {
    "zero": (0,) * 9,
    "mirrored": (-(1 << 16), 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30),
    "enormous": ((1 << 31) - 1,) * 9,
    "flat": (1 << 16, 0, 0, 1 << 16, 0, 0, 0, 0, 1 << 30),
    "slanted": (46_341, 46_341, 0, -46_341, 46_341, 0, 0, 0, 1 << 30),
}


def plain_film(width: int, height: int, fps: int, seconds: int = 1) -> bytes:
    """Write a grey H.264 film: any number of pixels in a few kilobytes a second.

    Args:
        width: Even.
        height: Even.
        fps: Pictures a second.
        seconds: Its length. A few pictures are encoded, and their packets repeated.
    """
    target = io.BytesIO()
    with av.open(target, "w", format="mp4", options={"fflags": "bitexact"}) as output:
        options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": f"keyint={_GROUP}"}
        stream = output.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        packets = _encoded_group(stream, width, height, fps)
        for number in range(seconds * fps):
            packet = av.Packet(packets[number % _GROUP])
            packet.stream, packet.time_base = stream, Fraction(1, fps)
            packet.pts = packet.dts = number
            packet.is_keyframe = number % _GROUP == 0
            output.mux(packet)
    return target.getvalue()


def film_with_eight_channels(source: Source) -> bytes:
    """Write the source as H.264 with ordinary 7.1 AAC."""
    rate = 48_000
    target = io.BytesIO()
    with av.open(target, "w", format="mp4", options={"fflags": "bitexact"}) as output:
        video = output.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        video.height, video.width = source.pictures[0].shape[:2]
        video.pix_fmt = "yuv420p"
        audio = output.add_stream("aac", rate=rate, layout=LAYOUT_71)
        for picture in source.pictures:
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(video.encode(None))
        for frame in frames_of_eight_channels(source.samples, rate):
            output.mux(audio.encode(frame))
        output.mux(audio.encode(None))
    return target.getvalue()


def film_of_many_tracks(source: Source, tracks: int = 100) -> bytes:
    """Write pictures with many sound tracks."""
    target = io.BytesIO()
    with av.open(target, "w", format="nut", options={"fflags": "bitexact"}) as output:
        video = output.add_stream("mpeg4", rate=FPS)
        video.height, video.width = source.pictures[0].shape[:2]
        video.pix_fmt = "yuv420p"
        sounds = [output.add_stream("pcm_s16le", rate=8_000, layout="mono") for _ in range(tracks)]
        for picture in source.pictures:
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(video.encode(None))
        for stream in sounds:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 8_000, 0, Fraction(1, 8_000)
            output.mux(stream.encode(frame))
    return target.getvalue()


def with_timestamps(flv: bytes, milliseconds: Sequence[int]) -> bytes:
    """Give the tags of an FLV file other timestamps.

    Args:
        flv: The file.
        milliseconds: One for each tag, repeated when there are more tags; 0..2**32-1.
    """
    tags = []
    for number, tag in enumerate(_flv_tags(flv)):
        stamp = milliseconds[number % len(milliseconds)] & 0xFFFF_FFFF
        field = struct.pack(">I", stamp)
        tags.append(tag[:4] + field[1:] + field[:1] + tag[8:])
    return flv[:_FLV_HEAD] + b"".join(tags)


def with_matrix(mp4: bytes, matrix: Sequence[int]) -> bytes:
    """Give the first track of an MP4 file another display matrix, of `MATRICES`."""
    place = mp4.index(b"tkhd") + 4 + 40  # a version 0 box
    return mp4[:place] + struct.pack(">9i", *matrix) + mp4[place + 36 :]


def sound_with_cover(mp3: bytes, picture: bytes, kind: str = "image/png") -> bytes:
    """Put a cover picture before an MP3 file, which FFmpeg looks at to know what it is."""
    content = b"\0" + kind.encode() + b"\0\x03\0" + picture
    frame = b"APIC" + struct.pack(">I", len(content)) + b"\0\0" + content
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frame + mp3


def subtitles_alone(text: str) -> bytes:
    """Write a Matroska file that holds nothing but subtitles, given as SubRip."""
    target = io.BytesIO()
    options = {"fflags": "bitexact"}
    with (
        av.open(io.BytesIO(text.encode()), format="srt") as subtitles,
        av.open(target, "w", format="matroska", options=options) as output,
    ):
        stream = output.add_stream_from_template(subtitles.streams[0])
        for packet in subtitles.demux():
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    return target.getvalue()


def _encoded_group(stream: av.VideoStream, width: int, height: int, fps: int) -> list[bytes]:
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane in frame.planes:
        plane.update(b"\x80" * plane.buffer_size)
    packets = []
    for number in range(_GROUP):
        frame.pts, frame.time_base = number, Fraction(1, fps)
        packets += stream.encode(frame)
    return [bytes(packet) for packet in [*packets, *stream.encode(None)]]


def _flv_tags(flv: bytes) -> Iterator[bytes]:
    """Yield each tag with the size that follows it."""
    place = _FLV_HEAD
    while place + _FLV_TAG_HEAD <= len(flv):
        size = int.from_bytes(flv[place + 1 : place + 4], "big") + _FLV_TAG_HEAD + 4
        yield flv[place : place + size]
        place += size

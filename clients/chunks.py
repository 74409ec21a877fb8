"""Recordings longer than one request may be: cut into chunks, and their answers combined.

Every chunk is sent with context rows of the chunks before it, spread evenly over them, so the
last answer speaks for the whole recording although each second travels and is embedded once.

Where the cuts fall:

- Sound is decoded and sent as 16-bit WAV. Neighbours share one second, the difference between the
  server's window (2 s) and hop (1 s), so the windows are those of the uncut recording.
- A film's pictures are not encoded again: its packets are copied from key frame to key frame, so
  every picture is what it was. Parts therefore differ in length and the crops, 4 a second, may
  fall up to 1/8 s from where they would in the uncut film. The sound track travels apart, as above.
- Frame images are sent as they are.
"""

from __future__ import annotations

import io
import itertools
import logging
import math
import wave
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np

from clients.containers import cause_of
from clients.contract import LIMITS, SPEECH_STRIDE, SPEECH_WINDOW
from clients.errors import InputRefusedError, UncuttableMediaError, UnreadableFileError
from clients.media import Chunk, Media, encode_text, read
from clients.protocol import Call, Context, Recognition, recognise_call
from clients.recordings import (
    OPEN_ERRORS,
    decode,
    duration,
    open_recording,
    packets,
    picture_stream,
)
from clients.resampling import Resampler, SoundLimitError, check_rate

logger = logging.getLogger(__name__)

#: Seconds that neighbouring pieces of sound share.
SOUND_OVERLAP = SPEECH_WINDOW - SPEECH_STRIDE
#: More than what speech models hear; keeps a minute of WAV far below the server's byte limit.
MAX_SOUND_RATE = 48_000
#: What a modality's report says about whether it could be used.
VERDICT = ("error_code", "message", "message_ko")
#: What decoding the sound of a recording that could be opened raises.
SOUND_ERRORS = (SoundLimitError, av.FFmpegError)


def cut(media: Media) -> Iterator[Chunk]:
    """Yield a recording as chunks within the server's limits; most recordings are one chunk.

    A modality that ends before another is absent from the later chunks. Files that cannot be
    decoded are passed on as they are: what is wrong with them is the server's to say.

    Raises:
        UnreadableFileError: A file cannot be read.
        UncuttableMediaError: A long film's key frames lie too far apart.
    """
    text = encode_text(media.text)
    long_film = media.film is not None and _is_long(media.film)
    parts = (_sounds(media, long_film), _films(media, long_film), _frame_groups(media))
    pieces = itertools.zip_longest(*parts)
    # A recording without sound and pictures is still one chunk: its text.
    current = next(pieces, (None, None, None))
    while current is not None:
        following = next(pieces, None)
        audio, film, frames = current
        yield Chunk(text, audio, film, frames or (), media.fps, more=following is not None)
        current = following


class Combination:
    """The chunks of one recording on their way to one answer."""

    def __init__(self, past: Context, features: Collection[str], context: bool) -> None:
        """Begin a recording.

        Args:
            past: Rows of what came before it in the same stream.
            features: The modalities whose features the answer shall hold.
            context: Whether the answer shall hold the recording's own context rows.
        """
        self._past = past
        self._own = Context()
        self._features = features
        self._context = context
        self._answer: Recognition | None = None
        self._refusals: list[InputRefusedError] = []
        self._well: dict[str, dict[str, Any]] = {}
        self._failures: list[tuple[str, str]] = []

    def call(self, chunk: Chunk) -> Call:
        """Return the request for the next chunk."""
        past = self._past.then(self._own).within_limits()
        if chunk.more:
            return recognise_call(chunk, past, context=True)
        return recognise_call(chunk, past, self._features, self._context)

    def add(self, answer: Recognition) -> None:
        """Take the chunk's answer, which already speaks for those before it."""
        self._answer = answer
        self._own = self._own.then(answer.context)
        self._failures += answer.failures.items()
        for name, report in answer.modalities.items():
            if name not in answer.failures:
                self._well[name] = {key: report[key] for key in VERDICT}

    def refused(self, refusal: InputRefusedError) -> None:
        """Take note of a chunk that the server could not use, e.g. a silent minute."""
        # Its traceback names this recording's frames, which name it: the media would stay.
        self._refusals.append(refusal.with_traceback(None))

    def result(self) -> Recognition:
        """Return the answer for the whole recording.

        A modality that could be used in any chunk is well: the others' parts are left out of it.

        Raises:
            InputRefusedError: No chunk could be used.
        """
        if self._answer is None:
            raise self._refusals.pop()
        for refusal in self._refusals:
            logger.warning("a part of the recording was left out: %s", refusal)
        for name, failure in self._failures:
            if name in self._well:
                logger.warning("a part of the %s was left out: %s", name, failure)
        reports = self._answer.modalities.items()
        modalities = {name: report | self._well.get(name, {}) for name, report in reports}
        return replace(
            self._answer,
            document=self._answer.document | {"modalities": modalities},
            context=self._own if self._context else Context(),
        )


def _sounds(media: Media, long_film: bool) -> Iterator[bytes]:
    if media.audio is not None:
        if not _is_long(media.audio):
            yield read(media.audio, "audio")
            return
        found = False
        try:
            for piece in _wav_pieces(media.audio):
                found = True
                yield piece
        except SOUND_ERRORS as error:
            message = f"audio: cannot cut {_name(media.audio)}: {cause_of(error)}"
            raise UnreadableFileError(message) from error
        if not found:
            raise UnreadableFileError(f"audio: expected sound, found none in {_name(media.audio)}")
    elif long_film:  # a short film carries its own sound track
        try:
            yield from _wav_pieces(media.film)
        except SOUND_ERRORS as error:
            logger.warning("the film's sound is left out from here on: %s", cause_of(error))


def _films(media: Media, long_film: bool) -> Iterator[bytes]:
    if media.film is None:
        return
    if not long_film:
        yield read(media.film, "video")
        return
    with open_recording(media.film) as container:
        starts = _key_frame_cuts(_packet_list(container))
    if not starts:
        raise UnreadableFileError(f"video: expected pictures, found none in {_name(media.film)}")
    with open_recording(media.film) as container:
        stream = picture_stream(container)
        copied = itertools.islice(_picture_packets(container), starts[0], None)
        for start, end in itertools.pairwise([*starts, None]):
            yield _remux(stream, itertools.islice(copied, None if end is None else end - start))


def _frame_groups(media: Media) -> Iterator[tuple[bytes, ...]]:
    group: list[bytes] = []
    most = max(1, min(LIMITS.frames, int(LIMITS.seconds * media.fps)))
    for source in media.frames():
        frame = read(source, "video")
        if len(group) == most or sum(map(len, group)) + len(frame) > LIMITS.frame_bytes:
            yield tuple(group)
            group = []
        group.append(frame)
    if group:
        yield tuple(group)


def _is_long(source: bytes | Path) -> bool:
    """Say whether a recording needs cutting; what cannot be opened does not."""
    try:
        with open_recording(source) as container:
            return duration(container) > LIMITS.seconds + LIMITS.seconds_tolerance
    except OPEN_ERRORS:
        return False


def _name(source: bytes | Path) -> str:
    return f"{len(source)} bytes" if isinstance(source, bytes) else str(source)


def _wav_pieces(source: bytes | Path) -> Iterator[bytes]:
    """Cut sound into WAV files of nearly equal whole seconds that overlap by one.

    The last piece takes what is left, unless that holds no window which is not in the others.

    Raises:
        SoundLimitError, av.FFmpegError: It cannot be decoded any further.
    """
    with open_recording(source) as container:
        if not container.streams.audio:
            return
        stream = container.streams.audio[0]
        check_rate(stream.rate)
        length = duration(container)
        count = math.ceil((length - SOUND_OVERLAP) / (LIMITS.seconds - SOUND_OVERLAP))
        step = math.ceil((length - SOUND_OVERLAP) / count)
        rate = min(stream.rate, MAX_SOUND_RATE)
        step_size, piece_size = step * rate, (step + SOUND_OVERLAP) * rate
        held: list[np.ndarray] = []
        pieces = 0
        for block in _decoded(container, stream, rate):
            held.append(block)
            if sum(map(len, held)) >= piece_size:
                samples = np.concatenate(held)
                yield _wav(samples[:piece_size], rate)
                held = [samples[step_size:]]
                pieces += 1
        rest = sum(map(len, held))
        # Nothing shorter than one of the server's windows is worth a request of its own.
        if rest >= SPEECH_WINDOW * rate or (rest and not pieces):
            yield _wav(np.concatenate(held), rate)


def _decoded(
    container: av.container.InputContainer, stream: av.AudioStream, rate: int
) -> Iterator[np.ndarray]:
    """Yield int16 blocks [n, channels] with as many channels as the track declares, at most 2."""
    resampler = Resampler("s16", rate)
    channels = min(stream.channels, 2)
    for frame in decode(container, stream):
        for block in resampler.resample(frame):
            yield _with_channels(block, channels)
    for block in resampler.flush():
        yield _with_channels(block, channels)


def _with_channels(block: np.ndarray, channels: int) -> np.ndarray:
    """Bring int16 [n, any] to so many channels: where they differ, to their mean."""
    if block.shape[1] == channels:
        return block
    mean = np.rint(block.mean(axis=1, dtype=np.float32, keepdims=True)).astype(np.int16)
    return np.repeat(mean, channels, axis=1)


def _wav(samples: np.ndarray, rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(samples.shape[1])
        sound.setsampwidth(samples.itemsize)
        sound.setframerate(rate)
        sound.writeframes(samples.tobytes())
    return file.getvalue()


@dataclass(frozen=True)
class _Packet:
    """What matters of an encoded picture for cutting."""

    seconds: float
    size: int
    key_frame: bool


def _packet_list(container: av.container.InputContainer) -> list[_Packet]:
    return [
        _Packet(float(_timestamp(packet) * packet.time_base), packet.size, packet.is_keyframe)
        for packet in _picture_packets(container)
    ]


def _picture_packets(container: av.container.InputContainer) -> Iterator[av.Packet]:
    stream = picture_stream(container)
    for packet in packets(container, stream) if stream else ():
        if packet.size and _timestamp(packet) is not None:
            yield packet


def _timestamp(packet: av.Packet) -> int | None:
    return packet.dts if packet.pts is None else packet.pts


def _key_frame_cuts(found: list[_Packet]) -> list[int]:
    """Choose the key frames at which parts of nearly equal length within the limits begin.

    Returns:
        Indices into `found`.

    Raises:
        UncuttableMediaError: Two neighbouring key frames lie further apart than the limits allow.
    """
    keys = [index for index, packet in enumerate(found) if packet.key_frame]
    if not keys:
        return []
    seconds = found[-1].seconds - found[keys[0]].seconds
    goal = seconds / math.ceil(seconds / LIMITS.seconds) if seconds > 0 else LIMITS.seconds
    starts = keys[:1]
    for key, next_key in itertools.pairwise([*keys, len(found)]):
        group = found[key:next_key]
        if not _fit(group):
            raise UncuttableMediaError(
                f"video: expected a key frame at least every {LIMITS.seconds:g} s and "
                f"{LIMITS.video_bytes} bytes to cut it at, came {group[-1].seconds:.0f} s with "
                f"none since {group[0].seconds:.0f} s: encode it again with `ffmpeg -g 250`"
            )
        reached = found[key].seconds - found[starts[-1]].seconds
        if reached >= goal or not _fit(found[starts[-1] : next_key]):
            starts.append(key)
    return starts


def _fit(group: list[_Packet]) -> bool:
    seconds = max(packet.seconds for packet in group) - group[0].seconds
    size = sum(packet.size for packet in group)
    return seconds < LIMITS.seconds and size < LIMITS.video_bytes


def _remux(stream: av.VideoStream, part: Iterable[av.Packet]) -> bytes:
    """Return packets as a Matroska file of their own, which takes nearly every codec."""
    file = io.BytesIO()
    try:
        with av.open(file, "w", format="matroska") as output:
            copy = output.add_stream_from_template(stream)
            offset = None
            for packet in part:
                packet.pts = _timestamp(packet)
                offset = packet.pts if offset is None else offset
                packet.pts -= offset
                packet.dts = None if packet.dts is None else packet.dts - offset
                packet.stream = copy
                output.mux(packet)
    except (av.FFmpegError, ValueError) as error:
        raise UncuttableMediaError(
            f"video: {stream.codec_context.name} cannot be cut without encoding it again: {error}"
        ) from error
    return file.getvalue()

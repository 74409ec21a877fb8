"""The sound and the pictures of one encoded recording, read together from one opening of it."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from clients import resampling
from clients.containers import cause_of, decoder_options, open_container, picture_stream
from clients.contract import LIMITS
from clients.media import filled, name_of, unreadable
from clients.recordings import OPEN_ERRORS, duration
from clients.resampling import Resampler, SoundLimitError, check_rate, heard_track

logger = logging.getLogger(__name__)

#: What decoding the sound of a recording that could be opened raises.
SOUND_ERRORS = (SoundLimitError, av.FFmpegError)

Track = av.VideoStream | av.AudioStream


class Recording:
    """An encoded recording that is open.

    Attributes:
        name: What messages call it.
        source: Its bytes, or where they are.
        container: Its tracks; None when FFmpeg cannot read it.
        seconds: How long it is, 0 when FFmpeg cannot read it.
    """

    def __init__(
        self,
        name: str,
        source: bytes | Path,
        file: BinaryIO,
        container: av.container.InputContainer | None,
        seconds: float,
    ) -> None:
        """Keep what was opened."""
        self.name = name
        self.source = source
        self.container = container
        self.seconds = seconds
        self._file = file

    @property
    def long(self) -> bool:
        """Whether it is longer than one request may be."""
        return self.seconds > LIMITS.seconds + LIMITS.seconds_tolerance

    @property
    def pictures(self) -> av.VideoStream | None:
        """The track of moving pictures, if any."""
        return None if self.container is None else picture_stream(self.container)

    @property
    def sound(self) -> av.AudioStream | None:
        """The track of sound that players take, if any."""
        if self.container is None or not self.container.streams.audio:
            return None
        return heard_track(self.container)

    def data(self) -> bytes:
        """Return it as it is.

        Raises:
            UnreadableFileError: It cannot be read or is empty.
        """
        try:
            self._file.seek(0)
            data = self._file.read()
        except OSError as error:
            raise unreadable(self.source, self.name, error) from error
        return filled(data, self.source, self.name)

    def packets(self, tracks: Iterable[Track]) -> Iterator[av.Packet]:
        """Yield tracks' packets, as they are interleaved, up to the first damage of the container.

        PyAV trips at the end over tracks that appeared on the way.
        """
        with contextlib.suppress(av.FFmpegError, IndexError):
            yield from self.container.demux(list(tracks))


@contextmanager
def opened(source: bytes | Path | None, name: str) -> Iterator[Recording | None]:
    """Open a recording for the length of a `with` block; None is none.

    Args:
        source: The bytes themselves or where they are.
        name: What messages call it, e.g. "audio".

    Raises:
        UnreadableFileError: The file cannot be opened.
    """
    if source is None:
        yield None
        return
    with ExitStack() as stack:
        try:
            file = BytesIO(source) if isinstance(source, bytes) else source.open("rb")
        except (OSError, ValueError) as error:
            raise unreadable(source, name, error) from error
        stack.enter_context(file)
        container, seconds = None, 0.0
        with contextlib.suppress(*OPEN_ERRORS):
            seconds, container = _measured(file, stack)
        yield Recording(name, source, file, container, seconds)


def _measured(file: BinaryIO, stack: ExitStack) -> tuple[float, av.container.InputContainer]:
    container = open_container(file, LIMITS.pixels)
    declared = container.duration is not None
    try:
        seconds = duration(container)
    finally:
        if not declared:  # its packets were read for it, and not every container can go back
            container.close()
    if not declared:
        file.seek(0)
        container = open_container(file, LIMITS.pixels)
    return seconds, stack.enter_context(container)


def audible(film: Recording) -> av.AudioStream | None:
    """Return a film's track of sound, if it has one at a rate that anything can hear."""
    try:
        if film.sound is not None:
            check_rate(film.sound.rate)
    except SoundLimitError as error:
        logger.warning("the film's sound is left out: %s", error)
        return None
    return film.sound


class Shared:
    """The packets of several tracks that are read together and used apart.

    What one track is ahead of the other waits here, encoded.
    """

    def __init__(self, recording: Recording, tracks: Iterable[Track]) -> None:
        """Begin at the start of the recording."""
        tracks = list(tracks)
        self._source = recording.packets(tracks)
        self._waiting: dict[int, deque[av.Packet]] = {track.index: deque() for track in tracks}

    def of(self, track: Track) -> Iterator[av.Packet]:
        """Yield a track's own packets."""
        own = self._waiting[track.index]
        while True:
            while own:
                yield own.popleft()
            packet = next(self._source, None)
            if packet is None:
                return
            self._waiting[packet.stream.index].append(packet)


def frames(track: Track, packets: Iterable[av.Packet]) -> Iterator[av.VideoFrame | av.AudioFrame]:
    """Yield what a track's packets hold; those that do not decode are skipped as players do."""
    track.codec_context.options = decoder_options(LIMITS.pixels)
    for packet in packets:
        with contextlib.suppress(av.FFmpegError):
            yield from packet.decode()


def blocks(track: av.AudioStream, packets: Iterable[av.Packet], rate: int) -> Iterator[np.ndarray]:
    """Yield sound at a rate as int16 blocks [n, channels], whose channels may change on the way.

    Raises:
        SoundLimitError, av.FFmpegError: It cannot be decoded any further.
    """
    check_rate(track.rate)
    resampler = Resampler("s16", rate)
    decoded = frames(track, packets)
    yield from itertools.chain.from_iterable(map(resampler.resample, decoded))
    yield from resampler.flush()


def joined(parts: Iterable[np.ndarray], most: int) -> np.ndarray:
    """Join blocks of sound, with all their channels kept apart, or the loudest of too many.

    Args:
        parts: int16 [n, channels] each, at least one.
        most: Channels.

    Returns:
        int16 [samples, channels].
    """
    samples = resampling.joined(parts)
    if samples.shape[1] <= most:
        return samples
    loudness = np.einsum("nc,nc->c", samples, samples, dtype=np.float64, casting="safe")
    return samples[:, np.sort(np.argsort(loudness)[-most:])]


def cause(recording: Recording, error: Exception, doing: str) -> str:
    """Word what FFmpeg says of a recording."""
    return f"{recording.name}: cannot {doing} {name_of(recording.source)}: {cause_of(error)}"

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

A recording is opened once; a film's pictures and sound are read side by side.
"""

from __future__ import annotations

import io
import itertools
import logging
import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

import av
import numpy as np

from clients.arrays import encode_wav
from clients.contract import LIMITS, SPEECH_STRIDE, SPEECH_WINDOW
from clients.errors import InputRefusedError, UncuttableMediaError, UnreadableFileError
from clients.media import UNPLACED, Chunk, Media, Span, encode_text, name_of, read
from clients.protocol import Call, Context, Recognition, recognise_call
from clients.reports import Reports
from clients.tracks import SOUND_ERRORS, Recording, Shared, audible, blocks, cause, joined, opened

logger = logging.getLogger(__name__)

#: Seconds that neighbouring pieces of sound share.
SOUND_OVERLAP = SPEECH_WINDOW - SPEECH_STRIDE
#: Of less sound after the last whole window, in seconds, the server makes none.
LEAST_REST = 0.25
#: More than what speech models hear; keeps a minute of WAV far below the server's byte limit.
MAX_SOUND_RATE = 48_000
#: As many channels as a minute at that rate may have, 16 bits each.
MAX_SOUND_CHANNELS = LIMITS.audio_bytes // round(LIMITS.seconds * MAX_SOUND_RATE * 2)


def cut(media: Media) -> Iterator[Chunk]:
    """Yield a recording as chunks within the server's limits; most recordings are one chunk.

    A modality that ends before another is absent from the later chunks. Files that cannot be
    decoded are passed on as they are: what is wrong with them is the server's to say.

    Raises:
        UnreadableFileError: A file cannot be read.
        UncuttableMediaError: A long film's key frames lie too far apart.
    """
    text = encode_text(media.text)
    with opened(media.audio, "audio") as audio, opened(media.film, "video") as film:
        parts = (*_sounds_and_films(audio, film), _frame_groups(media))
        pieces = itertools.zip_longest(*parts, fillvalue=(None, UNPLACED))
        # A recording without sound and pictures is still one chunk: its text.
        current = next(pieces, ((None, UNPLACED),) * 3)
        while current is not None:
            following = next(pieces, None)
            (sound, heard), (pictures, filmed), (images, shown) = current
            yield Chunk(
                text=text,
                audio=sound,
                film=pictures,
                frames=images or (),
                fps=float(media.fps),
                more=following is not None,
                sound_span=heard,
                picture_span=shown if images else filmed,
            )
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
        self._reports = Reports()

    def call(self, chunk: Chunk) -> Call:
        """Return the request for the next chunk."""
        past = self._past.then(self._own).within_limits()
        if chunk.more:
            return recognise_call(chunk, past, context=True)
        return recognise_call(chunk, past, self._features, self._context)

    def add(self, chunk: Chunk, answer: Recognition) -> None:
        """Take a chunk's answer, which already speaks for those before it."""
        self._answer = answer
        self._own = self._own.then(answer.context)
        self._reports.add(chunk, answer.modalities)

    def refused(self, chunk: Chunk, refusal: InputRefusedError) -> None:
        """Take note of a chunk that the server could not use, e.g. a silent minute."""
        # Its traceback names this recording's frames, which name it: the media would stay.
        self._refusals = [refusal.with_traceback(None)]
        self._reports.refused(chunk, refusal.sentence)

    def result(self) -> Recognition:
        """Return the answer for the whole recording.

        A modality that could be used in any chunk is well. Of a recording of several chunks each
        modality's report tells of all of them; see `clients.reports`.

        Raises:
            InputRefusedError: No chunk could be used.
        """
        if self._answer is None:
            raise self._refusals.pop()
        for name, why in self._reports.left_out():
            logger.warning("a part of the %s was left out: %s", name, why)
        modalities = self._reports.joined()
        return replace(
            self._answer,
            document=self._answer.document | {"modalities": modalities},
            context=self._own if self._context else Context(),
        )


def _sounds_and_films(
    audio: Recording | None, film: Recording | None
) -> tuple[Iterator[tuple[bytes, Span]], Iterator[tuple[bytes, Span]]]:
    """Return the pieces of the sound and of the film; a short film carries its own sound track."""
    if film is None or not film.long:
        return _sounds(audio), _whole(film)
    tracks = [film.pictures, None if audio else audible(film)]
    shared = Shared(film, [track for track in tracks if track is not None])
    sounds = _sounds(audio) if audio else _film_sounds(film, shared, tracks[1])
    return sounds, _films(film, shared)


def _whole(recording: Recording | None) -> Iterator[tuple[bytes, Span]]:
    if recording is not None:
        yield recording.data(), Span(0.0, recording.seconds or None)


def _sounds(audio: Recording | None) -> Iterator[tuple[bytes, Span]]:
    if audio is None or not audio.long:
        yield from _whole(audio)
        return
    found = False
    track = audio.sound
    if track is not None:
        try:
            for piece in _wav_pieces(audio, track, Shared(audio, [track]).of(track)):
                found = True
                yield piece
        except SOUND_ERRORS as error:
            raise UnreadableFileError(cause(audio, error, "cut")) from error
    if not found:
        raise UnreadableFileError(f"audio: expected sound, found none in {name_of(audio.source)}")


def _film_sounds(
    film: Recording, shared: Shared, track: av.AudioStream | None
) -> Iterator[tuple[bytes, Span]]:
    if track is None:
        return
    try:
        yield from _wav_pieces(film, track, shared.of(track))
    except SOUND_ERRORS as error:
        logger.warning("the film's sound is left out from here on: %s", error)


def _films(film: Recording, shared: Shared) -> Iterator[tuple[bytes, Span]]:
    found = False
    track = film.pictures
    if track is not None:
        goal = film.seconds / math.ceil(film.seconds / LIMITS.seconds)
        encoded = (_Packet.of(packet) for packet in shared.of(track) if _is_picture(packet))
        first = None
        for part in parts_of(encoded, goal):
            found = True
            first = part[0].seconds if first is None else first
            span = Span(part[0].seconds - first, max(one.seconds for one in part) - part[0].seconds)
            yield _remux(track, [one.packet for one in part]), span
    if not found:
        raise UnreadableFileError(f"video: expected pictures, found none in {name_of(film.source)}")


def _frame_groups(media: Media) -> Iterator[tuple[tuple[bytes, ...], Span]]:
    most = max(1, min(LIMITS.frames, int(LIMITS.seconds * media.fps)))
    group: list[bytes] = []
    begun = 0
    for source in media.frames():
        frame = read(source, "video")
        if len(group) == most or sum(map(len, group)) + len(frame) > LIMITS.frame_bytes:
            yield tuple(group), Span(begun / media.fps, len(group) / media.fps)
            begun += len(group)
            group = []
        group.append(frame)
    if group:
        yield tuple(group), Span(begun / media.fps, len(group) / media.fps)


def _wav_pieces(
    recording: Recording, track: av.AudioStream, packets: Iterable[av.Packet]
) -> Iterator[tuple[bytes, Span]]:
    """Cut sound into WAV files of nearly equal whole seconds that overlap by one.

    The last piece takes what is left, unless that holds no window which is not in the others.

    Raises:
        SoundLimitError, av.FFmpegError: It cannot be decoded any further.
    """
    length = recording.seconds
    count = math.ceil((length - SOUND_OVERLAP) / (LIMITS.seconds - SOUND_OVERLAP))
    step = math.ceil((length - SOUND_OVERLAP) / count)
    rate = min(track.rate, MAX_SOUND_RATE)
    step_size, piece_size = step * rate, (step + SOUND_OVERLAP) * rate
    held: list[np.ndarray] = []
    size = pieces = 0

    def piece(samples: np.ndarray) -> tuple[bytes, Span]:
        return encode_wav(samples, rate), Span(float(pieces * step), len(samples) / rate)

    for block in blocks(track, packets, rate):
        held.append(block)
        size += len(block)
        if size >= piece_size:
            samples = joined(held, MAX_SOUND_CHANNELS)
            yield piece(samples[:piece_size])
            held = [samples[step_size:]]
            size -= step_size
            pieces += 1
    # What the server makes no window of is not worth a request of its own.
    if size >= (SOUND_OVERLAP + LEAST_REST) * rate or (size and not pieces):
        yield piece(joined(held, MAX_SOUND_CHANNELS))


@dataclass(frozen=True)
class _Packet:
    """What matters of an encoded picture for cutting."""

    seconds: float
    size: int
    key_frame: bool
    packet: av.Packet | None = None

    @classmethod
    def of(cls, packet: av.Packet) -> _Packet:
        seconds = float(_timestamp(packet) * packet.time_base)
        return cls(seconds, packet.size, packet.is_keyframe, packet)


def _is_picture(packet: av.Packet) -> bool:
    return bool(packet.size) and _timestamp(packet) is not None


def _timestamp(packet: av.Packet) -> int | None:
    return packet.dts if packet.pts is None else packet.pts


@dataclass
class _Part:
    """Packets in a row, from a key frame on."""

    packets: list[_Packet] = field(default_factory=list)
    size: int = 0
    latest: float = -math.inf

    @property
    def begin(self) -> float:
        return self.packets[0].seconds

    def add(self, packet: _Packet) -> None:
        self.packets.append(packet)
        self.size += packet.size
        self.latest = max(self.latest, packet.seconds)

    def then(self, other: _Part) -> _Part:
        packets = self.packets + other.packets
        return _Part(packets, self.size + other.size, max(self.latest, other.latest))

    def fits(self) -> bool:
        seconds = self.latest - self.begin if self.packets else 0.0
        return seconds < LIMITS.seconds and self.size < LIMITS.video_bytes


def parts_of(packets: Iterable[_Packet], goal: float) -> Iterator[list[_Packet]]:
    """Cut a film's packets at key frames into parts within the limits, as they come.

    Args:
        packets: In the order of the file; those before the first key frame are left out.
        goal: Seconds after which a part ends at the next key frame.

    Raises:
        UncuttableMediaError: Two neighbouring key frames lie further apart than the limits allow.
    """
    part = _Part()
    for group in _groups(packets):
        if part.packets and (group.begin - part.begin >= goal or not part.then(group).fits()):
            yield part.packets
            part = _Part()
        part = part.then(group)
    if part.packets:
        yield part.packets


def _groups(packets: Iterable[_Packet]) -> Iterator[_Part]:
    """Yield what lies from one key frame to the next."""
    group = _Part()
    for packet in packets:
        if packet.key_frame and group.packets:
            yield group
            group = _Part()
        if packet.key_frame or group.packets:
            group.add(packet)
            if not group.fits():
                raise UncuttableMediaError(
                    f"video: expected a key frame at least every {LIMITS.seconds:g} s and "
                    f"{LIMITS.video_bytes} bytes to cut it at, came none in "
                    f"{group.latest - group.begin:.0f} s and {group.size} bytes after "
                    f"{group.begin:.0f} s: encode it again with `ffmpeg -g 250`"
                )
    if group.packets:
        yield group


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

"""Clips: encoded media in, seconds of frames out.

A clip's limits are checked on its headers before anything is decoded, and again while decoding
because headers lie. Frames arrive second by second and become pixels only when they are asked for,
so that a long clip is never in memory as pictures.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import partial
from typing import NamedTuple, Protocol

import av
from bounded_worker import Leash, no_leash
from clip_budgets import (
    DEFAULT_FPS,
    check_duration,
    check_frame_bytes,
    check_frame_count_and_rate,
    check_picture,
    check_scans,
    check_video_bytes,
    refusal,
    working_divisor,
)
from containers import cause_of, decoder_options, open_container, picture_stream
from contract import LIMITS, MediaError, VideoStatus
from orientation import FrameConverter
from picture import Picture
from PIL import Image
from stills import (
    FORMATS,
    STILL_ERRORS,
    animation,
    is_animation,
    open_picture_film,
    open_still,
    upright_still,
)

#: The original judged ten frames a second.
FRAMES_A_SECOND = 10
#: The rate assumed for frames without timestamps in a stream that declares no usable rate.
FALLBACK_FPS = 25
#: Pillow keeps a pixel in four bytes at most, and makes 16 bits a channel 8 as it decodes.
PILLOW_BYTES = 4
#: A decoded frame of more bytes is shrunk as soon as it is kept. Up to twenty are, so that smaller
#: ones take 320 MiB.
LARGE_FRAME = 16 << 20


class Frame(NamedTuple):
    """A frame of a clip.

    Attributes:
        time: Seconds from the start of the clip.
        pixels: Gives the frame upright with square pixels, as RGB [height, width, 3], shrunk if
            it is large; raises `MediaError` when it cannot be decoded.
        scale: How many pixels of the frame are one of those, along a side: 1, 2 or 4.
    """

    time: float
    pixels: Callable[[], Picture]
    scale: int = 1


class Clip(Protocol):
    """Media that yields frames, as often as it is asked."""

    def seconds(self) -> Iterator[list[Frame]]:
        """Yield each second's frames in order: at most ten, none where the clip has a gap.

        Raises:
            MediaError: If nothing can be decoded or a limit is passed.
        """
        ...


def open_clip(
    video: bytes | None,
    frames: Sequence[bytes] | None,
    fps: float | None,
    leash: Leash = no_leash,
) -> Clip | None:
    """Check a request's media against the limits and open it.

    Args:
        video: An encoded container, or a picture.
        frames: Encoded still images in order.
        fps: Frames a second of `frames`; `DEFAULT_FPS` if None.
        leash: Is told how far the clip is read and decoded.

    Returns:
        The clip, or None if there is neither.

    Raises:
        MediaError: If the media cannot be read, passes a limit, or comes twice.
    """
    if video is not None and frames is not None:
        raise refusal("VIDEO and FRAMES are both given, expected one of them")
    if video is not None:
        return open_film(video, leash)
    if frames is not None:
        return ImageClip(frames, DEFAULT_FPS if fps is None else fps, leash)
    return None


def open_film(video: bytes, leash: Leash = no_leash) -> Clip:
    """Open what came as VIDEO: FFmpeg reads films, Pillow pictures and some animations.

    Raises:
        MediaError: If it is no video or a limit is passed.
    """
    check_video_bytes(len(video))
    image = open_picture_film(video)
    if image is None:
        return VideoClip(video, leash)
    with image:
        if is_animation(image):
            return AnimationClip(video, leash)
    return ImageClip([video], DEFAULT_FPS, leash, "VIDEO")


class UnreadableImageError(MediaError):
    """An image without a readable header: the clip can do without it."""


class ImageClip:
    """Still images at a constant rate; each is decoded when its pixels are asked for."""

    def __init__(
        self,
        images: Sequence[bytes],
        fps: float,
        leash: Leash = no_leash,
        name: str = "FRAMES[{}]",
    ) -> None:
        """Check the limits from the images' headers.

        Args:
            images: Files of one of `FORMATS`.
            fps: Images a second.
            leash: Is told as each header is read.
            name: What errors call an image of such an index.

        Raises:
            MediaError: If a limit is passed or no image can be read.
        """
        check_frame_count_and_rate(len(images), fps)
        check_frame_bytes([len(image) for image in images])
        self._images = images
        self._fps = fps
        self._leash = leash
        self._name = name
        self._divisors = [1] * len(images)
        unreadable = [error for error in map(self._check_header, range(len(images))) if error]
        if len(unreadable) == len(images):
            raise unreadable[0]

    def seconds(self) -> Iterator[list[Frame]]:
        """Yield each second's frames."""
        return split_seconds(
            Frame(index / self._fps, partial(self._decode, index), divisor)
            for index, divisor in enumerate(self._divisors)
        )

    def _check_header(self, index: int) -> MediaError | None:
        """Refuse an image that is too large; return the error of one that is no image."""
        self._leash()
        try:
            with self._open(index) as image:
                self._divisors[index] = working_divisor(*image.size)
        except UnreadableImageError as error:
            return error
        return None

    def _decode(self, index: int) -> Picture:
        with self._open(index) as image:
            try:
                return upright_still(image, self._divisors[index])
            except STILL_ERRORS as error:
                name = self._name.format(index)
                raise refusal(f"{name} cannot be decoded: {error}") from error

    def _open(self, index: int) -> Image.Image:
        return open_image(self._name.format(index), self._images[index])


class AnimationClip:
    """An animation that Pillow decodes, picture by picture, each time its seconds are asked for."""

    def __init__(self, data: bytes, leash: Leash = no_leash) -> None:
        """Check the limits from the file's header.

        Args:
            data: A file that `stills.is_animation`.
            leash: Is told as each picture is decoded.

        Raises:
            MediaError: If a limit is passed.
        """
        self._data = data
        self._leash = leash
        open_image("VIDEO", data).close()

    def seconds(self) -> Iterator[list[Frame]]:
        """Yield each second's frames."""
        return split_seconds(self._frames())

    def _frames(self) -> Iterator[Frame]:
        """Decode the pictures up to the first damage."""
        clock, budget = FrameClock(Fraction(1, FALLBACK_FPS)), RateBudget()
        with open_image("VIDEO", self._data) as image:
            divisor = working_divisor(*image.size)
            pictures = animation(image, divisor)
            while True:
                self._leash()
                try:
                    stamp, picture = next(pictures)
                except StopIteration:
                    return
                except STILL_ERRORS as error:
                    if budget.frames:
                        return
                    raise refusal(f"VIDEO cannot be decoded: {error}") from error
                time = clock.tell(stamp)
                check_duration("VIDEO", time)
                budget.spend(time)
                self._leash(float(time))
                yield Frame(float(time), lambda picture=picture: picture, divisor)


class VideoClip:
    """A container, decoded as a stream each time its seconds are asked for."""

    def __init__(self, data: bytes, leash: Leash = no_leash) -> None:
        """Check the limits from the container's headers.

        Args:
            data: The encoded file.
            leash: Is told as each packet is decoded.

        Raises:
            MediaError: If it is no video or a limit is passed.
        """
        check_video_bytes(len(data))
        self._data = data
        self._leash = leash
        with self._open() as container:
            stream = film_stream(container)
            check_duration("VIDEO", declared_duration(container, stream))
            check_size(stream.codec_context)

    def seconds(self) -> Iterator[list[Frame]]:
        """Yield each second's frames."""
        return split_seconds(self._frames())

    def _open(self) -> av.container.InputContainer:
        try:
            return open_container(io.BytesIO(self._data), LIMITS.pixels)
        except (av.FFmpegError, ValueError) as error:
            message = f"VIDEO is no container that FFmpeg can read: {cause_of(error)}"
            raise refusal(message) from error

    def _frames(self) -> Iterator[Frame]:
        """Decode every frame that can be decoded, in presentation order."""
        with self._open() as container:
            stream = film_stream(container)
            stream.codec_context.thread_count = 1  # instances are the parallelism
            stream.codec_context.options = decoder_options(LIMITS.pixels)
            clock = FrameClock(frame_interval(stream))
            budget = RateBudget()
            converter = FrameConverter(stream.sample_aspect_ratio)
            damage: list[Exception] = []
            for frame in decode(container, stream, damage, self._leash):
                time = clock.tell(None if frame.pts is None else frame.pts * frame.time_base)
                check_duration("VIDEO", time)
                check_size(frame)
                budget.spend(time)
                self._leash(float(time))
                yield make_frame(frame, float(time), converter)
            if not budget.frames:
                cause = cause_of_no_frame(stream, damage)
                raise refusal(f"VIDEO has no frame that can be decoded: {cause}")


class FrameClock:
    """Tells each frame's time from timestamps that may be missing, jump or run backwards."""

    def __init__(self, interval: Fraction) -> None:
        """Start before the first frame.

        Args:
            interval: Seconds between frames whose timestamps do not tell.
        """
        self._interval = interval
        self._time: Fraction | None = None
        self._stamp: Fraction | None = None

    def tell(self, stamp: Fraction | None) -> Fraction:
        """Return the time of the next frame in seconds; the first frame's is 0.

        Args:
            stamp: Its timestamp in seconds, from any origin.
        """
        if self._time is None:
            self._time = Fraction(0)
        else:
            self._time += self._step_to(stamp)
        self._stamp = stamp
        return self._time

    def _step_to(self, stamp: Fraction | None) -> Fraction:
        if stamp is None or self._stamp is None:
            return self._interval
        step = stamp - self._stamp
        # A step back, or one longer than a clip may be, is a new origin, not a passage of time.
        return step if 0 < step <= LIMITS.seconds else self._interval


class RateBudget:
    """Counts frames and refuses more in one second than any camera makes.

    A declared rate is not trusted: browsers' recordings declare 1000 frames a second.
    """

    def __init__(self) -> None:
        self.frames = 0
        self._second = 0
        self._in_second = 0

    def spend(self, time: Fraction) -> None:
        """Count a frame at a time in seconds.

        Raises:
            MediaError: If its second has too many.
        """
        if int(time) != self._second:
            self._second, self._in_second = int(time), 0
        self.frames += 1
        self._in_second += 1
        if self._in_second > LIMITS.max_fps:
            raise refusal(
                f"VIDEO has more than {self._in_second - 1} frames in one second, "
                f"at most {LIMITS.max_fps:g}"
            )


def split_seconds(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    """Split frames by second, and thin each second out to the tenths of a second.

    A second of ten frames or fewer keeps them all; of more it keeps those nearest to each tenth.

    Args:
        frames: In order of time, from 0.

    Yields:
        Each second's frames in order, from second 0 to the last frame's.
    """
    second, thinner = 0, SecondThinner(0)
    for frame in frames:
        while frame.time >= second + 1:
            yield thinner.frames()
            second += 1
            thinner = SecondThinner(second)
        thinner.add(frame)
    yield thinner.frames()


class SecondThinner:
    """Holds at most ten frames of a second: those nearest to the tenths, then any others."""

    def __init__(self, second: int) -> None:
        self._start = second
        self._nearest: dict[int, Frame] = {}
        self._spare: list[Frame] = []

    def add(self, frame: Frame) -> None:
        """Take a frame of this second."""
        tenth = min(FRAMES_A_SECOND - 1, round((frame.time - self._start) * FRAMES_A_SECOND))
        target = self._start + tenth / FRAMES_A_SECOND
        held = self._nearest.get(tenth)
        if held is None:
            self._nearest[tenth] = frame
        elif abs(frame.time - target) < abs(held.time - target):
            self._nearest[tenth] = frame
            self._spare.append(held)
        else:
            self._spare.append(frame)
        del self._spare[FRAMES_A_SECOND - len(self._nearest) :]
        if isinstance(frame.pixels, LargePicture):
            self._shrink_all_but(frame)

    def _shrink_all_but(self, newest: Frame) -> None:
        """Shrink what is still kept now that another came: of a fast film few frames are."""
        for frame in self.frames():
            if frame is not newest and isinstance(frame.pixels, LargePicture):
                frame.pixels.shrink()

    def frames(self) -> list[Frame]:
        """List the frames in order of time."""
        return sorted([*self._nearest.values(), *self._spare], key=lambda frame: frame.time)


def film_stream(container: av.container.InputContainer) -> av.VideoStream:
    """Find the stream of moving pictures.

    Raises:
        MediaError: If there is none.
    """
    stream = picture_stream(container)
    if stream is None:
        raise refusal("VIDEO has no video stream")
    return stream


def declared_duration(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """Return the longer of the declared durations in seconds, 0 if there is none."""
    whole = (container.duration or 0) / av.time_base
    own = float(stream.duration * stream.time_base) if stream.duration else 0.0
    return max(whole, own)


def frame_interval(stream: av.VideoStream) -> Fraction:
    """Return the declared time between frames in seconds, or a likely one."""
    rate = stream.average_rate
    return 1 / (Fraction(rate) if rate and 1 <= rate <= LIMITS.max_fps else Fraction(FALLBACK_FPS))


def decode(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    damage: list[Exception],
    leash: Leash,
) -> Iterator[av.VideoFrame]:
    """Yield the frames that can be decoded.

    Args:
        container: The open container.
        stream: Its pictures.
        damage: What went wrong is appended to it.
        leash: Is asked before each packet is decoded.
    """
    try:
        for packet in container.demux(stream):
            leash()
            try:
                yield from packet.decode()
            except av.FFmpegError as error:
                damage.append(error)
    except av.FFmpegError as error:
        damage.append(error)


def check_size(source: av.VideoFrame | av.VideoCodecContext) -> None:
    """Refuse pictures of a size or depth over the limits."""
    depth = source.format.padded_bits_per_pixel if source.format else 0
    check_picture("VIDEO", source.width, source.height, depth / 8)


def make_frame(decoded: av.VideoFrame, time: float, converter: FrameConverter) -> Frame:
    """Make the frame of a film at a time in seconds."""
    divisor = working_divisor(*converter.size_of(decoded))
    pixels = partial(convert, decoded, divisor, converter)
    size = decoded.width * decoded.height * decoded.format.padded_bits_per_pixel / 8
    return Frame(time, LargePicture(pixels) if size > LARGE_FRAME else pixels, divisor)


def convert(decoded: av.VideoFrame, divisor: int, converter: FrameConverter) -> Picture:
    """Convert a frame to RGB, its sides divided by so much.

    Raises:
        MediaError: It is no picture.
    """
    try:
        return converter.upright(decoded, divisor)
    except (av.FFmpegError, ValueError) as error:
        raise refusal(f"VIDEO has a frame that is no picture: {cause_of(error)}") from error


class LargePicture:
    """A picture that is made when it is asked for, or to get rid of the large one behind it."""

    def __init__(self, make: Callable[[], Picture]) -> None:
        """Keep what makes it, which holds the large one."""
        self._make = make

    def __call__(self) -> Picture:
        """Return the picture."""
        return self._make()

    def shrink(self) -> None:
        """Let go of the large one."""
        with suppress(MediaError):  # which is raised again when somebody asks
            picture = self._make()
            self._make = lambda: picture


def open_image(name: str, data: bytes) -> Image.Image:
    """Read an image's header and check it against the limits.

    Args:
        name: What errors call it.
        data: A file of one of `FORMATS`.

    Raises:
        UnreadableImageError: It is no image.
        MediaError: It passes a limit.
    """
    try:
        image = open_still(data)
    except Image.DecompressionBombError as error:
        raise refusal(f"{name} has more than {LIMITS.pixels} pixels: {error}") from error
    except STILL_ERRORS as error:
        message = f"{name} is no readable image, expected one of {', '.join(FORMATS)}"
        raise UnreadableImageError(VideoStatus.UNKNOWN, message) from error
    check_picture(name, image.width, image.height, PILLOW_BYTES)
    if image.format in ("JPEG", "MPO"):
        check_scans(name, data, image.width * image.height)
    return image


def cause_of_no_frame(stream: av.VideoStream, damage: list[Exception]) -> str:
    """Word why a stream gave no frame; its size is unknown where the prober refused it."""
    if not stream.codec_context.width:
        return f"they have no readable size or more than {LIMITS.pixels} pixels"
    return cause_of(damage[0]) if damage else "the stream is empty"

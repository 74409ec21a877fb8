"""Clips: limits before and while decoding, times, thinning, damage."""

from __future__ import annotations

import gc
import io
from dataclasses import replace
from fractions import Fraction

import av
import clip_budgets
import numpy as np
import pytest
import video
from av.stream import Disposition
from clip_budgets import check_picture, check_scans
from clip_worker import answer_clip
from contract import LIMITS, MediaError, VideoStatus
from PIL import Image, ImageFile
from video import Frame, FrameClock, ImageClip, VideoClip, open_clip, split_seconds

from benchmarks.hostile.odd_pictures import png_of_declared_size
from tests.face_crop.heif import heic
from tests.face_crop.scenes import encode, encode_sound, jpeg, person, wall

TINY = np.zeros((16, 16, 3), np.uint8)


def refusal_of(read) -> str:
    with pytest.raises(MediaError) as caught:
        read()
    assert caught.value.status is VideoStatus.UNKNOWN
    return str(caught.value)


def times_of(clip) -> list[float]:
    return [frame.time for second in clip.seconds() for frame in second]


def thinned(times: list[float]) -> list[list[float]]:
    frames = (Frame(time, lambda: TINY) for time in times)
    return [[frame.time for frame in second] for second in split_seconds(frames)]


# Limits on VIDEO


def test_an_empty_video_is_refused():
    assert refusal_of(lambda: VideoClip(b"")) == "VIDEO is empty"


def test_a_video_of_too_many_bytes_is_refused():
    message = refusal_of(lambda: VideoClip(bytes(LIMITS.video_bytes + 1)))
    assert message == f"VIDEO has {LIMITS.video_bytes + 1} bytes, at most {LIMITS.video_bytes}"


def test_a_video_that_declares_to_be_too_long_is_refused_before_decoding():
    video = encode([TINY] * 3, times=[0, 30, 61.2])
    assert refusal_of(lambda: VideoClip(video)).startswith("VIDEO is 61.")
    assert refusal_of(lambda: VideoClip(video)).endswith(" s long, at most 60 s")


def test_a_video_that_hides_its_length_is_refused_while_decoding():
    video = encode([TINY] * 62, fps=1, seekable=False)
    clip = VideoClip(video)
    assert refusal_of(lambda: times_of(clip)) == "VIDEO is 61.0 s long, at most 60 s"


def test_a_video_just_over_the_limit_is_taken_for_the_rounding_of_its_container():
    assert times_of(VideoClip(encode([TINY] * 61, times=[*range(60), 60.2])))[-1] == 60.2


@pytest.fixture
def few_pixels(monkeypatch):
    """Limit pictures to fewer pixels than a test's, whose true limit costs seconds to pass."""
    limits = replace(LIMITS, pixels=10_000)
    for module in (video, clip_budgets):
        monkeypatch.setattr(module, "LIMITS", limits)


def test_a_video_of_too_large_pictures_is_refused_before_decoding(few_pixels):
    film = encode([person()], container="mp4", codec="libx264")
    message = refusal_of(lambda: VideoClip(film))
    assert message == "VIDEO has 320x240 = 76800 pixels a frame, at most 10000"


def test_a_video_that_hides_its_size_is_refused_by_the_decoder(few_pixels):
    film = encode([person()])
    message = refusal_of(lambda: times_of(VideoClip(film)))
    assert message.endswith("no readable size or more than 10000 pixels")


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_bomb_sent_as_video_is_refused(kind):
    target = io.BytesIO()
    Image.new("L", (9_000, 9_000)).save(target, kind)
    message = refusal_of(lambda: times_of(open_clip(target.getvalue(), None, None)))
    assert message.startswith("VIDEO has ") and f" {LIMITS.pixels}" in message


def test_more_frames_in_a_second_than_any_camera_makes_are_refused():
    times = [n / 500 for n in range(300)]
    message = refusal_of(lambda: times_of(VideoClip(encode([TINY] * 300, times=times))))
    assert message == "VIDEO has more than 240 frames in one second, at most 240"


def test_a_declared_rate_of_a_thousand_frames_a_second_is_not_believed():
    video = encode([TINY] * 20, fps=1000, times=[n / 10 for n in range(20)])
    assert len(times_of(VideoClip(video))) == 20


def test_sound_alone_is_no_video():
    assert refusal_of(lambda: VideoClip(encode_sound())) == "VIDEO has no video stream"


@pytest.mark.parametrize(
    "playlist",
    [
        b"ffconcat version 1.0\nfile 'secret.mp4'\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.mp4\n#EXT-X-ENDLIST\n",
    ],
    ids=["concat", "hls"],
)
def test_a_playlist_cannot_make_the_server_open_its_own_files(playlist, tmp_path, monkeypatch):
    (tmp_path / "secret.mp4").write_bytes(encode([TINY] * 10))
    monkeypatch.chdir(tmp_path)
    assert refusal_of(lambda: VideoClip(playlist)).startswith("VIDEO is no container")


# Limits on FRAMES


def test_no_frames_are_refused():
    assert refusal_of(lambda: ImageClip([], 10.0)) == "FRAMES is empty"


def test_too_many_frames_are_refused():
    message = refusal_of(lambda: ImageClip([b""] * (LIMITS.frames + 1), 240.0))
    assert message == f"FRAMES has {LIMITS.frames + 1} images, at most {LIMITS.frames}"


@pytest.mark.parametrize("fps", [0.0, -1.0, 241.0, float("nan"), float("inf")])
def test_an_impossible_rate_is_refused(fps):
    message = refusal_of(lambda: ImageClip([jpeg(TINY)], fps))
    assert message == f"FPS is {fps:g}, expected more than 0 and at most 240"


def test_frames_that_last_too_long_are_refused():
    message = refusal_of(lambda: ImageClip([b""] * 62, 1.0))
    assert message == "FRAMES at 1 a second is 62.0 s long, at most 60 s"


def test_a_frame_of_too_many_bytes_is_refused():
    images = [jpeg(TINY), bytes(LIMITS.frame_bytes + 1)]
    message = refusal_of(lambda: ImageClip(images, 10.0))
    assert message == f"FRAMES[1] has {LIMITS.frame_bytes + 1} bytes, at most {LIMITS.frame_bytes}"


def test_frames_of_too_many_bytes_together_are_refused():
    images = [bytes(LIMITS.frame_bytes)] * 5
    total = 5 * LIMITS.frame_bytes
    message = refusal_of(lambda: ImageClip(images, 10.0))
    assert message == f"FRAMES has {total} bytes in all, at most {LIMITS.video_bytes}"


@pytest.mark.parametrize("side", [9_000, 12_000, 50_000])
def test_a_decompression_bomb_among_the_frames_is_refused_unread(side, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("pixels were read"))
    images = [png_of_declared_size(2_000, 2_000), png_of_declared_size(side, side)]
    message = refusal_of(lambda: ImageClip(images, 10.0))
    assert message.startswith("FRAMES[1] has ")
    assert str(LIMITS.pixels) in message and str(side * side) in message


@pytest.mark.parametrize(("width", "height"), [(900, 100), (100, 900)])
def test_a_long_narrow_frame_is_refused_unread(width, height):
    message = refusal_of(lambda: ImageClip([png_of_declared_size(width, height)], 10.0))
    assert message.endswith("expected a longer side of at most 8 shorter ones")


def test_a_jpeg_of_many_scans_is_refused_unread():
    few = io.BytesIO()
    Image.fromarray(person()).save(few, "JPEG", progressive=True)
    ImageClip([few.getvalue()], 10.0)
    start = few.getvalue().index(b"\xff\xda")
    scan = few.getvalue()[start : few.getvalue().index(b"\xff\xda", start + 2)]
    many = few.getvalue()[:-2] + scan * LIMITS.scans + few.getvalue()[-2:]
    message = refusal_of(lambda: ImageClip([many], 10.0))
    assert message.endswith(f" scans of 76800 pixels, at most {LIMITS.scans}")


def test_a_large_jpeg_may_have_fewer_scans():
    """Each goes over the whole picture."""
    jpeg, pixels = b"\xff\xda" * 40, LIMITS.pixels
    check_scans("FRAMES[0]", jpeg, pixels // 4)
    message = refusal_of(lambda: check_scans("FRAMES[0]", jpeg, pixels))
    assert message == f"FRAMES[0] has 40 scans of {pixels} pixels, at most 16"


def test_deep_pictures_are_counted_by_their_bytes():
    """16 bits in each of four channels are twice as much as eight."""
    width, height = 8_192, 8_192
    check_picture("VIDEO", width, height, 4)
    message = refusal_of(lambda: check_picture("VIDEO", width, height, 8))
    assert message.endswith(f"of 8 bytes a frame, at most {LIMITS.picture_bytes} bytes")


def test_frames_that_are_all_unreadable_are_refused():
    message = refusal_of(lambda: ImageClip([b"", b"text"], 10.0))
    assert message.startswith("FRAMES[0] is no readable image, expected one of JPEG, PNG")


def test_a_truncated_frame_tells_its_cause_when_it_is_decoded():
    clip = ImageClip([jpeg(person())[:5_000]], 10.0)
    (frame,) = next(clip.seconds())
    assert refusal_of(frame.pixels).startswith("FRAMES[0] cannot be decoded: ")


# Times


def test_frames_without_a_rate_are_ten_a_second():
    clip = open_clip(None, [jpeg(TINY)] * 12, None)
    assert times_of(clip) == [n / 10 for n in range(12)]


def test_a_variable_frame_rate_keeps_its_times():
    times = [0.0, 0.05, 0.3, 1.0, 1.7, 1.75]
    assert times_of(VideoClip(encode([TINY] * 6, times=times))) == times


def test_times_start_at_zero_whatever_the_first_timestamp():
    video = encode([TINY] * 4, times=[5.0, 5.1, 5.2, 5.3])
    assert np.allclose(times_of(VideoClip(video)), [0.0, 0.1, 0.2, 0.3])


def test_a_stream_without_timestamps_has_its_rates_times():
    video = encode([TINY] * 5, fps=25, container="m4v", codec="mpeg4")
    assert np.allclose(times_of(VideoClip(video)), [n / 25 for n in range(5)])


@pytest.mark.parametrize(
    "stamps",
    [
        [100, 101, 102, 103],
        [0, 1, None, 3],
        [None, None, None, None],
        [95_443, 95_444, 0, 1],
        [0, 1, 1, 2],
        [0, 100_000, 100_001, 100_002],
    ],
    ids=["offset", "one missing", "all missing", "wrapped", "repeated", "leaping"],
)
def test_the_clock_goes_on_evenly_whatever_the_timestamps(stamps):
    clock = FrameClock(interval=Fraction(1))
    told = [clock.tell(None if stamp is None else Fraction(stamp)) for stamp in stamps]
    assert told == [0, 1, 2, 3]


# Thinning


@pytest.mark.parametrize("fps", [11, 12, 15, 24, 25, 30, 50, 60, 120, 240])
def test_a_fast_clip_is_thinned_to_the_frames_nearest_to_each_tenth(fps):
    seconds = thinned([n / fps for n in range(3 * fps)])
    assert [len(second) for second in seconds] == [10, 10, 10]
    for index, second in enumerate(seconds):
        grid = index + np.arange(10) / 10
        assert np.abs(np.array(second) - grid).max() <= 0.5 / fps + 0.04


@pytest.mark.parametrize("fps", [0.5, 1, 3, 7.5, 10])
def test_a_slow_clip_keeps_every_frame(fps):
    times = [n / fps for n in range(int(10 * fps))]
    assert [time for second in thinned(times) for time in second] == times


def test_unevenly_timed_frames_are_all_kept_when_they_are_few():
    times = [0.0, 0.01, 0.02, 0.03, 0.5, 0.51]
    assert thinned(times) == [times]


def test_a_burst_is_thinned_and_still_gives_ten_frames():
    (second,) = thinned([n / 100 for n in range(30)])
    assert len(second) == 10 and second == sorted(second)


def test_a_gap_gives_empty_seconds():
    assert thinned([0.0, 3.2]) == [[0.0], [], [], [3.2]]


# Damage and orientation


def test_a_video_cut_off_in_the_middle_gives_what_was_there():
    video = encode([person()] * 20)
    times = times_of(VideoClip(video[: len(video) // 2]))
    assert 5 <= len(times) < 20


def test_a_video_with_damage_in_the_middle_gives_the_rest():
    video = bytearray(encode([person()] * 20, codec="mpeg4"))
    third = len(video) // 3
    video[third : third + 2_000] = bytes(2_000)
    assert len(times_of(VideoClip(bytes(video)))) >= 10


def test_a_video_without_one_decodable_frame_names_the_cause():
    video = encode([person()] * 3, container="mp4", codec="libx264")
    start = video.index(b"mdat") + 4
    damaged = video[:start] + b"\xff" * (len(video) - start - 2_000) + video[-2_000:]
    message = refusal_of(lambda: times_of(VideoClip(damaged)))
    assert message.startswith("VIDEO has no frame that can be decoded: ")


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_phones_rotation_is_undone(rotation):
    upright = np.zeros((64, 96, 3), np.uint8)
    upright[:32, :48] = 255
    held = np.ascontiguousarray(np.rot90(upright, -rotation // 90))
    video = encode([held] * 2, container="mp4", codec="mpeg4", rotation=rotation)
    frame = next(VideoClip(video).seconds())[0].pixels()
    assert frame.shape == upright.shape
    assert np.abs(frame.astype(int) - upright).mean() < 10


def test_a_photographs_rotation_is_undone():
    exif = Image.Exif()
    exif[0x0112] = 6
    target = io.BytesIO()
    Image.fromarray(np.zeros((20, 40, 3), np.uint8)).save(target, "JPEG", exif=exif)
    (frame,) = next(ImageClip([target.getvalue()], 10.0).seconds())
    assert frame.pixels().shape == (40, 20, 3)


# What is shown, and at which size


@pytest.fixture
def small_work(monkeypatch):
    """Work on few pixels, so that small pictures are large ones, and hold none."""
    monkeypatch.setattr(clip_budgets, "WORKING_PIXELS", 40_000)
    monkeypatch.setattr(video, "LARGE_FRAME", 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "film"])
def test_a_large_picture_is_worked_on_at_half_its_size(kind, small_work):
    if kind == "film":
        clip = open_clip(encode([person()] * 30, fps=30, codec="mpeg4"), None, None)
    else:
        target = io.BytesIO()
        Image.fromarray(person()).save(target, kind)
        clip = open_clip(None, [target.getvalue()] * 10, 10.0)
    (frames,) = clip.seconds()
    assert len(frames) == 10
    smaller = np.asarray(Image.fromarray(person()).reduce(2))
    for frame in frames:
        assert frame.scale == 2 and frame.pixels().shape == smaller.shape
        assert np.abs(frame.pixels().astype(int) - smaller).mean() < 12


@pytest.mark.parametrize(
    ("width", "height", "divisor"),
    [(640, 480, 1), (4_096, 1_536, 1), (4_032, 3_024, 2), (8_192, 8_192, 4)],
)
def test_a_picture_is_halved_until_it_is_small_enough(width, height, divisor):
    assert clip_budgets.working_divisor(width, height) == divisor


@pytest.mark.parametrize("kind", ["film", "frames"])
def test_boxes_are_in_pixels_of_the_picture_as_it_came(kind, detector, eyes, small_work):
    film = encode([person()] * 10) if kind == "film" else None
    frames = None if film else [jpeg(person())] * 10
    answer = answer_clip(film, frames, None, eyes)
    (found, *_) = detector.detect(person())
    assert answer.crops
    for crop in answer.crops:
        assert np.abs(np.array(crop.box) - found.box).max() < 0.1 * found.side


def test_the_large_pictures_of_a_fast_film_are_not_held(small_work):
    """Of 8K films they would be a gigabyte."""
    film = encode([person()] * 61, fps=60, codec="mpeg4")
    gc.collect()
    before = decoded_frames()
    seconds = open_clip(film, None, None).seconds()
    assert len(next(seconds)) == 10
    assert decoded_frames() - before <= 5


def decoded_frames() -> int:
    """Count the frames as a decoder gave them; a picture may lie in one that was converted."""
    frames = (thing for thing in gc.get_objects() if isinstance(thing, av.VideoFrame))
    return sum(frame.format is not None and frame.format.name == "yuv420p" for frame in frames)


def test_an_animated_webp_is_a_film():
    pictures = [Image.fromarray(person(x)) for x in range(20, 100, 5)]
    target = io.BytesIO()
    pictures[0].save(target, "WEBP", save_all=True, append_images=pictures[1:], duration=100)
    clip = open_clip(target.getvalue(), None, None)
    assert times_of(clip) == [n / 10 for n in range(16)] == times_of(clip)
    _, second = clip.seconds()
    assert np.abs(second[5].pixels().astype(int) - np.asarray(pictures[15])).mean() < 12


def test_an_animation_that_is_cut_off_gives_what_was_there():
    pictures = [Image.fromarray(person(x)) for x in range(20, 100, 20)]
    target = io.BytesIO()
    pictures[0].save(target, "WEBP", save_all=True, append_images=pictures[1:], duration=100)
    data = target.getvalue()
    try:
        assert 0 < len(times_of(open_clip(data[: len(data) * 3 // 4], None, None))) < 4
    except MediaError as error:
        assert "VIDEO" in str(error)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "HEIF"])
def test_a_single_picture_is_a_film_of_one_frame(kind):
    target = io.BytesIO()
    if kind == "HEIF":
        target.write(heic(person()))
    else:
        Image.fromarray(person()).save(target, kind)
    ((frame,),) = open_clip(target.getvalue(), None, None).seconds()
    assert np.abs(frame.pixels().astype(int) - person()).mean() < 12


def test_the_track_that_players_show_is_looked_at():
    """Not the first one: films carry previews and other views."""
    target = io.BytesIO()
    with av.open(target, "w", format="matroska") as output:
        tracks = [output.add_stream("mpeg4", rate=10) for _ in range(2)]
        for track, picture in zip(tracks, (wall(), person()), strict=True):
            track.height, track.width, track.pix_fmt = *picture.shape[:2], "yuv420p"
        tracks[0].disposition = 0
        tracks[1].disposition = Disposition.default
        for track, picture in zip(tracks, (wall(), person()), strict=True):
            output.mux(track.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            output.mux(track.encode(None))
    ((frame,),) = open_clip(target.getvalue(), None, None).seconds()
    assert np.abs(frame.pixels().astype(int) - person()).mean() < 12


def test_a_clip_can_be_read_again():
    clip = VideoClip(encode([TINY] * 13))
    assert times_of(clip) == times_of(clip)

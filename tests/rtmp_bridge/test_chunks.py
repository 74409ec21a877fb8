"""Frames to chunks: which frames, which sound, and when a chunk is complete."""

import io
import wave
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from rtmp_bridge.assembler import ChunkAssembler, JpegEncoder, count_windows
from rtmp_bridge.chunks import SOUND_RATE as RATE
from rtmp_bridge.errors import SourceError
from rtmp_bridge.sound import SoundTrack, encode_wav
from tests.face_crop.scenes import encode, person, with_matrix
from tests.rtmp_bridge.live_media import picture, tone


def film(assembler, seconds, fps=25, start=0.0):
    chunks = []
    for index in range(round(seconds * fps)):
        at = Fraction(start).limit_denominator() + Fraction(index, fps)
        chunks += assembler.add_picture(at, picture(index % 251))
    return chunks


def sound(assembler, seconds, start=0.0):
    chunks = []
    for index in range(round(seconds * 10)):
        at = Fraction(start).limit_denominator() + Fraction(index, 10)
        chunks += assembler.add_sound(at, tone())
    return chunks


def samples_of(chunk):
    with wave.open(io.BytesIO(chunk.sound)) as file:
        assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def test_ten_frames_of_each_second_are_kept():
    assembler = ChunkAssembler(1, {"picture"}, 0.5)
    chunks = [*film(assembler, 3), *assembler.finish()]
    assert [len(chunk.frames) for chunk in chunks] == [10, 10, 10]
    assert [chunk.fps for chunk in chunks] == [10.0, 10.0, 10.0]
    assert [(chunk.index, chunk.start, chunk.end) for chunk in chunks] == [
        (0, 0.0, 1.0),
        (1, 1.0, 2.0),
        (2, 2.0, 3.0),
    ]


def test_a_slow_stream_keeps_every_frame():
    assembler = ChunkAssembler(1, {"picture"}, 0.5)
    chunks = [*film(assembler, 2, fps=5), *assembler.finish()]
    assert [len(chunk.frames) for chunk in chunks] == [5, 5]


def test_a_variable_rate_keeps_what_there_is():
    assembler = ChunkAssembler(1, {"picture"}, 0.5)
    chunks = [*film(assembler, 1, fps=30), *film(assembler, 1, fps=4, start=1.0)]
    chunks += assembler.finish()
    assert [len(chunk.frames) for chunk in chunks] == [10, 4]


def test_the_end_of_a_film_is_a_shorter_chunk():
    assembler = ChunkAssembler(1, {"picture"}, 0.5)
    *_, last = [*film(assembler, 1.8), *assembler.finish()]
    assert (len(last.frames), last.seconds) == (8, pytest.approx(0.8))
    assert last.fps == pytest.approx(10)


def test_each_sound_but_the_first_has_the_second_before_it():
    assembler = ChunkAssembler(1, {"sound"}, 0.5)
    chunks = [*sound(assembler, 3), *assembler.finish()]
    assert [len(samples_of(chunk)) / RATE for chunk in chunks] == [1.0, 2.0, 2.0]
    assert [chunk.windows for chunk in chunks] == [0, 1, 1]


def test_a_longer_hop_has_as_many_windows_as_seconds():
    assembler = ChunkAssembler(3, {"sound"}, 0.5)
    chunks = [*sound(assembler, 6), *assembler.finish()]
    assert [chunk.windows for chunk in chunks] == [2, 3]


@pytest.mark.parametrize(("seconds", "windows"), [(1.0, 0), (2.0, 1), (2.9, 1), (4.0, 3)])
def test_windows_are_counted_as_the_server_cuts_them(seconds, windows):
    assert count_windows(seconds) == windows


def test_a_chunk_waits_for_the_track_that_lags_a_little():
    assembler = ChunkAssembler(1, {"picture", "sound"}, 0.5)
    assert sound(assembler, 0.7) == []
    assert film(assembler, 1.2) == []
    (chunk,) = sound(assembler, 0.3, start=0.7)
    assert len(chunk.frames) == 10
    assert chunk.sound is not None


def test_a_stream_that_has_no_sound_after_all_is_not_waited_for():
    assembler = ChunkAssembler(1, {"picture", "sound"}, 0.5)
    chunks = film(assembler, 3.04)
    assert [chunk.sound for chunk in chunks] == [None] * 3


def test_a_stream_whose_pictures_stop_goes_on_with_sound():
    assembler = ChunkAssembler(1, {"picture", "sound"}, 0.5)
    film(assembler, 1)
    chunks = sound(assembler, 4)
    assert [bool(chunk.frames) for chunk in chunks] == [True, False, False, False]
    assert all(chunk.sound for chunk in chunks)


def test_a_gap_is_empty_chunks():
    assembler = ChunkAssembler(1, {"picture"}, 0.5)
    chunks = [*film(assembler, 1), *film(assembler, 1, start=3.0), *assembler.finish()]
    assert [chunk.empty for chunk in chunks] == [False, True, True, False]


def test_what_begins_anew_has_no_sound_of_the_past():
    assembler = ChunkAssembler(1, {"sound"}, 0.5)
    sound(assembler, 2)
    assembler.begin_anew()
    (chunk,) = sound(assembler, 1, start=2.0)
    assert chunk.fresh
    assert len(samples_of(chunk)) == RATE


def test_more_pictures_than_a_camera_makes_are_refused():
    assembler = ChunkAssembler(1, {"picture"}, 0.5)
    with pytest.raises(SourceError, match="more than 240 pictures"):
        film(assembler, 1, fps=500)


def test_pictures_are_shrunk_to_the_longer_side():
    encoder = JpegEncoder()
    data = encoder.encode(picture(size=(1280, 720)))
    assert Image.open(io.BytesIO(data)).size == (640, 360)
    assert Image.open(io.BytesIO(encoder.encode(picture()))).size == (64, 48)


def test_pictures_of_wide_pixels_are_made_square():
    data = JpegEncoder(Fraction(2)).encode(picture(size=(64, 48)))
    assert Image.open(io.BytesIO(data)).size == (128, 48)
    data = JpegEncoder(Fraction(2)).encode(picture(size=(640, 480)))
    assert Image.open(io.BytesIO(data)).size == (640, 240)


def test_a_mirrored_picture_is_mirrored_back_and_not_turned():
    film = encode([person()] * 2, container="mp4", codec="mpeg4")
    shown = []
    for data in (film, with_matrix(film, -1, 0, 0, 1)):
        with av.open(io.BytesIO(data)) as container:
            encoded = JpegEncoder().encode(next(container.decode(video=0)))
        shown.append(np.asarray(Image.open(io.BytesIO(encoded))).astype(int))
    assert np.abs(shown[1] - shown[0][:, ::-1]).mean() < 3


def test_a_change_of_resolution_or_sound_format_goes_on():
    assembler = ChunkAssembler(1, {"picture", "sound"}, 0.5)
    for index in range(21):
        at = Fraction(index, 10)
        size, rate = ((64, 48), 16_000) if index < 10 else ((96, 64), 44_100)
        list(assembler.add_picture(at, picture(size=size)))
        list(assembler.add_sound(at, tone(rate=rate)))
    assert assembler.following == 2


def test_holes_in_the_sound_are_silence_and_repeats_are_left_out():
    track = SoundTrack()
    for at in (0.0, 0.1, 0.5, 0.3):
        track.add(at, tone())
    samples = track.cut(0.0, 0.6)
    assert track.end == pytest.approx(0.6)
    assert (samples[: RATE // 5] > 0).all()
    assert not samples[round(0.2 * RATE) : round(0.5 * RATE)].any()
    assert (samples[round(0.5 * RATE) :] > 0).all()


def test_channels_are_kept_apart_at_their_own_level_and_sent_as_one_where_they_are_the_same():
    track = SoundTrack()
    track.add(0.0, tone(1.0, level=0.25))
    samples = track.cut(0.0, 1.0)
    assert samples.shape[0] == RATE and (samples == 8192).all()
    assert channels_of(encode_wav(np.repeat(samples[:, :1], 2, axis=1))) == 1
    assert channels_of(encode_wav(np.concatenate([samples[:, :1], -samples[:, :1]], axis=1))) == 2


def test_sound_that_becomes_stereo_stays_what_it_was_before():
    track = SoundTrack()
    for at, layout in ((0.0, "mono"), (0.1, "stereo"), (0.2, "mono")):
        track.add(at, constant(layout))
    track.flush()
    np.testing.assert_array_equal(track.cut(0.0, 0.3), np.full((round(0.3 * RATE), 2), 8192))


def test_the_rest_with_which_a_stream_ends_is_heard():
    assembler = ChunkAssembler(1, {"picture", "sound"}, 0.5)
    film(assembler, 2.6)
    sound(assembler, 2.6)
    *_, last = assembler.finish()
    assert len(samples_of(last)) == pytest.approx(1.6 * RATE, abs=0.1 * RATE)


def constant(layout: str) -> av.AudioFrame:
    """Return a tenth of a second at a quarter of full scale in every channel."""
    frame = av.AudioFrame(format="flt", layout=layout, samples=RATE // 10)
    channels = frame.layout.nb_channels
    frame.planes[0].update(np.full(channels * frame.samples, 0.25, np.float32).tobytes())
    frame.sample_rate = RATE
    return frame


def channels_of(data: bytes) -> int:
    with wave.open(io.BytesIO(data)) as file:
        return file.getnchannels()

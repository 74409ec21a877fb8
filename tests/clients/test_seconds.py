import asyncio
import io
import tracemalloc

import grpc
import numpy as np
import pytest
from PIL import Image

from clients import AsyncRecogniser, Media, MediaTypeError, Recogniser, UnreadableFileError
from clients.contract import SPEECH_ROW, VIDEO_ROW
from clients.errors import ServerFailedError
from clients.media import Chunk
from clients.seconds import SOUND_RATE, Second, seconds_of
from tests.clients.fake_triton import DOCUMENT, refuse
from tests.clients.media_files import film, noise, samples_of, wav


def each(fake, media, **options):
    with Recogniser(fake.grpc) as recogniser:
        return list(recogniser.recognise_each(media, **options))


def each_asynchronously(fake, media, **options):
    async def collect():
        async with AsyncRecogniser(fake.grpc) as recogniser:
            return [moment async for moment in recogniser.recognise_each(media, **options)]

    return asyncio.run(collect())


@pytest.mark.parametrize("recognise_each", [each, each_asynchronously], ids=["sync", "async"])
def test_every_second_is_answered_and_tells_how_much_is_done(recognise_each, fake):
    moments = recognise_each(fake, Media(text="안녕", video=film(5, sound=noise(5))))
    assert [(moment.begin, moment.end) for moment in moments] == [(k, k + 1) for k in range(5)]
    assert all(moment.recognition.document == DOCUMENT for moment in moments)
    assert moments[-1].progress == pytest.approx(1, abs=0.02)
    assert moments[1].progress == pytest.approx(0.4, abs=0.02)
    assert [set(fake.sent(index)) - {"PAST_VIDEO", "PAST_SPEECH"} for index in range(5)] == [
        {"TEXT", "FRAMES", "FPS", "AUDIO"}
    ] * 5


def test_times_are_in_milliseconds(fake):
    moment = each(fake, Media(audio=wav(noise(6.82))))[-1]
    assert (moment.begin, moment.end, moment.total) == (6.0, 6.82, 6.82)
    inexact = Second(6.0, 6.819999999999999, Chunk(), total=6.819999999999999).moment()
    assert (inexact.end, inexact.total) == (6.82, 6.82)


def test_a_second_comes_before_the_next_is_sent(fake):
    with Recogniser(fake.grpc) as recogniser:
        moments = recogniser.recognise_each(Media(video=film(9)))
        for count in (1, 2, 3):
            next(moments)
            assert len(fake.requests) == count
        moments.close()


def test_an_answer_speaks_for_the_window_through_rows_of_the_seconds_before(fake):
    each(fake, Media(video=film(9, sound=noise(9))), window=4)
    # A scripted second has 3 rows of each; the first second's sound fills no window.
    video = [len(fake.sent(index).get("PAST_VIDEO", ())) for index in range(9)]
    speech = [len(fake.sent(index).get("PAST_SPEECH", ())) for index in range(9)]
    assert video == [0, 3, 6, 9, 9, 9, 9, 9, 9]
    assert speech == [0, 0, 3, 6, 9, 9, 9, 9, 9]
    assert fake.sent(3)["PAST_VIDEO"].shape[1:] == (VIDEO_ROW,)
    assert fake.sent(3)["PAST_SPEECH"].shape[1:] == (SPEECH_ROW,)


def test_sound_carries_the_second_before_that_its_windows_need():
    samples = noise(6, rate=SOUND_RATE, channels=2)
    heard = [
        samples_of(second.chunk.audio)
        for second in seconds_of(Media(audio=wav(samples, SOUND_RATE)))
    ]
    assert len(heard) == 6
    np.testing.assert_array_equal(heard[0], samples[:SOUND_RATE])
    for index, piece in enumerate(heard[1:], start=1):
        begin = (index - 1) * SOUND_RATE
        np.testing.assert_array_equal(piece, samples[begin : begin + 2 * SOUND_RATE])


def test_a_longer_step_holds_as_many_pictures_and_seconds_of_sound():
    steps = list(seconds_of(Media(video=film(9, fps=25, sound=noise(9))), hop=3))
    assert [(step.begin, step.end) for step in steps] == [(0, 3), (3, 6), (6, 9)]
    assert [len(step.chunk.frames) for step in steps] == [30] * 3
    assert [len(samples_of(step.chunk.audio)) / SOUND_RATE for step in steps] == [3, 4, 4]
    assert [step.chunk.fps for step in steps] == [10] * 3


def test_pictures_are_those_of_their_second_and_no_larger_than_needed():
    grey = np.repeat(np.arange(30, dtype=np.uint8) * 8, 720 * 1280 * 3).reshape(30, 720, 1280, 3)
    seconds = list(seconds_of(Media(video=grey)))
    assert [len(second.chunk.frames) for second in seconds] == [10, 10, 10]
    with Image.open(io.BytesIO(seconds[1].chunk.frames[4])) as picture:
        assert picture.size == (640, 360)
        assert np.asarray(picture).mean() == pytest.approx(14 * 8, abs=2)


@pytest.mark.parametrize(
    ("count", "fps", "rows"), [(25, 10, 3), (24, 10, 2), (3, 1, 3), (4, 0.5, 8)]
)
def test_there_are_as_many_rows_as_seconds_to_the_nearest(count, fps, rows):
    seconds = list(seconds_of(Media(video=[b"x"] * count, fps=fps)))
    assert len(seconds) == rows
    assert sum(len(second.chunk.frames) for second in seconds) == pytest.approx(count, abs=4)


@pytest.mark.parametrize(("seconds", "rows"), [(4.8, 5), (4.3, 4), (0.4, 1)])
def test_a_rest_of_sound_is_heard_with_the_second_before(seconds, rows):
    steps = list(seconds_of(Media(audio=wav(noise(seconds)))))
    assert len(steps) == rows
    heard = len(samples_of(steps[-1].chunk.audio)) / SOUND_RATE
    assert heard == pytest.approx(min(seconds, steps[-1].end - steps[-1].begin + 1), abs=0.01)


def test_a_gap_is_a_row_without_an_answer_and_asks_nothing(fake):
    moments = each(fake, Media(video=[b"x"] * 2, fps=0.4))
    assert [moment.refusal is None for moment in moments] == [True, False, True, False, False]
    assert len(fake.requests) == 2


def test_a_second_that_is_refused_costs_only_itself(fake):
    fake.script = [refuse(grpc.StatusCode.INVALID_ARGUMENT, "no modality can be used")]
    moments = each(fake, Media(video=film(3)))
    assert [moment.recognition is None for moment in moments] == [True, False, False]
    assert moments[0].refusal == "no modality can be used"
    assert "PAST_VIDEO" not in fake.sent(1)


def test_a_server_that_fails_ends_it(fake):
    fake.script = [refuse(grpc.StatusCode.INTERNAL, "broken")]
    with pytest.raises(ServerFailedError, match="broken"):
        each(fake, Media(video=film(3)))


def test_a_sentence_alone_is_one_moment(fake):
    (moment,) = each(fake, Media(text="안녕"))
    assert (moment.begin, moment.end, moment.progress) == (0, 0, None)


def test_a_separate_sound_goes_with_the_pictures():
    seconds = list(seconds_of(Media(audio=wav(noise(4)), video=film(2, sound=noise(2) // 100))))
    assert [bool(second.chunk.frames) for second in seconds] == [True, True, False, False]
    loud = [np.abs(samples_of(second.chunk.audio)).max() > 4_000 for second in seconds]
    assert loud == [True] * 4


@pytest.mark.parametrize(
    ("media", "words"),
    [
        (Media(video=b"no film"), "video: expected pictures, found none in 7 bytes"),
        (Media(audio=b"no sound"), "audio: expected sound, found none in 8 bytes"),
        (Media(video="nowhere.mp4"), "video: cannot read nowhere.mp4"),
    ],
)
def test_what_cannot_be_decoded_is_named(fake, media, words):
    with pytest.raises(UnreadableFileError, match=words):
        each(fake, media)


@pytest.mark.parametrize(
    "options", [{"hop": 0}, {"hop": 1.5}, {"hop": 11}, {"hop": 5, "window": 4}]
)
def test_a_step_or_a_window_out_of_bounds_is_named(fake, options):
    with pytest.raises(MediaTypeError, match=r"(hop|window): expected whole seconds"):
        each(fake, Media(text="안녕"), **options)


def test_a_film_ten_times_as_long_takes_no_more_memory(tmp_path):
    peaks = []
    for seconds in (20, 200):
        path = tmp_path / f"{seconds}.mp4"
        path.write_bytes(film(seconds, sound=noise(seconds)))
        tracemalloc.start()
        assert sum(1 for _ in seconds_of(Media(video=path))) == seconds
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_sound_that_ends_early_is_not_waited_for_for_ever():
    seconds = list(seconds_of(Media(video=film(30, sound=noise(5)))))
    assert len(seconds) == 30
    assert all(second.chunk.frames for second in seconds)
    assert [second.chunk.audio is not None for second in seconds][8:] == [False] * 22

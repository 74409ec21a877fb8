import itertools
from pathlib import Path

import av
import numpy as np
import pytest

from clients.chunks import Combination, cut
from clients.contract import LIMITS
from clients.errors import UncuttableMediaError, UnreadableFileError
from clients.media import Chunk, Media, Span
from clients.protocol import Context, Recognition
from tests.clients.media_files import (
    encoded_sound,
    film,
    noise,
    pictures_of,
    samples_of,
    seconds_of,
    wav,
)


def test_text_alone_is_one_chunk():
    (chunk,) = cut(Media(text="기뻐"))
    assert chunk.text.decode() == "기뻐"
    assert not chunk.more


def test_a_short_recording_travels_as_it_is():
    picture, sound = film(2), wav(noise(2))
    (chunk,) = cut(Media(audio=sound, video=picture))
    assert (chunk.audio, chunk.film) == (sound, picture)


def test_a_short_film_keeps_its_own_sound_track():
    (chunk,) = cut(Media(video=film(2, sound=noise(2))))
    assert chunk.audio is None


def test_what_cannot_be_decoded_is_left_for_the_server_to_judge():
    (chunk,) = cut(Media(audio=b"no sound", video=b"no film"))
    assert (chunk.audio, chunk.film) == (b"no sound", b"no film")


@pytest.mark.parametrize("seconds", [61, 119, 150.5, 178])
def test_pieces_of_sound_hold_every_sample_and_share_one_second(seconds):
    samples = noise(seconds, channels=2)
    pieces = [samples_of(chunk.audio) for chunk in cut(Media(audio=wav(samples)))]
    joined = np.concatenate([pieces[0], *(piece[8000:] for piece in pieces[1:])])
    np.testing.assert_array_equal(joined, samples)
    for first, second in itertools.pairwise(pieces):
        np.testing.assert_array_equal(first[-8000:], second[:8000])


@pytest.mark.parametrize("seconds", [61, 119, 150.5, 178])
def test_pieces_of_sound_are_within_the_limit_and_none_is_a_scrap(seconds):
    lengths = [seconds_of(chunk.audio) for chunk in cut(Media(audio=wav(noise(seconds))))]
    assert max(lengths) <= LIMITS.seconds
    assert min(lengths) >= max(lengths) - len(lengths)


def test_parts_of_a_film_hold_every_picture_unchanged():
    whole = film(130)
    parts = [chunk.film for chunk in cut(Media(video=whole))]
    assert len(parts) > 1
    assert all(seconds_of(part) <= LIMITS.seconds + LIMITS.seconds_tolerance for part in parts)
    joined = [picture for part in parts for picture in pictures_of(part)]
    np.testing.assert_array_equal(np.stack(joined), np.stack(pictures_of(whole)))


def test_a_long_films_sound_travels_beside_its_pictures():
    chunks = list(cut(Media(text="기뻐", video=film(70, sound=noise(70)))))
    assert all(chunk.audio and chunk.film and chunk.text for chunk in chunks)
    assert [chunk.more for chunk in chunks] == [True] * (len(chunks) - 1) + [False]


def test_a_long_film_without_sound_has_none():
    assert all(chunk.audio is None for chunk in cut(Media(video=film(70))))


def test_a_film_without_key_frames_says_how_to_mend_it():
    with pytest.raises(UncuttableMediaError, match="key frame at least every 60 s"):
        list(cut(Media(video=film(90, key_seconds=100))))


def test_a_long_recording_is_cut_from_a_file_too(tmp_path):
    path = tmp_path / "long.wav"
    path.write_bytes(wav(noise(100)))
    assert len(list(cut(Media(audio=path)))) == 2


def test_frames_are_grouped_by_minute():
    frames = [b"%d" % index for index in range(150)]
    chunks = list(cut(Media(video=frames, fps=1)))
    assert [len(chunk.frames) for chunk in chunks] == [60, 60, 30]
    assert [frame for chunk in chunks for frame in chunk.frames] == frames


def test_frames_of_one_chunk_stay_below_the_byte_limit():
    frames = [bytes([1]) * (LIMITS.frame_bytes // 3)] * 7
    assert [len(chunk.frames) for chunk in cut(Media(video=frames))] == [3, 3, 1]


def test_a_modality_that_ends_early_is_absent_later():
    first, second = cut(Media(audio=wav(noise(100)), video=film(2)))
    assert first.film
    assert second.audio
    assert second.film is None


@pytest.mark.parametrize("name", ["audio", "video"])
def test_a_missing_file_is_named(name, tmp_path):
    with pytest.raises(UnreadableFileError, match=rf"{name}: cannot read .*nowhere"):
        list(cut(Media(**{name: tmp_path / "nowhere"})))


def test_a_long_film_given_as_sound_must_have_some():
    with pytest.raises(UnreadableFileError, match="audio: expected sound, found none"):
        list(cut(Media(audio=film(70))))


def test_long_sound_given_as_film_must_have_pictures():
    with pytest.raises(UnreadableFileError, match="video: expected pictures, found none"):
        list(cut(Media(video=wav(noise(70)))))


def test_a_film_cut_short_by_accident_is_sent_as_far_as_it_goes():
    whole = film(130, container="matroska")
    chunks = list(cut(Media(video=whole[: len(whole) * 3 // 4])))
    joined = [picture for chunk in chunks for picture in pictures_of(chunk.film)]
    assert len(joined) > 400
    whole_before_the_break = pictures_of(whole)[:400]
    np.testing.assert_array_equal(np.stack(joined[:400]), np.stack(whole_before_the_break))


def test_a_live_recording_without_a_declared_length_is_cut():
    chunks = list(cut(Media(video=film(70, container="matroska", options={"live": "1"}))))
    assert len(chunks) == 2


@pytest.mark.parametrize("layouts", [("mono", "stereo"), ("stereo", "mono", "5.1")])
def test_sound_that_changes_its_channels_is_cut(layouts):
    seconds = 64 / len(layouts)
    parts = [encoded_sound("aac", 8_000, layout, seconds, "adts") for layout in layouts]
    pieces = [samples_of(chunk.audio) for chunk in cut(Media(audio=b"".join(parts)))]
    heard = np.concatenate([pieces[0][:, 0], *(piece[8_000:, 0] for piece in pieces[1:])])
    assert len(heard) / 8_000 == pytest.approx(64, abs=1)
    whole_seconds = heard[: len(heard) // 8_000 * 8_000].reshape(-1, 8_000)
    assert np.abs(whole_seconds).max(axis=1).min() > 500


def test_sound_that_changes_its_rate_is_cut():
    parts = [encoded_sound("aac", rate, "mono", 32, "adts") for rate in (8_000, 16_000)]
    pieces = [samples_of(chunk.audio) for chunk in cut(Media(audio=b"".join(parts)))]
    heard = np.concatenate([pieces[0], *(piece[8_000:] for piece in pieces[1:])])
    assert len(heard) / 8_000 == pytest.approx(64, abs=1)


def test_channels_that_cancel_each_other_out_are_sent_apart():
    left = noise(70)
    whole = np.concatenate([left, -left], axis=1)
    pieces = [samples_of(chunk.audio) for chunk in cut(Media(audio=wav(whole)))]
    np.testing.assert_array_equal(pieces[0], whole[: len(pieces[0])])


def test_of_too_many_channels_the_loudest_are_sent():
    whole = np.repeat(noise(70), 8, axis=1) // np.array([16, 16, 1, 16, 2, 3, 4, 5], np.int16)
    pieces = [samples_of(chunk.audio) for chunk in cut(Media(audio=wav(whole)))]
    assert pieces[0].shape[1] < 8
    np.testing.assert_array_equal(pieces[0][:, 0], whole[: len(pieces[0]), 2])


def test_sound_at_a_rate_that_nothing_has_is_refused_before_it_is_cut():
    slow = encoded_sound("flac", 1, "mono", 12_000, "matroska")
    with pytest.raises(UnreadableFileError, match="1 samples a second, expected 1000 to 768000"):
        list(cut(Media(audio=slow)))


def test_a_long_film_with_sound_that_nothing_can_hear_keeps_its_pictures():
    whole = encoded_sound("flac", 1, "mono", 70, "matroska", into=film(70))
    chunks = list(cut(Media(video=whole)))
    assert len(chunks) == 2
    assert all(chunk.film and chunk.audio is None for chunk in chunks)


@pytest.mark.parametrize("name", ["audio", "video"])
def test_a_playlist_opens_nothing(name, tmp_path):
    (tmp_path / "secret.ts").write_bytes(film(70, sound=noise(70), container="mpegts"))
    playlist = tmp_path / "list.m3u8"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:70\n#EXTINF:70,\nsecret.ts\n")
    (chunk,) = cut(Media(**{name: playlist}))
    assert {chunk.audio, chunk.film} == {playlist.read_bytes(), None}


@pytest.mark.parametrize("codes", [(0, 2), (2, 0), (2, 2)])
def test_what_is_wrong_with_a_modality_does_not_depend_on_the_order_of_the_chunks(codes, caplog):
    combination = Combination(Context(), (), context=False)
    for begin, code in enumerate(codes):
        report = {"error_code": code, "message": "dark" * bool(code), "message_ko": "", "count": 4}
        chunk = Chunk(film=b"film", picture_span=Span(float(begin), 1.0))
        combination.add(chunk, Recognition({"result": {}, "modalities": {"video": report}}))
    well = 0 in codes
    assert combination.result().failures == ({} if well else {"video": "error_code 2: dark"})
    assert ("a part of the video was left out: error_code 2: dark" in caplog.text) is well


def test_a_long_film_is_opened_once(monkeypatch, tmp_path):
    path = tmp_path / "long.mp4"
    path.write_bytes(film(130, sound=noise(130)))
    opened, opened_files = [], []
    open_file, open_container = Path.open, av.open
    monkeypatch.setattr(
        av,
        "open",
        lambda file, mode="r", **options: (
            opened.append(file) if mode == "r" else None,
            open_container(file, mode, **options),
        )[1],
    )
    monkeypatch.setattr(
        Path,
        "open",
        lambda self, *options: (opened_files.append(self), open_file(self, *options))[1],
    )
    chunks = list(cut(Media(video=path)))
    assert len(chunks) > 2 and all(chunk.audio and chunk.film for chunk in chunks)
    assert len(opened) == len(opened_files) == 1


def test_a_piece_knows_where_it_lies():
    chunks = list(cut(Media(video=film(130, key_seconds=7), audio=wav(noise(170)))))
    pictures = [chunk.picture_span for chunk in chunks if chunk.film]
    sounds = [chunk.sound_span for chunk in chunks]
    assert [span.begin % 7 for span in pictures] == [0] * len(pictures)
    for first, second in itertools.pairwise(pictures):
        assert first.begin + first.seconds == pytest.approx(second.begin, abs=0.3)
    for first, second in itertools.pairwise(sounds):
        assert first.begin + first.seconds == second.begin + 1
    assert sounds[-1].begin + sounds[-1].seconds == pytest.approx(170)
    shown = [chunk.picture_span for chunk in cut(Media(video=[b"x"] * 150, fps=2))]
    assert shown == [Span(0, 60), Span(60, 15)]

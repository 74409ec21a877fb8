import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clients import MediaTypeError, RecogniserError, Samples
from clients.errors import UnreadableFileError
from clients.media import Media, encode_text, frame_files, read
from tests.clients.media_files import noise, samples_of


def test_frames_of_a_folder_come_in_natural_order(tmp_path):
    names = ["frame10.jpg", "frame2.jpg", "Frame1.png", "notes.txt", "frame2b.JPG"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    found = [path.name for path in frame_files(tmp_path)]
    assert found == ["Frame1.png", "frame2.jpg", "frame2b.JPG", "frame10.jpg"]


def test_a_folder_is_frames_and_no_film(tmp_path):
    (tmp_path / "1.jpg").write_bytes(b"x")
    media = Media(video=tmp_path)
    assert media.film is None
    assert media.frames() == [tmp_path / "1.jpg"]


def test_a_string_is_a_path():
    assert Media(video="clip.mp4") == Media(video=Path("clip.mp4"))


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(UnreadableFileError, match=r"expected images .*\.jpg.* found none"):
        Media(video=tmp_path).frames()


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.wav"
    path.touch()
    with pytest.raises(UnreadableFileError, match="audio: expected an encoded file, found 0 bytes"):
        read(path, "audio")


def test_a_name_that_no_file_can_have_is_refused():
    film = Media(video="a" * 256).film
    with pytest.raises(UnreadableFileError, match=r"video: cannot read a.*: File name too long"):
        read(film, "video")


def test_half_a_character_is_refused():
    with pytest.raises(UnreadableFileError, match="text: expected Unicode"):
        encode_text("\udc80")


def test_a_film_comes_as_a_path_as_bytes_or_as_a_file(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"film")
    with path.open("rb") as file:
        given = [
            Media(video=file),
            Media(video=io.BytesIO(b"film")),
            Media(video=bytearray(b"film")),
        ]
    assert [media.film for media in given] == [b"film"] * 3
    assert Media(video=FolderEntry(path)).film == path


class FolderEntry:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


def test_pictures_come_as_an_array():
    pictures = np.zeros((3, 48, 64, 3), np.uint8)
    pictures[1] = 200
    frames = Media(video=pictures, fps=25).frames()
    assert len(frames) == 3
    for frame, level in zip(frames, (0, 200, 0), strict=True):
        with Image.open(io.BytesIO(frame)) as image:
            assert image.size == (64, 48)
            assert np.asarray(image).mean() == pytest.approx(level, abs=1)


def test_red_stays_red():
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[..., 0] = 255
    with Image.open(io.BytesIO(Media(video=[picture]).frames()[0])) as image:
        assert np.asarray(image).mean(axis=(0, 1)).tolist() == pytest.approx([254, 0, 0], abs=3)


def test_pictures_may_be_files_bytes_and_arrays_in_one_sequence(tmp_path):
    picture = np.zeros((8, 8, 3), np.uint8)
    first, second, third = Media(video=[b"one", str(tmp_path / "two.jpg"), picture]).frames()
    assert (first, second) == (b"one", tmp_path / "two.jpg")
    assert third.startswith(b"\xff\xd8")


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(-1,), (-1, 2)])
def test_samples_come_with_their_rate(kind, shape):
    scale = {"int16": 1, "int32": 1 << 16}.get(np.dtype(kind).name, 1 / 32768)
    sound = noise(1, channels=1 if shape == (-1,) else 2)
    array = (sound * np.array(scale, np.float64 if scale < 1 else kind)).astype(kind).reshape(shape)
    for audio in (Samples(array, 8_000), (array, np.int64(8_000))):
        np.testing.assert_array_equal(samples_of(Media(audio=audio).audio), sound)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"text": b"bytes"}, "text: expected a string, came bytes"),
        ({"audio": 5}, "audio: expected bytes, a path, .* came int"),
        ({"audio": np.zeros(8)}, r"audio: expected .*, came float64 \[8\] without a rate"),
        ({"audio": ([0.0], 8_000)}, "audio: expected samples .*, came list"),
        ({"audio": (np.zeros(8, np.uint8), 8_000)}, r"audio: expected samples .* came uint8 \[8\]"),
        ({"audio": (np.zeros((2, 900)), 8_000)}, r"at most 64 channels, came \[2, 900\]"),
        ({"audio": (np.zeros(8), 8)}, "expected a whole rate from 1000 to 768000 .* came 8"),
        ({"audio": (np.zeros(8), "8000")}, "expected a whole rate .* came '8000'"),
        ({"audio": (np.full(8, np.nan), 8_000)}, "expected finite samples"),
        (
            {"audio": (np.array([0, -3e4], np.float32), 8_000)},
            "audio: expected floats from -1 to 1, .* came float32 up to 30000: divide by",
        ),
        ({"audio": io.StringIO("text")}, r"audio: expected a file opened in binary.* gave str"),
        ({"video": {1, 2}}, r"video: expected bytes, .* pictures uint8 \[T, H, W, 3\], came set"),
        (
            {"video": np.zeros((2, 8, 8, 3))},
            r"expected RGB pictures uint8 .* float64 \[2, 8, 8, 3\]",
        ),
        ({"video": np.zeros((2, 8, 8), np.uint8)}, r"expected RGB pictures .* uint8 \[2, 8, 8\]"),
        ({"video": [b"one", 2]}, r"video\[1\]: expected an encoded image .* came int"),
        ({"fps": 0}, "fps: expected a positive number, came 0"),
        ({"fps": "10"}, "fps: expected a positive number, came '10'"),
    ],
)
def test_other_types_are_refused_at_once_with_what_was_expected(given, words):
    with pytest.raises(MediaTypeError, match=words) as caught:
        Media(**given)
    assert isinstance(caught.value, TypeError) and isinstance(caught.value, RecogniserError)


def test_floats_that_overshoot_are_clipped():
    sound = samples_of(Media(audio=(np.array([-1.5, 0.0, 4.0]), 8_000)).audio)
    assert sound[:, 0].tolist() == [-32768, 0, 32767]


def test_a_file_that_is_closed_cannot_be_read():
    file = io.BytesIO(b"film")
    file.close()
    with pytest.raises(UnreadableFileError, match="video: cannot read"):
        Media(video=file)

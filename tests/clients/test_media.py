from pathlib import Path

import pytest

from clients.errors import UnreadableFileError
from clients.media import Media, encode_text, frame_files, read


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

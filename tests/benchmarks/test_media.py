"""Clips to measure with are what the report says they are."""

from __future__ import annotations

import av

from benchmarks.media import FPS, clip_of


def test_a_clip_has_its_length_size_rate_and_sound(tmp_path):
    with av.open(str(clip_of(2, tmp_path))) as clip:
        pictures, sound = clip.streams.video[0], clip.streams.audio[0]
        assert (pictures.width, pictures.height) == (640, 480)
        assert (pictures.frames, float(pictures.average_rate)) == (2 * FPS, FPS)
        assert abs(float(sound.duration * sound.time_base) - 2) < 0.1


def test_a_clip_is_made_once(tmp_path):
    clip = clip_of(1, tmp_path)
    made = clip.stat().st_mtime_ns
    assert clip_of(1, tmp_path).stat().st_mtime_ns == made
    assert [file.name for file in tmp_path.iterdir()] == [clip.name]

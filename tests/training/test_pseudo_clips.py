"""Pseudo-clips hold what their label and their modalities say."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="pseudo-clips need PyTorch (requirements/export.txt)")

from training.banks import Banks  # noqa: E402
from training.fusion import JOINT, draw_lessons, least_confidence  # noqa: E402
from training.networks.video import VideoNet  # noqa: E402
from training.pseudo_clips import (  # noqa: E402
    Mix,
    Pool,
    draw_clips,
    draw_disagreeing,
    draw_sequences,
    interval,
    pools_of,
)

EMOTIONS = np.arange(7)
CLIPS = 400
ALL = np.ones((CLIPS, 3), bool)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def pools() -> list[Pool]:
    """Twelve people of each modality, each certain of the emotion, and of nothing when degraded."""
    emotions = np.tile(EMOTIONS, 12)
    views = np.stack([np.eye(7)[emotions], np.full((84, 7), 1 / 7)], 1).astype(np.float32)
    return [Pool(views, emotions, np.repeat(np.arange(12), 7)) for _ in range(3)]


@pytest.fixture
def banks() -> Banks:
    emotions, people = np.tile(EMOTIONS, 4), np.repeat(np.arange(4), 7).astype(str)
    certain = np.eye(7)[emotions][:, None].repeat(2, 1)
    faces = np.zeros((28, 3, 4096), np.float16)
    faces[:, :, 0] = np.arange(28)[:, None]
    return Banks(certain, emotions, people, certain, emotions, people, faces, emotions, people)


def leaders(clips) -> np.ndarray:
    return clips.posteriors.argmax(2)


def test_the_parts_of_a_matched_clip_tell_its_emotion(pools, random):
    clips = draw_clips(pools, ALL, Mix(), random)
    assert (leaders(clips) == clips.emotions[:, None]).all()
    assert set(clips.emotions) == set(EMOTIONS)


def test_one_part_of_a_misled_clip_still_tells_its_emotion(pools, random):
    clips = draw_clips(pools, ALL, Mix(misled=1.0), random)
    right = leaders(clips) == clips.emotions[:, None]
    assert right.any(1).all() and right.mean() < 0.5


def test_what_misleads_several_parts_may_mislead_them_alike(pools, random):
    clips = draw_clips(pools, ALL, Mix(misled=1.0, dependent=1.0), random)
    assert all(len(set(row)) <= 2 for row in leaders(clips))


def test_plain_words_are_neutral_whatever_the_others_tell(pools, random):
    text, *others = leaders(draw_clips(pools, ALL, Mix(plain=1.0), random)).T
    assert set(text) == {4} and set(others[0]) == set(EMOTIONS)


def test_absent_and_degraded_parts_tell_nothing(pools, random):
    present = np.tile([True, False, True], (CLIPS, 1))
    clips = draw_clips(pools, present, Mix(degraded=1.0), random)
    np.testing.assert_allclose(clips.posteriors, 1 / 7)
    whole = draw_clips(pools, ALL, Mix(), random)
    assert (whole.without(0).posteriors[:, 0] == np.float32(1 / 7)).all()


def test_the_present_parts_of_disagreeing_clips_do_not_all_tell_the_same(pools, random):
    present = np.array(JOINT)[random.integers(0, len(JOINT), CLIPS)]
    clips = draw_disagreeing(pools, present, random)
    told = [set(row[there]) for row, there in zip(leaders(clips), present, strict=True)]
    assert all(len(one) > 1 for one in told)


def test_lessons_have_two_or_three_modalities(pools, random):
    lessons = draw_lessons(pools, CLIPS, random)
    assert set(lessons.present.sum(1)) == {2, 3}
    assert len(lessons.emotions) == len(lessons.posteriors) == CLIPS


def test_an_interval_is_given_for_ten_people_or_more(pools, random):
    clips = draw_clips(pools, ALL, Mix(), random)
    low, high = interval(random.random(CLIPS) < 0.7, pools, clips)
    assert 0.4 < low < 0.7 < high < 1
    few = [Pool(pool.posteriors, pool.emotions, pool.people % 9) for pool in pools]
    assert interval(np.ones(CLIPS), few, clips) is None


def test_the_people_of_the_two_halves_are_different_ones(banks):
    one, other = banks.halves()
    assert set(one.voice_people) | set(other.voice_people) == set(banks.voice_people)
    assert not set(one.voice_people) & set(other.voice_people)
    assert len(one.faces) == len(other.faces) == 14


def test_a_sequence_shows_its_face_first_of_all(banks, random):
    features, counts = draw_sequences(banks, np.full(50, 5), random)
    shown = features[:, :, 0].numpy()
    for row, count in zip(shown, counts, strict=True):
        assert 1 <= count <= 12 and (row[:count] == 5).mean() >= 1 / count
    assert (shown == 5).sum() > 0.6 * counts.sum()


def test_pools_keep_labels_beside_what_the_video_network_says(banks, random):
    pools = pools_of(banks, VideoNet().eval(), random)
    np.testing.assert_allclose(pools[2].posteriors.sum(-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(pools[2].emotions, banks.face_emotions)


def test_from_the_least_confidence_on_few_enough_are_wrong(random):
    confidence = random.uniform(1 / 7, 1, 5000)
    posteriors = np.repeat(((1 - confidence) / 6)[:, None], 7, axis=1)
    posteriors[:, 0] = confidence
    truth = np.where(random.random(5000) < confidence, 0, 1)
    named = confidence >= least_confidence(truth, posteriors)
    assert (truth[named] != 0).mean() == pytest.approx(0.25, abs=0.01)
    assert 0.3 < named.mean() < 0.7

"""Pseudo-clips hold what their label and their modalities say."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="pseudo-clips need PyTorch (requirements/export.txt)")

from training.fusion import people_loss, single_guesses  # noqa: E402
from training.networks.fusion import FusionNet  # noqa: E402
from training.networks.video import VideoNet  # noqa: E402
from training.pseudo_clips import (  # noqa: E402
    Banks,
    FaceBank,
    PeopleBank,
    TextBank,
    VoiceBank,
    draw_clips,
    draw_pairs,
    random_presence,
)

CERTAIN = np.eye(7, dtype=np.float32)
EMOTIONS = np.arange(7)


@pytest.fixture
def banks() -> Banks:
    """One item of each emotion, each sure of it; voices and faces are 30 and female."""
    reading = [
        (np.zeros((2, 768), np.float32), CERTAIN[[e, e]], np.full((2, 1), 30.0), np.eye(2)[[1, 1]])
        for e in EMOTIONS
    ]
    ages, genders = np.full(7, 30.0), np.ones(7, int)
    return Banks(
        FaceBank(np.zeros((7, 3, 4096), np.float16), EMOTIONS),
        VoiceBank([(rows, rows) for rows in reading], EMOTIONS, genders, ages),
        TextBank(np.zeros((7, 2, 512), np.float32), CERTAIN[:, None].repeat(2, 1), EMOTIONS),
        PeopleBank(np.full((7, 2, 1), 30.0), np.eye(2)[[[1, 1]] * 7], ages, genders),
    )


def draw(banks, present, emotions=EMOTIONS, misleading=0.0):
    random = np.random.default_rng(0)
    return draw_clips(banks, VideoNet().eval(), emotions, present, random, 0.5, misleading)


def test_the_parts_of_a_clip_share_its_emotion(banks):
    text, speech, _ = single_guesses(draw(banks, np.ones((7, 3), bool)))
    np.testing.assert_array_equal(text, EMOTIONS)
    np.testing.assert_array_equal(speech, EMOTIONS)


def test_a_misleading_text_or_voice_tells_of_any_emotion(banks):
    clip = draw(banks, np.ones((70, 3), bool), emotions=np.zeros(70, int), misleading=1.0)
    text, speech, _ = single_guesses(clip)
    assert set(text) == set(speech) == set(EMOTIONS)
    assert not np.array_equal(text, speech)


def test_an_absent_modality_has_a_count_of_nothing(banks):
    clip = draw(banks, np.tile([True, False, True], (7, 1)))
    assert (clip.text_count == 1).all()
    assert not clip.speech_count.any()
    assert (clip.video_count >= 1).all()


def test_every_random_subset_holds_a_modality():
    present = random_presence(500, np.random.default_rng(0))
    assert present.any(1).all()
    assert 0.4 < present.mean() < 0.7


def test_a_pair_of_face_and_voice_agrees_on_age_and_gender(banks):
    pairs = draw_pairs(banks, np.ones((5, 2), bool), np.random.default_rng(0))
    np.testing.assert_array_equal(pairs.ages, 30)
    np.testing.assert_array_equal(pairs.genders, 1)
    assert people_loss(FusionNet(), pairs).isfinite()

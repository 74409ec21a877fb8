"""What fusion may make of what its parts say: the committed network's rules, and any network's."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection

import numpy as np
import pytest

CHANCE = 1 / 7
#: From where on an emotion leads in full.
LEADING = CHANCE + 0.1
MODALITIES = range(3)
TINY = 1e-5

Fuse = Callable[..., np.ndarray]


def random_posteriors(clips: int = 150) -> np.ndarray:
    """From flat ones to certain ones [clips,3,7]."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(clips, 3, 7)) * random.uniform(0.3, 4, (clips, 3, 1))
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return (raised / raised.sum(-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def served(run) -> Fuse:
    """Fuse by the committed file."""

    def fuse(said: np.ndarray, present: Collection[int] = MODALITIES) -> np.ndarray:
        counts = [np.array([modality in present], np.int32) for modality in MODALITIES]
        return run(
            "fusion",
            TEXT_FEATURES=np.zeros((1, 512), np.float32),
            TEXT_EMOTION=said[:1],
            TEXT_COUNT=counts[0],
            SPEECH_FEATURES=np.zeros((1, 768), np.float32),
            SPEECH_EMOTION=said[1:2],
            SPEECH_AGE=np.full((1, 1), 30, np.float32),
            SPEECH_GENDER=np.full((1, 2), 0.5, np.float32),
            SPEECH_WEIGHTS=np.ones(1, np.float32),
            SPEECH_COUNT=counts[1],
            VIDEO_FEATURES=np.zeros((1, 4096), np.float32),
            VIDEO_EMOTION=said[2],
            VIDEO_AGE=np.full((1, 1), 30, np.float32),
            VIDEO_GENDER=np.full((1, 2), 0.5, np.float32),
            VIDEO_COUNT=counts[2],
        )["EMOTION"]

    return fuse


@pytest.fixture(scope="module")
def of_any_weights() -> Fuse:
    """Fuse by a network of random weights."""
    torch = pytest.importorskip("torch", reason="networks need PyTorch (requirements/export.txt)")
    from training.networks.fusion import Evidence

    torch.manual_seed(0)
    network = Evidence()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=2.0)

    def fuse(said: np.ndarray, present: Collection[int] = MODALITIES) -> np.ndarray:
        known = np.where(np.isin(MODALITIES, list(present))[:, None], said, CHANCE)
        with torch.no_grad():
            return network(torch.from_numpy(known.astype(np.float32))[None])[0][0].numpy()

    return fuse


@pytest.fixture(params=["served", "of_any_weights"], scope="module")
def fuse(request) -> Fuse:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_modality_that_is_alone_is_answered_as_it_is(fuse, modality):
    for said in random_posteriors(30):
        np.testing.assert_allclose(fuse(said, [modality]), said[modality], atol=TINY)


@pytest.mark.parametrize("rest", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)])
def test_agreement_never_lowers_and_disagreement_never_raises_the_leader(fuse, rest):
    seen = set()
    for said in random_posteriors():
        before = fuse(said, rest)
        leader = before.argmax()
        if before[leader] < LEADING or max(said[m][leader] for m in rest) < LEADING:
            continue
        for added in set(MODALITIES) - set(rest):
            after = fuse(said, [*rest, added])
            agrees = said[added].argmax() == leader
            seen.add(bool(agrees))
            change = after[leader] - before[leader]
            assert change >= -TINY if agrees else change <= TINY, said
    assert seen == {True, False}


@pytest.mark.parametrize("silent", MODALITIES)
def test_a_posterior_that_tells_nothing_changes_nothing(fuse, silent):
    others = [modality for modality in MODALITIES if modality != silent]
    for said in random_posteriors(30):
        said[silent] = CHANCE
        np.testing.assert_allclose(fuse(said), fuse(said, others), atol=TINY)
        np.testing.assert_allclose(fuse(said, [silent, others[0]]), said[others[0]], atol=TINY)


def test_a_posterior_that_tells_hardly_anything_changes_hardly_anything(fuse):
    random = np.random.default_rng(1)
    for said in random_posteriors(30):
        said[1] = CHANCE + random.uniform(-0.002, 0.002, 7)
        np.testing.assert_allclose(fuse(said, [0, 1]), said[0], atol=0.05)


def test_weak_evidence_never_adds_up_to_certainty(fuse):
    # Of independent witnesses for an emotion the odds are multiplied, over those of chance.
    for said in random_posteriors():
        odds = np.clip(6 * said / (1 - said).clip(1e-6), 1, None).prod(0) / 6
        assert (fuse(said) <= odds / (1 + odds) + TINY).all()


@pytest.mark.parametrize("present", [(0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_weak_witnesses_who_agree_are_surer_than_one_and_far_from_certain(fuse, present):
    weak = np.full((3, 7), 0.1, np.float32)
    weak[:, 3] = 0.4
    assert 0.5 < fuse(weak, present)[3] < 0.92
    # What rules out all else only together does not make them certain either.
    weak = np.full((3, 7), 0.05, np.float32)
    weak[:, 3], weak[MODALITIES, MODALITIES] = 0.4, 0.35
    assert 0.4 < fuse(weak, present)[3] < 0.92


@pytest.mark.parametrize("present", [(0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_what_is_contradicted_is_not_certain_and_what_nobody_says_does_not_lead(fuse, present):
    disagreeing = 0
    for said in random_posteriors():
        parts = said[list(present)]
        fused = fuse(said, present)
        assert fused.argmax() in parts.argmax(1)
        behind = (parts.max(1) - parts[:, fused.argmax()]).max()
        if behind > 0.1:
            disagreeing += 1
            assert fused.max() <= 0.9 + TINY
    assert disagreeing > 50


def test_two_certain_modalities_that_contradict_leave_the_answer_open(fuse):
    certain = np.full((3, 7), 0.005, np.float32)
    certain[0, 0] = certain[2, 5] = 0.97
    for first, second in itertools.permutations((0.97, 0.8), 2):
        certain[0, 0], certain[2, 5] = first, second
        assert fuse(certain / certain.sum(1, keepdims=True), (0, 2)).max() < 0.9

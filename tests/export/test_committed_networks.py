"""What serving relies on: padding is inert, nothing is infinite, sizes are free."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

RANDOM = np.random.default_rng(0)
PARITY = Path(__file__).parents[2] / "export" / "parity"


def count(value: int) -> np.ndarray:
    return np.array([value], np.int32)


def posterior(*dims: int) -> np.ndarray:
    raw = RANDOM.random(dims, np.float32) + 0.01
    return raw / raw.sum(-1, keepdims=True)


def clip(
    text: int = 1, windows: int = 4, voiced: int = 3, faces: int = 6, seen: int = 4
) -> dict[str, np.ndarray]:
    return {
        "TEXT_FEATURES": RANDOM.random((1, 512), np.float32),
        "TEXT_EMOTION": posterior(1, 7),
        "TEXT_COUNT": count(text),
        "SPEECH_FEATURES": RANDOM.random((windows, 768), np.float32),
        "SPEECH_EMOTION": posterior(windows, 7),
        "SPEECH_AGE": RANDOM.random((windows, 1), np.float32) * 80,
        "SPEECH_GENDER": posterior(windows, 2),
        "SPEECH_WEIGHTS": RANDOM.random(windows, np.float32) * 0.9 + 0.1,
        "SPEECH_COUNT": count(voiced),
        "VIDEO_FEATURES": RANDOM.random((faces, 4096), np.float32),
        "VIDEO_EMOTION": posterior(7),
        "VIDEO_AGE": RANDOM.random((min(faces, 8), 1), np.float32) * 80,
        "VIDEO_GENDER": posterior(min(faces, 8), 2),
        "VIDEO_COUNT": count(seen),
    }


def assert_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray], tolerance: float = 0):
    for name, value in first.items():
        np.testing.assert_allclose(second[name], value, rtol=0, atol=tolerance, err_msg=name)


def assert_posteriors(answers: dict[str, np.ndarray]):
    for name in ("EMOTION", "GENDER"):
        if name in answers:
            assert (answers[name] >= 0).all()
            np.testing.assert_allclose(answers[name].sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("junk", [0.0, 1e6, np.nan, np.inf])
def test_fusion_does_not_see_what_is_in_padded_rows(run, junk):
    whole = clip()
    padded = {name: array.copy() for name, array in whole.items()}
    for name, used in (("SPEECH", 3), ("VIDEO", 4)):
        for field in ("FEATURES", "AGE", "GENDER", "EMOTION", "WEIGHTS"):
            tensor = f"{name}_{field}"
            if tensor in padded and tensor != "VIDEO_EMOTION":  # the clip's, not a row's
                padded[tensor][used:] = junk
    assert_same(run("fusion", **whole), run("fusion", **padded))


def test_fusion_does_not_see_how_many_rows_are_padded(run):
    padded = clip(windows=9, voiced=3, faces=20, seen=4)
    short = {
        name: array[: 3 if name.startswith("SPEECH") else 4]
        if (array.ndim == 2 or name == "SPEECH_WEIGHTS") and not name.startswith("TEXT")
        else array
        for name, array in padded.items()
    }
    assert_same(run("fusion", **padded), run("fusion", **short), tolerance=2e-5)


@pytest.mark.parametrize("present", range(1, 8))
def test_fusion_weighs_only_the_modalities_that_are_present(run, present):
    text, speech, video = (bool(present & 1 << bit) for bit in range(3))
    answers = run("fusion", **clip(text=text, voiced=3 * speech, seen=4 * video))
    weights = answers["WEIGHTS"]
    np.testing.assert_array_equal(weights > 0, [text, speech, video])
    assert weights.sum() == pytest.approx(1)
    assert_posteriors(answers)


@pytest.mark.parametrize("modality", ["TEXT", "SPEECH", "VIDEO"])
def test_an_absent_modality_changes_nothing_even_when_its_tensors_are_nan(run, modality):
    zeros = clip()
    zeros[f"{modality}_COUNT"] = count(0)
    broken = dict(zeros)
    for name, array in zeros.items():
        if name.startswith(modality) and array.dtype == np.float32:
            broken[name] = np.full_like(array, np.nan)
    assert_same(run("fusion", **zeros), run("fusion", **broken))


def test_fusion_without_face_and_voice_knows_neither_age_nor_gender(run):
    answers = run("fusion", **clip(voiced=0, seen=0))
    other = run("fusion", **clip(voiced=0, seen=0))
    np.testing.assert_array_equal(answers["GENDER"], [0.5, 0.5])
    assert 15 < answers["AGE"][0] < 60
    assert answers["AGE"] == other["AGE"]


def test_a_window_that_is_half_voice_counts_half_of_one_that_is_all_voice(run):
    # Two equal windows of half voice are one whole window of it.
    halves = clip(windows=3, voiced=3)
    for name in ("FEATURES", "EMOTION", "AGE", "GENDER"):
        halves[f"SPEECH_{name}"][1] = halves[f"SPEECH_{name}"][0]
    halves["SPEECH_WEIGHTS"] = np.array([0.5, 0.5, 1.0], np.float32)
    whole = {k: v[1:] if k.startswith("SPEECH") else v for k, v in halves.items()}
    whole |= {"SPEECH_WEIGHTS": np.ones(2, np.float32), "SPEECH_COUNT": count(2)}
    assert_same(run("fusion", **halves), run("fusion", **whole), tolerance=1e-4)


def test_neither_face_nor_voice_overrules_the_other_when_both_are_as_sure(run):
    sure = clip(windows=1, voiced=1, faces=1, seen=1)
    sure["VIDEO_GENDER"][:] = [0.0, 1.0]
    sure["SPEECH_GENDER"][:] = [1.0, 0.0]
    male, female = run("fusion", **sure)["GENDER"]
    face = run("fusion", **sure | {"SPEECH_COUNT": count(0)})["GENDER"]
    voice = run("fusion", **sure | {"VIDEO_COUNT": count(0)})["GENDER"]
    assert face[1] > 0.5 > voice[1]
    # What is left is the difference of the evidence, which each source's own errors bound.
    expected = np.log(voice[0] / voice[1]) - np.log(face[1] / face[0])
    assert np.log(male / female) == pytest.approx(expected, abs=1e-3)


def test_fusion_of_nothing_is_finite(run):
    answers = run("fusion", **clip(text=0, voiced=0, seen=0))
    assert all(np.isfinite(value).all() for value in answers.values())
    np.testing.assert_array_equal(answers["WEIGHTS"], np.zeros(3))


@pytest.mark.parametrize("rows", [1, 64])
def test_fusion_takes_any_number_of_rows(run, rows):
    answers = run("fusion", **clip(windows=rows, voiced=rows, faces=rows, seen=rows))
    assert_posteriors(answers)


@pytest.mark.parametrize("junk", [1e6, np.nan])
def test_video_emotion_does_not_see_padded_rows(run, junk):
    features = RANDOM.random((6, 4096), np.float32)
    padded = features.copy()
    padded[4:] = junk
    whole = run("video_emotion", FEATURES=features, COUNT=count(4))
    assert_same(whole, run("video_emotion", FEATURES=padded, COUNT=count(4)))


def test_video_emotion_of_no_face_is_finite(run):
    features = np.zeros((1, 4096), np.float32)
    assert_posteriors(run("video_emotion", FEATURES=features, COUNT=count(0)))


def test_video_emotion_reads_a_single_face_as_the_face_network_does(run):
    with np.load(PARITY / "vgg_face.npz") as fixture:
        crops = fixture["input.CROPS"][:1]
    face = run("vgg_face", CROPS=crops)
    video = run("video_emotion", FEATURES=face["FEATURES"], COUNT=count(1))
    np.testing.assert_allclose(video["EMOTION"], face["EMOTION"][0], atol=1e-5)


@pytest.mark.parametrize("model", ["vgg_face", "age_gender"])
@pytest.mark.parametrize("level", [0, 127, 255])
def test_a_flat_crop_is_answered_with_finite_numbers(run, model, level):
    answers = run(model, CROPS=np.full((1, 224, 224, 3), level, np.uint8))
    assert all(np.isfinite(value).all() for value in answers.values())
    assert_posteriors(answers)


@pytest.mark.parametrize("model", ["vgg_face", "age_gender"])
def test_a_crop_is_read_alike_alone_and_in_a_batch(run, model):
    crops = RANDOM.integers(0, 256, (5, 224, 224, 3), np.uint8)
    alone = run(model, CROPS=crops[2:3])
    assert_same(alone, {k: v[2:3] for k, v in run(model, CROPS=crops).items()}, 1e-4)


def test_a_window_is_heard_alike_alone_and_in_a_batch(run):
    mels = RANDOM.random((60, 200, 80), np.float32) * 6 - 7
    alone = run("speech_cnn", MELS=mels[7:8])
    assert_same(alone, {k: v[7:8] for k, v in run("speech_cnn", MELS=mels).items()}, 1e-4)


def test_a_silent_window_is_answered_with_finite_numbers(run):
    answers = run("speech_cnn", MELS=np.full((1, 200, 80), -10, np.float32))
    assert all(np.isfinite(value).all() for value in answers.values())
    assert_posteriors(answers)


def test_a_sentence_is_read_alike_however_far_it_is_padded(run):
    ids, grams = np.zeros((1, 48), np.int32), np.zeros((1, 64), np.int32)
    ids[0, :40] = RANDOM.integers(1, 1000, 40)
    grams[0, :50] = RANDOM.integers(1, 1000, 50)
    short = run("text_encoder", IDS=ids, GRAMS=grams)
    longer = [np.pad(tokens, ((0, 1), (0, 128))) for tokens in (ids, grams)]
    answers = run("text_encoder", IDS=longer[0], GRAMS=longer[1])
    assert_same(short, {k: v[:1] for k, v in answers.items()}, 1e-5)


def test_a_sentence_of_padding_alone_is_finite(run):
    nothing = np.zeros((1, 64), np.int32)
    assert_posteriors(run("text_encoder", IDS=nothing, GRAMS=nothing))

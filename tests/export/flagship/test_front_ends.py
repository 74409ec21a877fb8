"""The flagship's front ends follow the original's rules; what they lack is said to the request."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from contract import MediaError

from export.flagship.repository import FRONT_ENDS, write_morphemes
from tests.export.flagship.originals import MORPHEMES

SENTENCE = "나는 지금 너무 슬퍼"


def loaded(path: Path) -> ModuleType:
    """Import a front end beside the default profile's, which has the same name."""
    spec = importlib.util.spec_from_file_location(f"flagship_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def speech() -> ModuleType:
    return loaded(FRONT_ENDS / "speech_frontend" / "1" / "log_mel.py")


@pytest.fixture
def text(tmp_path) -> ModuleType:
    """A tokenizer in a repository of its own, with its morphemes."""
    folder = tmp_path / "text_tokenizer" / "1"
    folder.mkdir(parents=True)
    shutil.copy(FRONT_ENDS / "text_tokenizer" / "1" / "tokenizer.py", folder)
    write_morphemes(tmp_path, list(MORPHEMES))
    return loaded(folder / "tokenizer.py")


@pytest.fixture
def okt() -> None:
    pytest.importorskip("konlpy", reason="needs KoNLPy (requirements/flagship-models.txt)")
    if shutil.which("java") is None:
        pytest.skip("KoNLPy needs a Java runtime (default-jre-headless)")


def test_characters_have_their_codes_from_the_right(text, monkeypatch):
    monkeypatch.setattr(text, "morpheme_numbers", lambda sentence: [])
    tokens = text.encode("A9 가-힣 z!")
    assert tokens.ids.tolist() == [0] * 43 + [11, 10, 37, 11_208, 36]
    assert tokens.ids.dtype == tokens.grams.dtype == np.int32


def test_a_long_sentence_keeps_its_first_forty_eight_characters(text, monkeypatch):
    monkeypatch.setattr(text, "morpheme_numbers", lambda sentence: list(range(1, 28)))
    assert text.encode("1" * 47 + "23").ids.tolist() == [2] * 47 + [3]


def test_a_sentence_without_a_character_that_has_a_code_is_empty(text):
    assert not text.encode("!? ㅋㅋ ü").ids.size


def test_morphemes_are_numbered_as_the_table_has_them(text, okt):
    numbers = [MORPHEMES.index(each) + 1 for each in ("나", "는", "지금", "너무", "슬프다")]
    assert text.encode(SENTENCE).grams.tolist() == numbers + [0] * 22


def test_unknown_morphemes_are_left_out_and_only_twenty_seven_are_kept(text, okt):
    grams = text.encode("컴퓨터 " + "정말 " * 40).grams
    assert grams.tolist() == [MORPHEMES.index("정말") + 1] * 27


def test_no_sentence_breaks_the_analyser(text, okt):
    for sentence in ("\ud800 1", "a\x00b", "😀1", "ㅋ" * 900 + "1", "1"):
        assert text.encode(sentence).ids.size == 48


def test_without_konlpy_the_sentence_is_told_what_to_install(text, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "konlpy.tag", None)
    with pytest.raises(MediaError, match=r"needs on the server the package konlpy: pip install"):
        text.encode(SENTENCE)


def test_without_java_the_sentence_is_told_what_to_install(text, monkeypatch):
    konlpy = pytest.importorskip("konlpy.tag", reason="needs KoNLPy")

    def no_java() -> None:
        raise RuntimeError("No JVM shared library file (libjvm.so) found.")

    monkeypatch.setattr(konlpy, "Okt", no_java)
    with pytest.raises(MediaError, match="a Java runtime: apt-get install default-jre-headless"):
        text.encode(SENTENCE)


@pytest.mark.parametrize(
    ("frames", "starts"),
    [
        (1, [0]),
        (199, [0]),
        (200, [0]),
        (240, [0]),
        (260, [0, 61]),
        (300, [0, 100]),
        (340, [0, 100]),
        (1_500, list(range(0, 1_400, 100))),
        (6_000, list(range(0, 1_400, 100))),
    ],
)
def test_windows_are_one_to_fourteen_and_the_last_may_reach_back(speech, frames, starts):
    assert speech.window_starts(frames) == starts


def test_no_window_passes_the_end_of_the_recording_by_a_frame(speech):
    for frames in range(200, 1_501):
        assert speech.window_starts(frames)[-1] + 200 <= frames + 1


def test_the_filter_is_scipys_wiener(speech):
    signal = pytest.importorskip("scipy.signal", reason="compared with SciPy")
    samples = np.random.default_rng(0).normal(0, 0.1, 4_000)
    samples[1_000:2_000] *= 20
    np.testing.assert_allclose(speech.denoised(samples), signal.wiener(samples), atol=1e-12)


def test_silence_before_and_after_loud_voice_is_cut(speech):
    samples = np.concatenate([np.zeros(4_800), np.full(4_800, 0.5), np.zeros(4_800)])
    voiced = np.repeat([False, True, False], 10)
    assert speech.trimmed(samples, voiced).tolist() == [0.5] * 4_800
    faint = samples * 0.01
    assert speech.trimmed(faint, voiced).size == faint.size


def test_the_bands_of_an_utterance_are_normalised_as_one(speech):
    pytest.importorskip("webrtcvad", reason="needs requirements/flagship-models.txt")
    time = np.arange(32_000) / 16_000
    tone = np.float32(0.3) * np.sin(2 * np.pi * 220 * time).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 0.01, 32_000).astype(np.float32)
    windows = speech.log_mel_windows(tone + noise)
    assert windows.shape == (1, 200, 40) and windows.dtype == np.float32
    assert abs(windows.mean()) < 0.05 and abs(windows.std() - 1) < 0.05


def test_a_minute_gives_fourteen_windows_and_a_quarter_second_one(speech):
    pytest.importorskip("webrtcvad", reason="needs requirements/flagship-models.txt")
    random = np.random.default_rng(0)
    for seconds, count in ((60, 14), (0.25, 1)):
        noise = random.normal(0, 0.1, int(seconds * 16_000)).astype(np.float32)
        windows = speech.log_mel_windows(noise)
        assert len(windows) == count and np.isfinite(windows).all()


def test_without_the_detector_the_recording_is_told_what_to_install(speech, monkeypatch):
    monkeypatch.setattr(speech, "webrtcvad", None)
    with pytest.raises(MediaError, match="webrtcvad-wheels on the server: pip install"):
        speech.log_mel_windows(np.ones(8_000, np.float32))

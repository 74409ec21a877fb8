"""The flagship's front ends follow the original's rules; what they lack is said to the request."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import vad
from audio import decode_channels
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


@pytest.fixture(scope="module")
def detector() -> vad.VoiceDetector:
    return vad.VoiceDetector(Path(vad.__file__).resolve().with_name("vad.onnx"))


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
    assert speech.voiced_span(samples, voiced) == slice(4_800, 9_600)
    assert speech.voiced_span(samples * 0.01, voiced) == slice(0, 14_400)


@pytest.fixture(scope="module")
def recording(clip) -> np.ndarray:
    """Return the voice of the demo clip, float32 [S, channels]."""
    return decode_channels(clip, "VIDEO")


def test_the_bands_of_an_utterance_are_normalised_as_one(speech, detector, recording):
    pytest.importorskip("webrtcvad", reason="needs requirements/flagship-models.txt")
    heard = speech.log_mel_windows(recording[:40_000], detector)
    assert heard.mels.shape == (1, 200, 40) and heard.mels.dtype == np.float32
    assert abs(heard.mels.mean()) < 0.2 and abs(heard.mels.std() - 1) < 0.2


def test_a_minute_gives_fourteen_windows_and_half_a_second_one(speech, detector, recording):
    pytest.importorskip("webrtcvad", reason="needs requirements/flagship-models.txt")
    for seconds, count in ((60, 14), (0.5, 1)):
        samples = np.resize(recording[16_000:64_000], (int(seconds * 16_000), 1))
        heard = speech.log_mel_windows(samples, detector)
        assert len(heard.mels) == len(heard.times) == len(heard.voice) == count
        assert np.isfinite(heard.mels).all()
        assert (np.diff(heard.times) == 1).all()
        assert (heard.voice > 0).all() and (heard.voice <= 1).all()


def test_windows_say_when_they_begin_in_the_recording_before_it_was_trimmed(
    speech, detector, recording
):
    pytest.importorskip("webrtcvad", reason="needs requirements/flagship-models.txt")
    voice = recording[: 4 * 16_000]
    alone = speech.log_mel_windows(voice, detector).times[0]
    later = np.concatenate([np.zeros_like(voice[:48_000]), voice])
    assert speech.log_mel_windows(later, detector).times[0] == pytest.approx(alone + 3, abs=0.5)


def test_a_recording_in_which_nobody_speaks_has_no_windows(speech, detector):
    noise = np.random.default_rng(0).normal(0, 0.1, 64_000).astype(np.float32)
    with pytest.raises(MediaError, match="No voice was heard"):
        speech.log_mel_windows(noise, detector)


def test_without_the_detector_the_recording_is_told_what_to_install(
    speech, detector, recording, monkeypatch
):
    monkeypatch.setattr(speech, "webrtcvad", None)
    with pytest.raises(MediaError, match="webrtcvad-wheels on the server: pip install"):
        speech.log_mel_windows(recording, detector)

"""A converted repository answers like the project's own: same ensembles, same client."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="converting needs requirements/flagship.txt")
pytest.importorskip("tf2onnx", reason="converting needs requirements/flagship.txt")
pytest.importorskip("gensim", reason="the files are written by gensim (requirements/flagship.txt)")
pytest.importorskip("konlpy", reason="serving it needs requirements/flagship-models.txt")
pytest.importorskip("webrtcvad", reason="serving it needs requirements/flagship-models.txt")
if shutil.which("java") is None:
    pytest.skip("Okt needs a Java runtime (default-jre-headless)", allow_module_level=True)

from clients import Media, Recogniser
from clients.contract import MODALITIES
from server import RunningServer, running_server

ROOT = Path(__file__).parents[3]
CODES = [f"1000{number}" for number in range(1, 8)]


@pytest.fixture(scope="module")
def served(flagship) -> Iterator[RunningServer]:
    repositories = (flagship, ROOT / "ensemble")
    with running_server(*(f"--model-repository={path}" for path in repositories)) as server:
        yield server


def test_the_demo_clip_is_recognised_with_every_code_and_feature(served, sentence):
    clip = ROOT / "demo" / "clip.mp4"
    with Recogniser(served.grpc_url) as recogniser:
        answer = recogniser.recognise(Media(text=sentence, video=clip), features=MODALITIES)
    assert answer.result.keys() == {*CODES, "20000", "30001", "30002"}
    assert sum(answer.result[code] for code in CODES) == pytest.approx(1, abs=1e-3)
    assert answer.result["30001"] + answer.result["30002"] == pytest.approx(1, abs=1e-3)
    assert tuple(answer.modalities) == MODALITIES and answer.failures == {}
    text, speech, video = (answer.features[name] for name in ("text", "speech", "video"))
    assert text.shape == (1, 512)
    assert speech.shape[1] == 768 and 1 <= len(speech) <= 14
    assert video.shape[1] == 4096 and len(video) > 1
    assert all(np.isfinite(feature).all() for feature in (text, speech, video))


def test_a_sentence_without_codes_is_reported_and_the_voice_still_answers(served):
    with Recogniser(served.grpc_url) as recogniser:
        answer = recogniser.recognise(Media(text="?!", video=ROOT / "demo" / "clip.mp4"))
    assert answer.modalities["text"]["error_code"] == 2
    assert answer.modalities["speech"]["error_code"] == 0

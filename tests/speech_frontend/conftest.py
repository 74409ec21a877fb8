"""A voice, of the demo clip, and the detector that hears it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import vad
from audio import decode_audio


@pytest.fixture(scope="session")
def detector() -> vad.VoiceDetector:
    return vad.VoiceDetector(Path(vad.__file__).resolve().with_name("vad.onnx"))


@pytest.fixture(scope="session")
def voice(clip) -> np.ndarray:
    """Return six seconds in which somebody speaks, float32 [96000]."""
    return decode_audio(clip, "VIDEO")[: 6 * 16_000]

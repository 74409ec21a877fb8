"""A clip's answer is that of its windows, each as much as it counts by its voice."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch (requirements/export.txt)")

from training.networks.speech import Heads  # noqa: E402
from training.speech import clip_predictions, evenness  # noqa: E402
from training.speech_data import Windows  # noqa: E402


@pytest.fixture
def windows() -> Windows:
    """Two clips: one of a window that counts and one that hardly does, one of a single window."""
    random = np.random.default_rng(0)
    return Windows(
        pooled=random.standard_normal((3, 6, 1024)).astype(np.float16),
        clips=np.array([0, 0, 1]),
        voice=np.array([0.9, 0.003, 0.5], np.float32),
        disturbed=np.zeros(3, bool),
        labels={"corpus": np.array(["a", "a"]), "emotion": np.array([0, 0])},
    )


def test_a_window_with_hardly_any_voice_hardly_changes_its_clip(windows):
    torch.manual_seed(0)
    network = Heads().eval()
    surely, hardly, both = (
        clip_predictions(network, windows, np.array(part))["emotion"] for part in ([0], [1], [0, 1])
    )
    apart = np.abs(hardly - surely).max()
    assert 0 < np.abs(both - surely).max() < 0.01 * apart


def test_windows_are_drawn_by_their_voice_and_clips_alike(windows):
    shares = evenness(windows, np.arange(3)).numpy()
    assert shares[0] > 2 * shares[1] > 0
    assert shares[0] + shares[1] == pytest.approx(shares[2])

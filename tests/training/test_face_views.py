"""Faces are looked at as they might have been cut, and stay faces."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch (requirements/export.txt)")

from training.face_views import FRAMINGS, Framing, augment, augment_people, framed  # noqa: E402
from training.framing import WIDE, WIDE_SIDE  # noqa: E402


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", [(8, 1, 48, 48), (8, 3, 112, 112)])
def test_augmented_faces_stay_pictures(shape):
    faces = augment(torch.rand(shape) * 255)
    assert faces.shape == shape
    assert faces.isfinite().all() and faces.min() >= 0 and faces.max() <= 256


@pytest.mark.parametrize("count", [1, 8])
def test_reframed_people_stay_pictures(count):
    wide = (torch.rand(count, 3, WIDE_SIDE, WIDE_SIDE) * 255).to(torch.uint8)
    faces = augment_people(wide, torch.full((count,), 1 / WIDE))
    assert faces.shape == (count, 3, 112, 112)
    assert faces.isfinite().all() and faces.min() >= 0 and faces.max() <= 256


def _target(framing: Framing) -> torch.Tensor:
    """What is seen of a bright spot on the right of the middle: its place [2], in parts."""
    wide = torch.zeros(1, 3, WIDE_SIDE, WIDE_SIDE, dtype=torch.uint8)
    wide[..., 84:92, 112:120] = 255
    seen = framed(wide, torch.tensor([1 / WIDE]), framing)[0, 0].float()
    place = (torch.arange(112) + 0.5) / 112 - 0.5
    return torch.stack([(seen * place).sum(), (seen.T * place).sum()]) / seen.sum()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("as served", (0.255, 0.0)),
        ("20 % tighter", (0.318, 0.0)),
        ("20 % wider", (0.212, 0.0)),
        ("8 % to the right", (0.175, 0.0)),
        ("8 % down", (0.255, -0.08)),
        ("8 % to the left and up", (0.335, 0.08)),
    ],
)
def test_a_framing_shows_a_face_where_it_says(name, expected):
    """The spot is 28 of 110 pixels beside the middle of the square that is served."""
    assert _target(FRAMINGS[name]).tolist() == pytest.approx(expected, abs=0.004)


def test_turned_squares_turn_what_they_show():
    there, back = (_target(FRAMINGS[f"turned by {angle} degrees"]) for angle in (15, -15))
    assert there.norm().item() == pytest.approx(0.255, abs=0.004)
    assert there[1].item() == pytest.approx(-back[1].item(), abs=0.004)
    assert abs(there[1].item()) == pytest.approx(0.255 * 0.2588, abs=0.004)

"""Faces as they might have been photographed, cut and lit otherwise, at random or as stated."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from training.networks.face import COLOUR_SIDE, LUMA


@dataclass(frozen=True)
class Framing:
    """A square through which a face is looked at, beside the one that is served.

    Attributes:
        scale: Its side in parts of the served one's.
        angle: How far it is turned, in degrees.
        shift: How far its middle is moved to the right and down, in parts of the served one's side.
    """

    scale: float = 1.0
    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)


#: What a network's answers should hardly depend on.
FRAMINGS = {
    "as served": Framing(),
    "20 % tighter": Framing(scale=0.8),
    "20 % wider": Framing(scale=1.2),
    "8 % to the right": Framing(shift=(0.08, 0.0)),
    "8 % down": Framing(shift=(0.0, 0.08)),
    "8 % to the left and up": Framing(shift=(-0.08, -0.08)),
    "turned by 15 degrees": Framing(angle=15.0),
    "turned by -15 degrees": Framing(angle=-15.0),
}
#: The share of people's faces that are framed widely differently; the others move a little.
REFRAMED = 0.7
#: How often what is outside an image repeats its edge, and mirrors it; else it is black.
EDGE, REFLECTION = 0.6, 0.2


def augment(faces: Tensor) -> Tensor:
    """Mirror, turn, scale, shift, blur, light and cover faces at random.

    Args:
        faces: [B,C,S,S] in 0..255.

    Returns:
        float [B,C,S,S] in 0..255.
    """
    return _cover(_light(_soften(_move(faces)), 0.25))


def augment_people(faces: Tensor, shares: Tensor) -> Tensor:
    """Frame faces as other detectors and cutters would, and disturb them as `augment` does.

    Args:
        faces: RGB [B,3,S,S] in 0..255.
        shares: The side of the served square in parts of S [B].

    Returns:
        float [B,3,112,112] in 0..255.
    """
    framed = _coarsen(_soften(_reframe(faces, shares)))
    return _cover(_light(_tint(framed), 0.2))


def framed(faces: Tensor, shares: Tensor, framing: Framing, chunk: int = 256) -> Tensor:
    """Look at faces as stated.

    Args:
        faces: RGB uint8 [B,3,S,S].
        shares: The side of the served square in parts of S [B].
        framing: How.
        chunk: How many at a time; bounds the memory.

    Returns:
        uint8 [B,3,112,112].
    """
    parts = []
    for images, sides in zip(faces.split(chunk), shares.split(chunk), strict=True):
        angles = torch.full_like(sides, math.radians(framing.angle))
        shifts = sides.new_tensor([framing.shift]) * sides[:, None]
        upright = torch.ones_like(sides)
        seen = _look(images, COLOUR_SIDE, sides * framing.scale, angles, shifts, upright)
        parts.append(seen.round().to(torch.uint8))
    return torch.cat(parts)


def _look(
    faces: Tensor,
    side: int,
    scales: Tensor,
    angles: Tensor,
    shifts: Tensor,
    mirrors: Tensor,
    beyond: str = "border",
) -> Tensor:
    """Look at images through squares.

    Args:
        faces: [B,C,S,S].
        side: Of the result, in pixels.
        scales: The squares' sides in parts of S [B].
        angles: How far they are turned, in radians [B].
        shifts: How far their middles are moved to the right and down, in parts of S [B,2].
        mirrors: -1 where they are mirrored, else 1 [B].
        beyond: What is outside an image: `padding_mode` of PyTorch's `grid_sample`.

    Returns:
        float [B,C,side,side].
    """
    cosine, sine = torch.cos(angles) * scales, torch.sin(angles) * scales
    moved = 2 * shifts  # An image reaches from -1 to 1.
    affine = torch.stack(
        [
            torch.stack([cosine * mirrors, -sine, moved[:, 0]], 1),
            torch.stack([sine * mirrors, cosine, moved[:, 1]], 1),
        ],
        1,
    )
    grid = F.affine_grid(affine, [*faces.shape[:2], side, side], align_corners=False)
    return F.grid_sample(faces.float(), grid, padding_mode=beyond, align_corners=False)


def _mirrors(count: int) -> Tensor:
    return torch.where(torch.rand(count) < 0.5, -1.0, 1.0)


def _move(faces: Tensor) -> Tensor:
    """Mirror, turn, scale and shift."""
    count = len(faces)
    angles = torch.randn(count) * 0.12
    # Detectors and laboratory sets crop more tightly, or more loosely, than FER2013.
    scales = torch.exp(torch.empty(count).uniform_(-0.25, 0.15))
    shifts = torch.randn(count, 2) * 0.035
    return _look(faces, faces.shape[-1], scales, angles, shifts, _mirrors(count))


def _reframe(faces: Tensor, shares: Tensor) -> Tensor:
    """Look at faces through squares about the served one: tighter, wider, beside it, turned."""
    count = len(faces)
    far = torch.rand(count) < REFRAMED
    sizes = torch.where(far, torch.empty(count).uniform_(-0.27, 0.25), torch.randn(count) * 0.04)
    angles = torch.where(far, torch.randn(count) * 0.17, torch.randn(count) * 0.05)
    spread = torch.where(far, 0.05, 0.015)[:, None]
    shifts = (torch.randn(count, 2) * spread).clamp(-0.12, 0.12) * shares[:, None]
    # One draw a batch: squares leave images of one batch alike.
    chance = float(torch.rand(()))
    beyond = "border" if chance < EDGE else "reflection" if chance < EDGE + REFLECTION else "zeros"
    scales = shares * torch.exp(sizes)
    return _look(
        faces, COLOUR_SIDE, scales, angles.clamp(-0.35, 0.35), shifts, _mirrors(count), beyond
    )


def _coarsen(faces: Tensor) -> Tensor:
    """Shrink three faces of ten to a side that each batch draws, and enlarge them again."""
    chosen = torch.nonzero(torch.rand(len(faces)) < 0.3).squeeze(1)
    side, full = int(torch.randint(36, 90, ())), faces.shape[-1]
    few = F.interpolate(faces[chosen], size=(side, side), mode="bilinear", antialias=True)
    return faces.index_copy(0, chosen, F.interpolate(few, size=(full, full), mode="bilinear"))


def _light(faces: Tensor, spread: float) -> Tensor:
    """Brighten or darken by a power of the levels whose logarithm has this deviation."""
    gamma = torch.exp(torch.randn(len(faces), 1, 1, 1) * spread)
    return 255 * (faces / 255).clamp(0, 1) ** gamma


def _soften(faces: Tensor) -> Tensor:
    """Blur every fourth face, as small and distant ones are: over 3 pixels of 48."""
    width = 2 * (faces.shape[-1] // 32) + 1
    edges = [width // 2] * 4
    blurred = F.avg_pool2d(F.pad(faces, edges, mode="replicate"), width, stride=1)
    count = len(faces)
    strength = torch.rand(count, 1, 1, 1) * (torch.rand(count, 1, 1, 1) < 0.25)
    return faces + strength * (blurred - faces)


def _tint(faces: Tensor) -> Tensor:
    """Make every fifth RGB face grey and light the others in another colour."""
    cast = torch.exp(torch.randn(len(faces), 3, 1, 1) * 0.05)
    grey = (faces * torch.tensor(LUMA).reshape(3, 1, 1)).sum(1, keepdim=True)
    is_grey = torch.rand(len(faces), 1, 1, 1) < 0.2
    return torch.where(is_grey, grey.expand_as(faces), faces * cast)


def _cover(faces: Tensor) -> Tensor:
    """Hide a random rectangle of every third face, as hands, hair and masks do."""
    side = faces.shape[-1]
    middle = torch.rand(len(faces), 2) * side
    half = (0.05 + 0.13 * torch.rand(len(faces), 2)) * side
    half = half * (torch.rand(len(faces), 1) < 0.33)
    pixels = torch.arange(side) + 0.5
    inside = (pixels[None, None] - middle[..., None]).abs() < half[..., None]
    hidden = (inside[:, 0, :, None] & inside[:, 1, None, :]).unsqueeze(1)
    return torch.where(hidden, faces.mean(dim=(2, 3), keepdim=True), faces)

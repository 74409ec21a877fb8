"""Faces as the quality network learns from them: clear, blurred, covered, drawn.

A face is kept as a grey square of `SIDE` pixels around its box, 1.7 times as wide, so that it can
be turned, shifted and set elsewhere. Targets are 1, 0 or `OPEN` for blurred, covered and
artificial, in this order.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.covers import COVERS, ORDINARY, Draw, Frame, Grey, Random, is_covered, shares
from training.drawings import REDRAWN, Redraw

#: The side of a kept face, and of its box within it, in pixels.
SIDE, BOX = 136, 80
#: The side of what the network sees.
INPUT = 64
#: A target that teaches nothing.
OPEN = -1.0
#: The spread of a blur in sides of the box: up to `SHARP` a face is sharp, from `BLURRED` it is
#: not. The latter leaves what a face of 19 pixels shows.
SHARP, BLURRED = 0.012, 0.027
#: The side in pixels to which a face may be shrunk and remain sharp, and where it does not.
SMALL, TINY = 32, 17


@dataclass(frozen=True)
class Originals:
    """Faces from photographs; N of them.

    Attributes:
        pictures: Grey uint8 [N,136,136].
        inside: Where they are photographs rather than filled, uint8 [N,136,136] in 0..255.
        landmarks: Eyes, nose and corners of the mouth in pixels, float [N,5,2].
    """

    pictures: NDArray[np.uint8]
    inside: NDArray[np.uint8]
    landmarks: NDArray[np.float32]


def scene(originals: Originals, index: int, random: Random) -> Grey:
    """Set a face before a plain, graded, noisy or out-of-focus ground where its photograph ends."""
    shape = (SIDE, SIDE)
    kind = random.random()
    if kind < 0.35:
        ground = np.full(shape, random.uniform(0, 255))
    elif kind < 0.6:
        y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
        ground = random.uniform(20, 235) + random.normal(0, 90) * x + random.normal(0, 90) * y
    elif kind < 0.8:
        grain = random.normal(0, random.uniform(5, 60), shape)
        ground = random.uniform(20, 235) + cv2.GaussianBlur(grain, (0, 0), random.uniform(0.4, 4))
    else:
        other = originals.pictures[random.integers(len(originals.pictures))]
        ground = cv2.GaussianBlur(cv2.flip(other, 0), (0, 0), random.uniform(2, 12))
    weight = originals.inside[index].astype(np.float32) / 255
    return np.clip(originals.pictures[index] * weight + ground * (1 - weight), 0, 255).astype(
        np.uint8
    )


def place(picture: Grey, random: Random, mild: bool = False) -> Grey:
    """Turn by up to 30 degrees, mirror, shift, scale and squeeze; cut to the network's input."""
    turned = np.radians(random.normal(0, 5) if random.random() < 0.6 else random.uniform(-30, 30))
    scale = INPUT / BOX * np.exp(random.normal(0, 0.03 if mild else 0.07))
    squeeze = 1 if random.random() < 0.7 else random.uniform(0.8, 1)
    mirror = random.choice([-1, 1])
    cosine, sine = np.cos(turned) * scale, np.sin(turned) * scale
    matrix = np.array([[cosine * mirror * squeeze, -sine], [sine * mirror * squeeze, cosine]])
    shift = random.normal(0, 0.015 if mild else 0.035, 2) * INPUT
    offset = INPUT / 2 - 0.5 + shift - matrix @ np.full(2, SIDE / 2 - 0.5)
    affine = np.column_stack([matrix, offset]).astype(np.float32)
    return cv2.warpAffine(
        picture, affine, (INPUT, INPUT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def expose(picture: Grey, random: Random) -> Grey:
    """Light a picture otherwise: brighter or darker, harder or softer, clipped; with noise."""
    levels = picture.astype(np.float32) / 255
    if random.random() < 0.7:
        levels = levels ** np.exp(random.normal(0, 0.35))
        levels = (levels - 0.5) * np.exp(random.normal(0, 0.25)) + 0.5 + random.normal(0, 0.08)
    if random.random() < 0.1:
        levels = levels * random.uniform(1.3, 2)
    if random.random() < 0.1:
        levels = levels * random.uniform(0.25, 0.6)
    if random.random() < 0.35:
        levels = levels + random.normal(0, random.uniform(0.005, 0.05), picture.shape)
    return np.clip(levels * 255, 0, 255).astype(np.uint8)


def encode(picture: Grey, random: Random) -> Grey:
    """Encode as JPEG of a quality of 30 to 95."""
    options = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(30, 96))]
    return cv2.imdecode(cv2.imencode(".jpg", picture, options)[1], cv2.IMREAD_GRAYSCALE)


def resample(picture: Grey, face_side: float, random: Random) -> Grey:
    """Shrink until the face's box has a side in pixels, and enlarge again as films are."""
    factor = min(1.0, face_side / BOX)
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    if random.random() < 0.3:
        small = encode(small, random) if face_side >= SMALL else small
    way = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)[random.integers(0, 3)]
    return cv2.resize(small, (SIDE, SIDE), interpolation=way)


def moved(picture: Grey, length: float, angle: float) -> Grey:
    """Blur by a motion of a length in pixels along an angle in radians."""
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    step = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    ends = np.round((np.array([half, half]) + np.array([-step, step])) * 16).astype(int).tolist()
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
    return cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def out_of_focus(picture: Grey, radius: float) -> Grey:
    """Blur by a disc of a radius in pixels."""
    half = int(np.ceil(radius))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def blur_truly(picture: Grey, random: Random, way: str | None = None) -> Grey:
    """Blur so that a face cannot be read: softly, out of focus, by motion or by shrinking."""
    way = way or str(random.choice(["soft", "focus", "motion", "shrunk"]))
    if way == "soft":
        return cv2.GaussianBlur(picture, (0, 0), random.uniform(BLURRED, 0.08) * BOX)
    if way == "focus":
        return out_of_focus(picture, random.uniform(2 * BLURRED, 0.14) * BOX)
    if way == "motion":
        return moved(picture, random.uniform(0.13, 0.35) * BOX, random.uniform(0, np.pi))
    return resample(picture, random.uniform(8, TINY), random)


def soften(picture: Grey, random: Random) -> Grey:
    """Blur or shrink as little as faces bear."""
    kind = random.random()
    if kind < 0.25:
        return cv2.GaussianBlur(picture, (0, 0), random.uniform(0.003, SHARP) * BOX)
    if kind < 0.55:
        return resample(picture, random.uniform(SMALL, BOX), random)
    return picture


def example(
    originals: Originals,
    index: int,
    drawn: NDArray[np.uint8],
    random: Random,
    covers: tuple[Draw, ...] = COVERS,
    redrawn: tuple[Redraw, ...] = REDRAWN,
) -> tuple[Grey, NDArray[np.float32]]:
    """Make an example of a face.

    Args:
        originals: All faces.
        index: Which one.
        drawn: Pictures of drawn faces and statues [M,136,136].
        random: Draws everything.
        covers: What covers faces.
        redrawn: What makes drawings of photographs.

    Returns:
        The network's input [64,64] and the targets [3].
    """
    frame = Frame(originals.landmarks[index])
    picture, kind = scene(originals, index, random), random.random()
    if kind < 0.14:
        if len(drawn) and random.random() < 0.55:
            picture = drawn[random.integers(len(drawn))].copy()
        else:
            picture = redrawn[random.integers(len(redrawn))](picture, frame, random)
        picture = resample(picture, random.uniform(45, BOX), random)
        return finish(picture, random), np.array([OPEN, OPEN, 1], np.float32)
    if kind < 0.4:
        picture, mask = covers[random.integers(len(covers))](picture, frame, random)
        covered = is_covered(shares(mask, frame))
        target = OPEN if covered is None else float(covered)
        picture = soften(picture, random)
        return finish(picture, random), np.array([OPEN if covered else 0, target, OPEN], np.float32)
    if random.random() < 0.4:
        picture, mask = ORDINARY[random.integers(len(ORDINARY))](picture, frame, random)
        if is_covered(shares(mask, frame)) is not False:
            picture = scene(originals, index, random)
    if kind < 0.62:
        picture = blur_truly(picture, random)
        return finish(picture, random), np.array([1, OPEN, OPEN], np.float32)
    return finish(soften(picture, random), random), np.array([0, 0, 0], np.float32)


def finish(picture: Grey, random: Random) -> Grey:
    """Light, place and at times encode a picture."""
    picture = expose(picture, random)
    if random.random() < 0.35:
        picture = encode(picture, random)
    return place(picture, random)

"""Photographs of faces made into drawings and statues, by arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from training.covers import Frame, Grey, Random, ellipse

Redraw = Callable[[Grey, Frame, Random], Grey]


def _as_bytes(values: np.ndarray) -> Grey:
    return np.clip(values, 0, 255).astype(np.uint8)


def pencil(face: Grey, frame: Frame, random: Random) -> Grey:
    """Divide by the blurred picture, which leaves lines on white paper."""
    soft = cv2.GaussianBlur(face, (0, 0), random.uniform(2, 6)).astype(np.float32)
    lines = np.minimum(face / np.maximum(soft, 1), 1) ** random.uniform(1.5, 5)
    return _as_bytes(255 * lines)


def lines(face: Grey, frame: Frame, random: Random) -> Grey:
    """Draw ink lines where the picture is darker than around."""
    smooth = cv2.medianBlur(face, int(random.choice([3, 5])))
    block = int(random.choice([7, 9, 13]))
    return cv2.adaptiveThreshold(
        smooth, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, block, random.uniform(3, 9)
    )


def posterise(face: Grey, frame: Frame, random: Random) -> Grey:
    """Reduce to two to five flat tones with smooth outlines, as vector drawings have."""
    smooth = cv2.GaussianBlur(cv2.medianBlur(face, 5), (0, 0), random.uniform(1, 2.5))
    count = int(random.integers(2, 6))
    edges = np.quantile(smooth, np.linspace(0, 1, count + 1)[1:-1])
    tones = np.sort(random.uniform(0, 255, count))
    if random.random() < 0.5:
        tones = np.linspace(random.uniform(0, 60), random.uniform(180, 255), count)
    return cv2.medianBlur(_as_bytes(tones[np.digitize(smooth, edges)]), 3)


def cartoon(face: Grey, frame: Frame, random: Random) -> Grey:
    """Flatten surfaces and draw their outlines dark."""
    flat = face
    for _ in range(3):
        flat = cv2.bilateralFilter(flat, 7, random.uniform(25, 60), 5)
    step = random.uniform(20, 50)
    flat = _as_bytes((flat // step) * step + step / 2)
    drawn = lines(cv2.GaussianBlur(face, (0, 0), 1), frame, random)
    return np.minimum(flat, cv2.GaussianBlur(drawn, (0, 0), 0.6))


def relief(face: Grey, frame: Frame, random: Random) -> Grey:
    """Carve the face from one material: no pupils, no dark hair, light from a side."""
    flat = face
    for _ in range(2):
        flat = cv2.bilateralFilter(flat, 9, 30, 5)
    flat = flat.astype(np.float32)
    for eye in (0, 1):
        hole = ellipse(frame, face.shape, frame.place(eye) + np.array([0, 0.02]), (0.24, 0.11))
        hole = cv2.GaussianBlur(hole, (0, 0), 1.2)
        flat = (
            flat * (1 - hole) + hole * np.percentile(flat[hole > 0.5], 70)
            if hole.max() > 0.5
            else flat
        )
    form = cv2.GaussianBlur(flat, (0, 0), 1.2)
    form = form - cv2.GaussianBlur(flat, (0, 0), random.uniform(8, 14))
    form = np.tanh(form / 25) * random.uniform(20, 45)
    shift = int(random.choice([-2, -1, 1, 2]))
    form += (np.roll(form, shift, 1) - np.roll(form, -shift, 1)) * random.uniform(0.2, 0.6)
    y, x = np.mgrid[: face.shape[0], : face.shape[1]] / face.shape[0] - 0.5
    slope = random.normal(0, 50, 2)
    grain = cv2.GaussianBlur(random.normal(0, random.uniform(0, 12), face.shape), (0, 0), 0.7)
    return _as_bytes(random.uniform(60, 215) + form + slope[0] * x + slope[1] * y + grain)


def halftone(face: Grey, frame: Frame, random: Random) -> Grey:
    """Print by dots of a raster."""
    y, x = np.mgrid[: face.shape[0], : face.shape[1]]
    pitch, angle = random.uniform(3, 5), random.uniform(0.2, 0.8)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    raster = (np.cos(u * 2 * np.pi / pitch) + np.cos(v * 2 * np.pi / pitch)) * 60 + 128
    return _as_bytes((cv2.GaussianBlur(face, (0, 0), 1) - raster) * 4 + 128)


def painted(face: Grey, frame: Frame, random: Random) -> Grey:
    """Paint by OpenCV's stylisation, in strokes of even tone between strong edges."""
    colour = cv2.cvtColor(face, cv2.COLOR_GRAY2BGR)
    strokes = cv2.stylization(colour, sigma_s=random.uniform(20, 60), sigma_r=0.45)
    return cv2.cvtColor(strokes, cv2.COLOR_BGR2GRAY)


#: How faces are redrawn in training, and how only where the network is measured.
REDRAWN: tuple[Redraw, ...] = (pencil, lines, posterise, cartoon, relief)
HELD_BACK_REDRAWN: tuple[Redraw, ...] = (halftone, painted)

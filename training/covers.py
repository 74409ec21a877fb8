"""Things drawn over faces: what covers them, and what ordinary people wear that does not.

A face is a grey picture with MTCNN's five landmarks. Everything is placed in the face's own frame:
its origin is the middle between the eyes, its axes follow the eyes, its unit is their distance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Mask = NDArray[np.float32]
Random = np.random.Generator

#: Shares of an eye or of the mouth from which the face is covered, and up to which it is clear;
#: faces in between teach nothing.
COVERED, CLEAR = 0.7, 0.2
#: The half axes of an eye, the nose and the mouth in distances of the eyes.
EYE, NOSE, MOUTH = (0.3, 0.17), (0.2, 0.25), (0.42, 0.2)


@dataclass(frozen=True)
class Frame:
    """A face's own frame in a picture.

    Attributes:
        landmarks: Eyes, nose and corners of the mouth [5, 2] in pixels.
    """

    landmarks: NDArray[np.float32]

    @property
    def origin(self) -> NDArray:
        """The middle between the eyes in pixels [2]."""
        return self.landmarks[:2].mean(0)

    @property
    def axes(self) -> NDArray:
        """The units to the right and downwards in pixels [2, 2]."""
        across = self.landmarks[1] - self.landmarks[0]
        down = self.landmarks[3:].mean(0) - self.origin
        # Of a face in profile the eyes are near to each other, its height is what it was.
        unit = max(np.hypot(*across), 0.9 * np.hypot(*down))
        right = across / max(np.hypot(*across), 1e-3) * unit
        return np.array([right, [-right[1], right[0]]])

    def points(self, places: NDArray) -> NDArray:
        """Turn places [n, 2] of the frame into pixels."""
        return self.origin + np.asarray(places, float) @ self.axes

    def place(self, index: int) -> NDArray:
        """Return where a landmark is in the frame [2]."""
        return (self.landmarks[index] - self.origin) @ np.linalg.inv(self.axes)


def polygon(shape: tuple[int, int], points: NDArray) -> Mask:
    """Fill a polygon [n, 2] of pixels, with soft edges."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def ellipse(frame: Frame, shape: tuple[int, int], centre, half, turned: float = 0) -> Mask:
    """Fill an ellipse of the frame, turned by so many radians."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(angle) * half[0], np.sin(angle) * half[1]], 1)
    turn = np.array([[np.cos(turned), np.sin(turned)], [-np.sin(turned), np.cos(turned)]])
    return polygon(shape, frame.points(ring @ turn + np.asarray(centre)))


def shares(mask: Mask, frame: Frame) -> dict[str, float]:
    """Measure how much of the eyes, the nose and the mouth a mask hides, in 0..1."""
    mouth = (frame.place(3) + frame.place(4)) / 2
    parts = {
        "left": (frame.place(0), EYE),
        "right": (frame.place(1), EYE),
        "nose": (frame.place(2), NOSE),
        "mouth": (mouth, MOUTH),
    }
    found = {}
    for name, (centre, half) in parts.items():
        part = ellipse(frame, mask.shape, centre, half)
        found[name] = float((part * mask).sum() / max(part.sum(), 1e-3))
    return found


def is_covered(hidden: dict[str, float]) -> bool | None:
    """Tell whether a face of which so much is hidden is covered; None if that is open."""
    most = max(hidden["left"], hidden["right"], hidden["mouth"], 0.9 * hidden["nose"])
    if most >= COVERED:
        return True
    return False if most <= CLEAR else None


def texture(random: Random, shape: tuple[int, int], tone: float | None = None) -> Mask:
    """Draw a surface: a tone with light across it, and often noise, stripes, checks or letters."""
    height, width = shape
    tone = random.uniform(5, 250) if tone is None else tone
    y, x = np.mgrid[:height, :width].astype(np.float32) / height - 0.5
    slope = random.normal(0, 35, 2)
    surface = tone + slope[0] * x + slope[1] * y
    kind = random.random()
    if kind < 0.25:
        angle, count = random.uniform(0, np.pi), random.uniform(4, 30)
        wave = np.sin((np.cos(angle) * x + np.sin(angle) * y) * count * 2 * np.pi)
        surface += random.uniform(5, 60) * (np.sign(wave) if random.random() < 0.5 else wave)
    elif kind < 0.4:
        count = random.uniform(4, 25)
        surface += random.uniform(5, 40) * np.sign(np.sin(x * count * 6) * np.sin(y * count * 6))
    elif kind < 0.65:
        grain = random.normal(0, random.uniform(5, 60), (height, width)).astype(np.float32)
        surface += cv2.GaussianBlur(grain, (0, 0), random.uniform(0.5, 5)) * 1.5
    elif kind < 0.75:
        canvas = np.zeros(shape, np.float32)
        for _ in range(3):
            at = (int(random.integers(0, width)), int(random.integers(0, height)))
            word = "".join(chr(random.integers(65, 91)) for _ in range(5))
            cv2.putText(canvas, word, at, 0, random.uniform(0.3, 1.2), 1.0, 2, cv2.LINE_AA)
        surface += random.choice([-1, 1]) * random.uniform(40, 150) * canvas
    return surface.astype(np.float32)


def lit_as(face: Grey, frame: Frame) -> float:
    """Return the tone of the face's skin: the median around the nose."""
    x, y = np.clip(np.round(frame.landmarks[2]).astype(int), 6, np.array(face.shape[::-1]) - 7)
    return float(np.median(face[y - 6 : y + 7, x - 6 : x + 7]))


def paint(face: Grey, mask: Mask, surface: Mask, opacity: float = 1.0) -> Grey:
    """Lay a surface over a face where the mask is."""
    weight = mask * opacity
    return np.clip(face * (1 - weight) + surface * weight, 0, 255).astype(np.uint8)


def shaded(mask: Mask, surface: Mask, depth: float) -> Mask:
    """Darken a surface towards its edges, as round things look."""
    inner = cv2.GaussianBlur(mask, (0, 0), 4)
    return surface * (1 - depth * (1 - inner) * 1.6)


Drawn = tuple[Grey, Mask]


def surgical_mask(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Draw a medical or cloth mask over nose and mouth, sometimes under the nose."""
    top = random.uniform(0.25, 0.5)
    wide, chin = random.uniform(0.75, 1.05), random.uniform(1.6, 1.95)
    shift = frame.place(2)[0] * 0.8
    outline = [
        (-wide, top + random.uniform(0, 0.25)), (-0.35 + shift, top - 0.05), (shift, top - 0.12),
        (0.35 + shift, top - 0.05), (wide, top + random.uniform(0, 0.25)),
        (wide * 0.95, chin * 0.72), (0.45 + shift / 2, chin), (-0.45 + shift / 2, chin),
        (-wide * 0.95, chin * 0.72),
    ]  # fmt: skip
    mask = polygon(face.shape, frame.points(outline))
    tone = random.choice(
        [random.uniform(190, 250), random.uniform(110, 190), random.uniform(5, 70)]
    )
    surface = texture(random, face.shape, tone) if random.random() < 0.3 else None
    if surface is None:
        surface = np.full(face.shape, tone, np.float32)
        y = np.mgrid[: face.shape[0], : face.shape[1]][0]
        if random.random() < 0.6:
            surface += random.uniform(4, 18) * np.sin(y * random.uniform(0.6, 1.2))
    light = cv2.GaussianBlur(face, (0, 0), 7).astype(np.float32)
    surface = surface * (0.6 + 0.4 * light / max(light.mean(), 1))
    for side in (-1, 1):
        for start in (top + 0.15, chin * 0.7):
            ends = frame.points(
                [(side * wide * 0.95, start), (side * 1.25, random.uniform(0, 0.6))]
            )
            a, b = np.round(ends).astype(int).tolist()
            if random.random() < 0.7:
                cv2.line(face, a, b, float(np.clip(tone, 0, 255)), 1, cv2.LINE_AA)
    return paint(face, mask, shaded(mask, surface, random.uniform(0, 0.4))), mask


def scarf(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Wind a scarf around the lower face."""
    top = random.uniform(0.3, 0.8)
    wave = random.normal(0, 0.07, 5)
    edge = [(x, top + w) for x, w in zip((-1.6, -0.7, 0, 0.7, 1.6), wave, strict=True)]
    mask = polygon(face.shape, frame.points([*edge, (2.2, 3.5), (-2.2, 3.5)]))
    return paint(face, mask, texture(random, face.shape)), mask


def niqab(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Leave a slit for the eyes."""
    low, high = random.uniform(0.25, 0.4), random.uniform(-0.6, -0.3)
    mask = 1 - polygon(
        face.shape, frame.points([(-0.95, high), (0.95, high), (0.95, low), (-0.95, low)])
    )
    return paint(face, mask, texture(random, face.shape, random.uniform(5, 90))), mask


def _finger(mask: Mask, frame: Frame, start, end, thick: float) -> Mask:
    layer = np.zeros(mask.shape, np.uint8)
    a, b = np.round(frame.points([start, end])).astype(int).tolist()
    cv2.line(layer, a, b, 255, max(2, round(thick * float(np.hypot(*frame.axes[0])))), cv2.LINE_AA)
    return layer.astype(np.float32) / 255


def hand(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Put a hand with fingers somewhere over the face."""
    goal = random.choice([0, 1, 2, 3])
    centre = (frame.place(0), frame.place(1), frame.place(2), np.array([0, 1.15]))[goal]
    return _hand_at(face, frame, random, centre + random.normal(0, 0.12, 2))


def _hand_at(face: Grey, frame: Frame, random: Random, centre) -> Drawn:
    skin = np.clip(lit_as(face, frame) * random.uniform(0.65, 1.25) + random.normal(0, 12), 15, 250)
    angle = random.uniform(-np.pi, np.pi) if random.random() < 0.4 else random.normal(0, 0.8)
    along = np.array([np.sin(angle), -np.cos(angle)])
    across = np.array([np.cos(angle), np.sin(angle)])
    palm = np.asarray(centre) - along * random.uniform(0, 0.7)
    half = (random.uniform(0.35, 0.55), random.uniform(0.4, 0.6))
    mask = ellipse(frame, face.shape, palm, half, -angle)
    picture = paint(face, mask, shaded(mask, texture_of_skin(random, face.shape, skin), 0.3))
    count, spread = random.integers(2, 6), random.uniform(0.18, 0.27)
    for index in range(count):
        offset = (index - (count - 1) / 2) * spread
        lean = offset * random.uniform(0, 0.9)
        start = palm + across * offset
        reach = random.uniform(0.7, 1.3) * half[1] + random.uniform(0.2, 0.5)
        end = start + along * reach + across * lean
        finger = _finger(mask, frame, start, end, random.uniform(0.17, 0.24))
        edge = cv2.GaussianBlur(finger, (0, 0), 1.5)
        picture = paint(picture, edge, np.full(face.shape, skin * 0.6, np.float32), 0.55)
        tone = texture_of_skin(random, face.shape, skin * random.uniform(0.93, 1.07))
        picture = paint(picture, finger, shaded(finger, tone, 0.25))
        mask = np.maximum(mask, finger)
    wrist = _finger(mask, frame, palm, palm - along * 2.5, random.uniform(0.5, 0.75))
    picture = paint(picture, wrist, texture_of_skin(random, face.shape, skin * 0.95))
    return picture, np.maximum(mask, wrist)


def texture_of_skin(random: Random, shape: tuple[int, int], tone: float) -> Mask:
    """Draw skin: a tone with soft light across it and a little grain."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / shape[0] - 0.5
    slope = random.normal(0, 40, 2)
    return tone + slope[0] * x + slope[1] * y + random.normal(0, 3, shape).astype(np.float32)


def _lenses(frame: Frame, shape: tuple[int, int], random: Random) -> tuple[Mask, list[NDArray]]:
    half = np.array([random.uniform(0.34, 0.5), random.uniform(0.22, 0.42)])
    power = random.choice([2.0, 2.6, 4.0])
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    cosine, sine = np.cos(angle), np.sin(angle)
    ring = np.stack([np.sign(c) * np.abs(c) ** (2 / power) for c in (cosine, sine)], 1) * half
    drop, outlines = random.uniform(0, 0.1), []
    for eye in (0, 1):
        outlines.append(frame.points(ring + frame.place(eye) + np.array([0, drop])))
    mask = np.maximum(polygon(shape, outlines[0]), polygon(shape, outlines[1]))
    return mask, outlines


def _rims(
    face: Grey, frame: Frame, outlines: list[NDArray], tone: float, thick: int, random: Random
) -> None:
    for outline in outlines:
        points = np.round(outline * 16).astype(np.int32)
        cv2.polylines(face, [points], True, tone, thick, cv2.LINE_AA, 4)
    left, right = outlines
    a, b = left[left[:, 0].argmax()], right[right[:, 0].argmin()]
    cv2.line(face, np.round(a).astype(int).tolist(), np.round(b).astype(int).tolist(), tone, thick)
    for outline, side in ((left, -1), (right, 1)):
        a = outline[(outline[:, 0] * side).argmax()]
        b = frame.points([(side * 1.15, random.uniform(-0.05, 0.1))])[0]
        ends = np.round([a, b]).astype(int).tolist()
        cv2.line(face, *ends, tone, thick, cv2.LINE_AA)


def dark_glasses(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Put on sunglasses, at times with light from above or a mirror."""
    mask, outlines = _lenses(frame, face.shape, random)
    tone = random.uniform(5, 60) if random.random() < 0.8 else random.uniform(60, 200)
    y = np.mgrid[: face.shape[0], : face.shape[1]][0].astype(np.float32)
    middle = frame.origin[1]
    surface = tone + random.uniform(0, 60) * np.clip((y - middle) / 20, -0.5, 1)
    if random.random() < 0.4:
        streak = (y * random.choice([-1, 1]) + np.mgrid[: face.shape[0], : face.shape[1]][1]) % 23
        surface = surface + 70 * (streak < random.uniform(2, 6))
    face = paint(face, mask, surface.astype(np.float32), random.uniform(0.85, 1.0))
    _rims(face, frame, outlines, random.uniform(0, 120), int(random.integers(1, 4)), random)
    return face, mask


def glasses(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Put on ordinary glasses, at times tinted or with a glint. Nothing is hidden."""
    mask, outlines = _lenses(frame, face.shape, random)
    face = paint(
        face, mask, np.full(face.shape, random.uniform(0, 255), np.float32), random.uniform(0, 0.15)
    )
    tone = random.uniform(0, 60) if random.random() < 0.7 else random.uniform(60, 230)
    _rims(face, frame, outlines, tone, int(random.integers(1, 4)), random)
    if random.random() < 0.25:
        at = frame.place(int(random.integers(0, 2))) + random.normal(0, 0.15, 2)
        glint = ellipse(frame, face.shape, at, (0.12, 0.05), random.normal(0, 0.6))
        face = paint(face, glint, np.full(face.shape, 250, np.float32), 0.7)
    return face, np.zeros(face.shape, np.float32)


def _strands(
    face: Grey, frame: Frame, random: Random, low: float, left: float, right: float
) -> Drawn:
    columns = np.linspace(left, right, 9)
    ends = low + random.normal(0, 0.06, 9) + random.uniform(-0.25, 0.25) * np.linspace(-1, 1, 9)
    outline = [*zip(columns, ends, strict=True), (right + 0.3, -2.5), (left - 0.3, -2.5)]
    mask = polygon(face.shape, frame.points(outline))
    tone = random.uniform(10, 90) if random.random() < 0.75 else random.uniform(90, 200)
    grain = random.normal(0, random.uniform(8, 30), (1, face.shape[1])).astype(np.float32)
    surface = np.repeat(grain, face.shape[0], 0) + random.normal(0, 5, face.shape)
    return paint(face, mask, (tone + surface).astype(np.float32), random.uniform(0.85, 1)), mask


def hair(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Let hair hang over one eye or both."""
    both = random.random() < 0.5
    left, right = (-1.1, 1.1) if both else ((-1.3, 0.1), (-0.1, 1.3))[random.integers(0, 2)]
    low = random.uniform(0.25, 0.6) if both else random.uniform(0.3, 1.6)
    return _strands(face, frame, random, low, left, right)


def fringe(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Cut a fringe that ends above the eyes."""
    return _strands(face, frame, random, random.uniform(-0.75, -0.38), -1.0, 1.0)


def hat(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Put on a hat, a cap or a scarf above the brows."""
    low, bow = random.uniform(-0.8, -0.45), random.uniform(-0.15, 0.1)
    edge = [(-1.4, low + bow), (-0.6, low), (0, low - bow / 3), (0.6, low), (1.4, low + bow)]
    mask = polygon(face.shape, frame.points([*edge, (1.6, -3), (-1.6, -3)]))
    return paint(face, mask, texture(random, face.shape)), mask


def beard(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Grow a beard or a moustache; it hides nothing that must be seen."""
    outline = [(-0.85, 0.7), (-0.5, 0.95), (0, 0.85), (0.5, 0.95), (0.85, 0.7), (0.6, 1.7),
               (0, 2.0), (-0.6, 1.7)]  # fmt: skip
    mask = polygon(face.shape, frame.points(outline))
    mouth = ellipse(frame, face.shape, (frame.place(3) + frame.place(4)) / 2, (0.33, 0.12))
    grain = cv2.GaussianBlur(random.normal(0, 40, face.shape).astype(np.float32), (0, 0), 0.8)
    mask = cv2.GaussianBlur(mask * (1 - mouth), (0, 0), 2)
    tone = random.uniform(10, 160)
    face = paint(face, mask, tone + grain, random.uniform(0.3, 0.75))
    return face, np.zeros(face.shape, np.float32)


def cup(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Hold a cup, a glass or a microphone before the mouth."""
    x, y = random.normal(0, 0.12), random.uniform(0.75, 1.1)
    top, low, tall = random.uniform(0.35, 0.65), random.uniform(0.25, 0.6), random.uniform(1, 2)
    box = [(x - top, y), (x + top, y), (x + low, y + tall), (x - low, y + tall)]
    mask = polygon(face.shape, frame.points(box))
    return paint(face, mask, shaded(mask, texture(random, face.shape), 0.3)), mask


def board(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Hold a telephone, a book or a sheet before a part of the face."""
    goal = (frame.place(0), frame.place(1), np.array([0, 1.15]), np.array([0, 0.5]))
    centre = goal[random.integers(0, 4)] + random.normal(0, 0.15, 2)
    half, angle = random.uniform(0.4, 1.0, 2), random.normal(0, 0.4)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    mask = polygon(face.shape, frame.points(corners @ turn + centre))
    return paint(face, mask, texture(random, face.shape)), mask


def sticker(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Stick a blob on an eye, the nose, the mouth or all of the face."""
    centre = (frame.place(0), frame.place(1), np.array([0, 1.12]), np.array([0, 0.5]))[
        random.integers(0, 4)
    ]
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    radius = random.uniform(0.35, 0.9) * (1 + random.normal(0, random.uniform(0, 0.25), 16))
    ring = np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None]
    mask = polygon(face.shape, frame.points(ring + centre + random.normal(0, 0.1, 2)))
    return paint(face, mask, texture(random, face.shape)), mask


def bar(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Lay a bar over the eyes or the mouth."""
    y = 0.0 if random.random() < 0.7 else 1.1
    half, wide = random.uniform(0.2, 0.45), random.uniform(0.9, 1.6)
    box = [(-wide, y - half), (wide, y - half), (wide, y + half), (-wide, y + half)]
    mask = polygon(face.shape, frame.points(box))
    tone = random.choice([0.0, 255.0, random.uniform(0, 255)])
    return paint(face, mask, np.full(face.shape, tone, np.float32)), mask


def mosaic(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Make the face, or its eyes, unrecognisable by large pixels."""
    size = round(random.uniform(0.2, 0.4) * float(np.hypot(*frame.axes[0])))
    small = cv2.resize(face, None, fx=1 / size, fy=1 / size, interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, face.shape[::-1], interpolation=cv2.INTER_NEAREST)
    half = (1.1, 0.35) if random.random() < 0.4 else (1.1, 1.5)
    middle = 0 if half[1] < 1 else 0.5
    mask = ellipse(frame, face.shape, (0, middle), half)
    return paint(face, mask, large.astype(np.float32)), mask


def at_the_edge(face: Grey, frame: Frame, random: Random) -> Drawn:
    """Hold a hand or a thing to the cheek, the chin or the temple."""
    places = [(-1.35, 0.9), (1.35, 0.9), (-1.35, -0.2), (1.35, -0.2), (0.3, 2.2), (-0.3, 2.2)]
    centre = np.array(places[random.integers(0, 6)]) + random.normal(0, 0.1, 2)
    if random.random() < 0.6:
        return _hand_at(face, frame, random, centre)
    mask = ellipse(frame, face.shape, centre, random.uniform(0.3, 0.7, 2))
    return paint(face, mask, texture(random, face.shape)), mask


Draw = Callable[[Grey, Frame, Random], Drawn]
#: What covers faces in training.
COVERS: tuple[Draw, ...] = (
    surgical_mask, scarf, hand, dark_glasses, hair, cup, sticker, bar, mosaic,
)  # fmt: skip
#: What covers faces only where the network is measured.
HELD_BACK_COVERS: tuple[Draw, ...] = (board, niqab)
#: What people wear and do that covers nothing.
ORDINARY: tuple[Draw, ...] = (glasses, glasses, fringe, hat, beard, at_the_edge)

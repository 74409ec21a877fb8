"""Which frames' faces are used, and what is wrong with a clip that has too few.

The rules are the original system's: N frames a second are judged, int(0.4 N) faces are kept, and a
code says why when they are not. Frames are judged in an order spread over the second, and no
further than until the code cannot change any more; the code is the one that judging every frame
would give. A second takes over nothing from the one before but where the main face was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import cv2
from answer import CROP_SIDE, Crop, spread_evenly
from bounded_worker import Leash, no_leash
from contract import LIMITS, MediaError, VideoStatus
from mtcnn import Face
from picture import Picture, cut_square, measure_sharpness
from video import Clip, Frame

#: A frame is sharp from this variance of its grey Laplacian.
SHARP_VARIANCE = 30.0
#: A face is clear from this probability; below it something covers it.
CLEAR_PROBABILITY = 0.999
#: The part of the frames that must be sharp, and the part whose faces are kept.
NEEDED_PART = 0.4
#: The part of the frames up to which faces may be cut or covered.
TOLERATED_PART = 0.5
#: How far a face may have moved from one sighting to the next, in sides of its box.
REACH = 1.5
#: How long, in seconds, a sighting says where to look for the same person.
MEMORY_SECONDS = 3.0

#: Finds the faces of a picture, given those of an earlier picture: `Mtcnn.detect`.
Detect = Callable[[Picture, Sequence[Face]], list[Face]]


@dataclass(frozen=True)
class Selection:
    """What a clip gives.

    Attributes:
        code: The whole clip's code.
        second_codes: Each second's code.
        crops: The kept faces of the seconds whose code is 0, in order of time, at most
            `LIMITS.crops`.
    """

    code: VideoStatus
    second_codes: list[VideoStatus]
    crops: list[Crop]


@dataclass(frozen=True)
class Sighting:
    """Where the main face was in a frame, and where the others were."""

    time: float
    main: Face
    others: list[Face]


@dataclass(frozen=True)
class Tally:
    """Counts of judged frames, and the code that follows from them.

    Attributes:
        frames: N, the frames there are.
        needed: The faces to keep.
        judged: How many of the frames have been judged.
        sharp: Those that are sharp.
        out_of_bounds: Those whose main face leaves the picture.
        occluded: Those whose main face has a probability below `CLEAR_PROBABILITY`.
        kept: Those whose main face is clear and inside.
    """

    frames: int = 0
    needed: int = 0
    judged: int = 0
    sharp: int = 0
    out_of_bounds: int = 0
    occluded: int = 0
    kept: int = 0

    @classmethod
    def of_second(cls, frames: int) -> Tally:
        """Start the tally of a second; one of few frames still needs a face, an empty one none."""
        needed = max(1, int(NEEDED_PART * frames)) if frames else 0
        return cls(frames=frames, needed=needed)

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(a + b for a, b in zip(self._counts(), other._counts(), strict=True)))

    def code(self) -> VideoStatus | None:
        """Return the code, or None while frames that are not judged yet could change it."""
        tolerated = int(TOLERATED_PART * self.frames)
        rules = (
            (VideoStatus.BLURRED, self._is_below(self.sharp, NEEDED_PART * self.frames)),
            (VideoStatus.OUT_OF_BOUNDS, self._is_above(self.out_of_bounds, tolerated)),
            (VideoStatus.OCCLUDED, self._is_above(self.occluded, tolerated)),
            (VideoStatus.NO_FACE, self._is_below(self.kept, 1)),
            (VideoStatus.TOO_FEW_FACES, self._is_below(self.kept, self.needed)),
        )
        for status, holds in rules:
            if holds is None:
                return None
            if holds:
                return status
        return VideoStatus.OK

    def _counts(self) -> tuple[int, ...]:
        return (
            self.frames,
            self.needed,
            self.judged,
            self.sharp,
            self.out_of_bounds,
            self.occluded,
            self.kept,
        )

    def _is_below(self, count: int, bound: float) -> bool | None:
        """Tell whether a count will end below a bound; None if that is open."""
        if count >= bound:
            return False
        return True if count + self.frames - self.judged < bound else None

    def _is_above(self, count: int, bound: float) -> bool | None:
        """Tell whether a count will end above a bound; None if that is open."""
        if count > bound:
            return True
        return False if count + self.frames - self.judged <= bound else None


@dataclass
class Second:
    """One second under judgement.

    It keeps no frames, so they are passed in again when judging goes on later.

    Attributes:
        order: The positions of its frames in the order in which they are judged.
        tally: The counts so far.
        sightings: Where the main face has been, an earlier second's sighting first if there is one.
        inherited: How many of the sightings are an earlier second's.
        faces: Those of the frame judged last: the next frame's are likely to be of their sizes.
        crops: The first kept faces, as many as the second needs.
        damage: The errors of frames that could not be decoded.
    """

    order: list[int]
    tally: Tally
    sightings: list[Sighting]
    inherited: int
    faces: list[Face] = field(default_factory=list)
    crops: list[Crop] = field(default_factory=list)
    damage: list[MediaError] = field(default_factory=list)

    @classmethod
    def begin(cls, frames: int, earlier: Sighting | None) -> Second:
        """Begin to judge a second of so many frames.

        Args:
            frames: How many frames it has.
            earlier: Where the main face was in an earlier second.
        """
        tally = Tally.of_second(frames)
        sightings = [earlier] if earlier else []
        return cls(judging_order(frames, tally.needed), tally, sightings, len(sightings))

    @property
    def first_sighting(self) -> Sighting | None:
        """The first sighting of its own; it does not depend on how far judging went."""
        own = self.sightings[self.inherited :]
        return own[0] if own and self.tally.code() is not VideoStatus.BLURRED else None

    def judge_next(self, frames: Sequence[Frame], detect: Detect) -> None:
        """Judge the next frame of the order.

        Args:
            frames: All of the second's frames.
            detect: Finds the faces of a picture.
        """
        frame = frames[self.order[self.tally.judged]]
        self.tally = replace(self.tally, judged=self.tally.judged + 1)
        try:
            picture = frame.pixels()
        except MediaError as error:
            self.damage.append(error)
            return
        sharpness = measure_sharpness(picture)
        if sharpness < SHARP_VARIANCE:
            return
        self.tally = replace(self.tally, sharp=self.tally.sharp + 1)
        self.faces = detect(picture, self.faces)
        face = self._find_main_face(frame.time)
        if face:
            self._count(face, frame, sharpness, picture)

    def _find_main_face(self, time: float) -> Face | None:
        face = choose_main_face(self.faces, time, self.sightings)
        if face:
            others = [other for other in self.faces if other is not face]
            self.sightings.append(Sighting(time, face, others))
        return face

    def _count(self, face: Face, frame: Frame, sharpness: float, picture: Picture) -> None:
        outside = leaves_picture(face, picture)
        covered = face.score < CLEAR_PROBABILITY
        kept = not outside and not covered
        self.tally = replace(
            self.tally,
            out_of_bounds=self.tally.out_of_bounds + outside,
            occluded=self.tally.occluded + covered,
            kept=self.tally.kept + kept,
        )
        if kept and len(self.crops) < self.tally.needed:
            box = tuple(edge * frame.scale for edge in face.box)
            crop = cut_face(picture, face)
            self.crops.append(Crop(frame.time, box, face.score, sharpness, crop))


def select_faces(clip: Clip, detect: Detect, leash: Leash = no_leash) -> Selection:
    """Judge a clip and choose its crops.

    Args:
        clip: The clip. Its frames are decoded a second time only when the seconds differ so much
            that the whole clip's code is open after each second's is certain.
        detect: Finds the faces of a picture.
        leash: Is told how far the clip is judged, before each picture.

    Raises:
        MediaError: If nothing of it can be decoded.
    """
    seconds: list[Second] = []
    earlier: Sighting | None = None
    for frames in clip.seconds():
        second = Second.begin(len(frames), earlier)
        while second.tally.code() is None:
            leash(len(seconds))
            second.judge_next(frames, detect)
        seconds.append(second)
        earlier = second.first_sighting or earlier
    refuse_unreadable(seconds)
    codes = [second.tally.code() for second in seconds]
    crops = list(
        chain.from_iterable(
            sorted(second.crops, key=lambda crop: crop.time)
            for second, code in zip(seconds, codes, strict=True)
            if code is VideoStatus.OK
        )
    )
    overall = judge_whole(clip, seconds, detect, leash)
    if overall is VideoStatus.OK and not crops:
        overall = gravest(codes)
    return Selection(overall, codes, spread_evenly(crops, LIMITS.crops))


def judge_whole(clip: Clip, seconds: list[Second], detect: Detect, leash: Leash) -> VideoStatus:
    """Return the whole clip's code; judge frames that were left out only while it is open."""
    code = sum((second.tally for second in seconds), Tally()).code()
    if code is not None:
        return code
    for frames, second in zip(clip.seconds(), seconds, strict=True):
        while second.tally.judged < second.tally.frames:
            leash(len(seconds))
            second.judge_next(frames, detect)
            code = sum((second.tally for second in seconds), Tally()).code()
            if code is not None:
                return code
    raise AssertionError("a clip of which every frame is judged has a code")


def refuse_unreadable(seconds: list[Second]) -> None:
    """Raise the first frame's error if none of the judged frames could be decoded."""
    damage = [error for second in seconds for error in second.damage]
    if damage and len(damage) == sum(second.tally.judged for second in seconds):
        raise damage[0]


def gravest(codes: Sequence[VideoStatus]) -> VideoStatus:
    """Return the code that takes precedence: 2, 3, 4, 6, 5."""
    precedence = (
        VideoStatus.BLURRED,
        VideoStatus.OUT_OF_BOUNDS,
        VideoStatus.OCCLUDED,
        VideoStatus.NO_FACE,
        VideoStatus.TOO_FEW_FACES,
    )
    return min(codes, key=precedence.index)


def choose_main_face(faces: list[Face], time: float, sightings: list[Sighting]) -> Face | None:
    """Choose the face of the person whom the clip is about.

    The first is the largest. Later it is the nearest to where the main face was in the sighting
    nearest in time: within `REACH` of it, and nearer to it than to any other face seen there, so
    that a bystander is not taken for the main person when the latter is not found.

    Args:
        faces: The frame's faces.
        time: The frame's time in seconds.
        sightings: Earlier sightings; those older than `MEMORY_SECONDS` say nothing.

    Returns:
        The face, or None if the main person's is not among them.
    """
    recent = [s for s in sightings if abs(s.time - time) < MEMORY_SECONDS]
    if not recent:
        return max(faces, key=lambda face: face.side**2, default=None)
    last = min(recent, key=lambda sighting: abs(sighting.time - time))

    def is_same_person(face: Face) -> bool:
        away = distance(face, last.main)
        near = away <= REACH * last.main.side
        return near and all(away <= distance(face, other) for other in last.others)

    own = filter(is_same_person, faces)
    return min(own, key=lambda face: distance(face, last.main), default=None)


def distance(face: Face, other: Face) -> float:
    """Return the distance between the centres of two faces in pixels."""
    return math.dist(centre_of(face), centre_of(other))


def centre_of(face: Face) -> tuple[float, float]:
    """Return the centre of a face's box in pixels."""
    x1, y1, x2, y2 = face.box
    return (x1 + x2) / 2, (y1 + y2) / 2


def leaves_picture(face: Face, picture: Picture) -> bool:
    """Tell whether a face's box crosses an edge of the picture."""
    x1, y1, x2, y2 = face.box
    height, width = picture.shape[:2]
    return x1 < 0 or y1 < 0 or x2 > width or y2 > height


def cut_face(picture: Picture, face: Face) -> Picture:
    """Cut out a face: the square of its box's longer side around the centre, without a margin.

    That is as FER2013's and UTKFace's pictures are cut: MTCNN's boxes in them measure 1.06 and
    1.08 of their side (medians). A square that leaves the picture is moved inside; one that is
    larger than the picture repeats its edges.
    """
    side = face.side
    corner = [
        moved_inside(middle - side / 2, side, limit)
        for middle, limit in zip(centre_of(face), (picture.shape[1], picture.shape[0]), strict=True)
    ]
    return cut_square(picture, (corner[0], corner[1]), side, CROP_SIDE, cv2.BORDER_REPLICATE)


def moved_inside(start: float, length: float, limit: float) -> float:
    """Move a stretch into 0..limit, or centre it there if it is longer."""
    if length > limit:
        return (limit - length) / 2
    return min(max(start, 0), limit - length)


def judging_order(frames: int, needed: int) -> list[int]:
    """Order a second's frames so that each `needed` of them are spread over it."""
    rest, order = list(range(frames)), []
    while rest:
        picked = spread_evenly(rest, needed)
        order += picked
        rest = [position for position in rest if position not in picked]
    return order

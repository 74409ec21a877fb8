"""Which frames' faces are used, and what is wrong with a clip that has too few.

The rules are the original system's: N frames a second are judged, int(0.4 N) faces are kept, and a
code says why when they are not. Frames are judged in an order spread over the second, and no
further than until the code cannot change any more; the code is the one that judging every frame
would give. A second takes over nothing from the one before but who was there, and whom the clip
is about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
from answer import CROP_SIDE, Crop, Portrait, spread_evenly
from bounded_worker import Leash, no_leash
from contract import LIMITS, MediaError, VideoStatus
from mtcnn import Face
from picture import Picture, cut_square
from quality import picture_is_dull
from tracks import MOST_FACES, Eyes, FaceLook, Past, Person, Tracks, apart
from video import Clip, Frame

#: The part of the frames that must be sharp, and the part whose faces are kept.
NEEDED_PART = 0.4
#: The part of the frames up to which faces may be cut or covered.
TOLERATED_PART = 0.5
#: How far from the main person's place a face that is nobody's may be theirs, in sides of its box.
REACH = 1.5
#: How long, in seconds, a clip stays about somebody who is not seen.
MEMORY_SECONDS = 3.0
#: Crops of other people: how many are kept of one, and how far they are apart in seconds at first.
MOST_KEPT, KEEPING_SECONDS = 16, 0.25
#: A face of a frame, and whose it is as far as that is known.
Shown = tuple[FaceLook, Person | None]
#: Of how many of a frame's other faces crops are kept, the largest first.
MOST_OTHERS = 4


@dataclass(frozen=True)
class Selection:
    """What a clip gives.

    Attributes:
        code: The whole clip's code.
        second_codes: Each second's code.
        crops: The main person's kept faces of the seconds whose code is 0, in order of time, at
            most `LIMITS.crops`.
        people: Everybody who was seen, the main person first.
    """

    code: VideoStatus
    second_codes: list[VideoStatus]
    crops: list[Crop]
    people: list[Portrait]


@dataclass(frozen=True)
class Tally:
    """Counts of judged frames, and the code that follows from them.

    Attributes:
        frames: N, the frames there are.
        needed: The faces to keep.
        judged: How many of the frames have been judged.
        sharp: Those that are sharp.
        out_of_bounds: Those whose main face leaves the picture.
        occluded: Those whose main face is covered.
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


class Album:
    """Crops of people whom the clip is not about, spread over the time in which they are seen."""

    def __init__(self) -> None:
        self._crops: dict[Person, list[Crop]] = {}
        self._spacing: dict[Person, float] = {}

    def wants(self, person: Person, time: float) -> bool:
        """Tell whether a crop of somebody at a time, in seconds, would be kept."""
        spacing = self._spacing.get(person, KEEPING_SECONDS)
        return all(abs(crop.time - time) >= spacing - 0.01 for crop in self.of(person))

    def keep(self, person: Person, crop: Crop) -> None:
        """Keep a crop; of too many, keep every second one and ask for fewer."""
        crops = sorted([*self.of(person), crop], key=lambda crop: crop.time)
        if len(crops) > MOST_KEPT:
            crops = crops[::2]
            self._spacing[person] = 2 * self._spacing.get(person, KEEPING_SECONDS)
        self._crops[person] = crops

    def of(self, person: Person) -> list[Crop]:
        """Return the crops kept of somebody, in order of time."""
        return self._crops.get(person, [])


@dataclass
class Cast:
    """Who is in a clip, and whom it is about.

    Attributes:
        tracks: The people.
        main: Whom the clip is about; None until that is known.
        album: Crops of the others.
    """

    tracks: Tracks = field(default_factory=Tracks)
    main: Person | None = None
    album: Album = field(default_factory=Album)

    @classmethod
    def begin(cls, past: Past | None) -> Cast:
        """Begin a clip, about whom the stream was about before it."""
        tracks = Tracks(past)
        return cls(tracks, tracks.people[0] if past else None)


@dataclass
class Second:
    """One second under judgement.

    It keeps no frames, so they are passed in again when judging goes on later.

    Attributes:
        order: The positions of its frames in the order in which they are judged.
        tally: The counts so far.
        cast: The people of the clip; who is main when judging goes on later is the second's own.
        faces: Those of the frame judged last: the next frame's are likely to be of their sizes.
        crops: The first kept faces, as many as the second needs, and whose they are.
        seen: In how many frames each person was seen.
        damage: The errors of frames that could not be decoded.
    """

    order: list[int]
    tally: Tally
    cast: Cast
    faces: list[Face] = field(default_factory=list)
    crops: list[tuple[Person, Crop]] = field(default_factory=list)
    seen: Counter[Person] = field(default_factory=Counter)
    damage: list[MediaError] = field(default_factory=list)

    @classmethod
    def begin(cls, frames: int, cast: Cast) -> Second:
        """Begin to judge a second of so many frames.

        Args:
            frames: How many frames it has.
            cast: Who is in the clip so far.
        """
        tally = Tally.of_second(frames)
        return cls(judging_order(frames, tally.needed), tally, cast)

    def judge_next(self, frames: Sequence[Frame], eyes: Eyes) -> None:
        """Judge the next frame of the order.

        Args:
            frames: All of the second's frames.
            eyes: What looks at pictures.
        """
        frame = frames[self.order[self.tally.judged]]
        self.tally = replace(self.tally, judged=self.tally.judged + 1)
        try:
            picture = frame.pixels()
        except MediaError as error:
            self.damage.append(error)
            return
        self.faces = eyes.detect(picture, self.faces)
        largest = sorted(self.faces, key=lambda face: -face.side)[:MOST_FACES]
        looks = [FaceLook(picture, face, eyes, frame.scale) for face in largest]
        owners = self.cast.tracks.follow(frame.time, looks, picture.shape[:2])
        shown = list(zip(looks, owners, strict=True))
        self.seen.update(person for person in owners if person)
        main = choose_main_face(shown, frame.time, self.cast)
        if main:
            self._count(*main, frame.time, picture)
        elif any(map(is_somebody, shown)) or not picture_is_dull(picture):
            self.tally = replace(self.tally, sharp=self.tally.sharp + 1)
        self._keep_others([pair for pair in shown if pair != main], frame.time, picture)

    def _count(self, look: FaceLook, person: Person | None, time: float, picture: Picture) -> None:
        quality = look.quality
        if not quality.is_sharp:
            return
        kept = look.is_clear and person is not None
        self.tally = replace(
            self.tally,
            sharp=self.tally.sharp + 1,
            out_of_bounds=self.tally.out_of_bounds + look.leaves_picture,
            occluded=self.tally.occluded + quality.is_covered,
            kept=self.tally.kept + kept,
        )
        if kept and len(self.crops) < self.tally.needed:
            self.crops.append((person, crop_of(look, time, picture)))

    def _keep_others(self, shown: list[Shown], time: float, picture: Picture) -> None:
        for look, person in shown[:MOST_OTHERS]:
            if person and self.cast.album.wants(person, time) and look.is_clear:
                self.cast.album.keep(person, crop_of(look, time, picture))


def select_faces(
    clip: Clip, eyes: Eyes, leash: Leash = no_leash, past: Past | None = None
) -> Selection:
    """Judge a clip and choose its crops.

    Args:
        clip: The clip. Its frames are decoded a second time only when the seconds differ so much
            that the whole clip's code is open after each second's is certain.
        eyes: What looks at its pictures.
        leash: Is told how far the clip is judged, before each picture.
        past: Whom the earlier chunks of the stream were about.

    Raises:
        MediaError: If nothing of it can be decoded.
    """
    seconds: list[Second] = []
    cast = Cast.begin(past)
    for frames in clip.seconds():
        second = Second.begin(len(frames), cast)
        while second.tally.code() is None:
            leash(len(seconds))
            second.judge_next(frames, eyes)
        seconds.append(second)
        # Whom this second was about stays its own, should judging go on later.
        cast = replace(cast)
    refuse_unreadable(seconds)
    codes = [second.tally.code() for second in seconds]
    kept = [
        pair
        for second, code in zip(seconds, codes, strict=True)
        if code is VideoStatus.OK
        for pair in sorted(second.crops, key=lambda pair: pair[1].time)
    ]
    main = choose_main_person(kept, cast)
    crops = [crop for person, crop in kept if person is main]
    overall = judge_whole(clip, seconds, eyes, leash)
    if overall is VideoStatus.OK and not crops:
        overall = gravest(codes)
    return Selection(
        overall, codes, spread_evenly(crops, LIMITS.crops), portray(main, kept, seconds, cast)
    )


def judge_whole(clip: Clip, seconds: list[Second], eyes: Eyes, leash: Leash) -> VideoStatus:
    """Return the whole clip's code; judge frames that were left out only while it is open."""
    code = sum((second.tally for second in seconds), Tally()).code()
    if code is not None:
        return code
    for frames, second in zip(clip.seconds(), seconds, strict=True):
        while second.tally.judged < second.tally.frames:
            leash(len(seconds))
            second.judge_next(frames, eyes)
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


def choose_main_face(shown: Sequence[Shown], time: float, cast: Cast) -> Shown | None:
    """Choose the face of the person whom the clip is about.

    The first is the largest; whoever it is stays main while they are there, and for
    `MEMORY_SECONDS` after. Meanwhile a face that is nobody's, because it is not clear, counts as
    theirs where it has their place; nobody else's does. Then the largest becomes main.

    Args:
        shown: The frame's faces and whose they are, the largest first.
        time: The frame's time in seconds.
        cast: Who is in the clip; its `main` is set.

    Returns:
        The face and its person, or None if the main person's is not among them.
    """
    for pair in shown:
        if pair[1] and pair[1] is cast.main:
            return pair
    if cast.main and cast.main.away(time) < MEMORY_SECONDS:
        place = cast.main.nearest(time).face
        nobodys = [pair for pair in shown if not pair[1]]
        near = [pair for pair in nobodys if apart(pair[0].face, place) <= REACH * place.side]
        near.sort(key=lambda pair: apart(pair[0].face, place))
        return next(filter(is_somebody, near), None)
    largest = next(filter(is_somebody, shown), None)
    if largest and largest[1]:
        cast.main = largest[1]
    return largest


def is_somebody(pair: Shown) -> bool:
    """Tell whether a face is a person's, known or not; a drawn one is nobody's."""
    look, person = pair
    return person is not None or look.quality.is_real


def choose_main_person(kept: Sequence[tuple[Person, Crop]], cast: Cast) -> Person | None:
    """Choose whose crops stand for a clip: a window never holds two people.

    Args:
        kept: The faces kept of those who were main, in order of time.
        cast: Who is in the clip.

    Returns:
        Whom the stream was about, if anything of them was kept; otherwise of whom most was kept,
        or if there is nothing, who was main at the end.
    """
    counts = Counter(person for person, _ in kept)
    past = next((person for person in counts if person.is_past), None)
    return past or max(counts, key=counts.__getitem__, default=cast.main)


def portray(
    main: Person | None,
    kept: Sequence[tuple[Person, Crop]],
    seconds: Sequence[Second],
    cast: Cast,
) -> list[Portrait]:
    """Tell of everybody who was seen, the main person first and then whoever was seen longest."""
    longest = max((second.tally.frames for second in seconds), default=0)
    lengths = [second.tally.frames / longest for second in seconds if longest]
    portraits = []
    for person in cast.tracks.people:
        if not person.seen:
            continue
        shares = [second.seen[person] / max(1, second.tally.judged) for second in seconds]
        stayed = sum(share * length for share, length in zip(shares, lengths, strict=True))
        own = [crop for owner, crop in kept if owner is person]
        portraits.append(
            Portrait(
                number=person.number,
                is_main=person is main,
                is_past=person.is_past,
                identity=person.identity,
                seconds=stayed,
                share=stayed / sum(lengths),
                boxes=[(sighting.time, sighting.box) for sighting in person.seen],
                crops=sorted([*own, *cast.album.of(person)], key=lambda crop: crop.time),
            )
        )
    return sorted(portraits, key=lambda portrait: (not portrait.is_main, -portrait.share))


def crop_of(look: FaceLook, time: float, picture: Picture) -> Crop:
    """Cut a face out of a picture."""
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = look.face.box
    return Crop(
        time=time,
        box=look.box,
        place=(x1 / width, y1 / height, x2 / width, y2 / height),
        score=look.face.score,
        sharpness=look.quality.sharpness,
        pixels=cut_face(picture, look.face),
    )


def cut_face(picture: Picture, face: Face) -> Picture:
    """Cut out a face: the square of its box's longer side around the centre, without a margin.

    That is as FER2013's and UTKFace's pictures are cut: MTCNN's boxes in them measure 1.06 and
    1.08 of their side (medians). A square that leaves the picture is moved inside; one that is
    larger than the picture repeats its edges.
    """
    side = face.side
    corner = [
        moved_inside(middle - side / 2, side, limit)
        for middle, limit in zip(face.centre, (picture.shape[1], picture.shape[0]), strict=True)
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

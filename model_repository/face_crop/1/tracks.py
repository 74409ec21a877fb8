"""Who is who: the faces of a clip's pictures, joined to people.

A face goes on being the person who was where it is, as long as nobody else is near and it looks as
it did. Where that is in doubt, because the picture was cut, people cross or somebody comes in, the
identity network is asked. It is asked only about clear faces; another one is whose place it has, or
nobody's. So with one person in the picture it is asked once, and what it cannot know it does not
say.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from identity import Descriptor
from mtcnn import Face
from numpy.typing import NDArray
from picture import Picture
from quality import FaceQuality, cut_grey

#: Descriptors nearer than this are one person's; see the README for how often that errs.
SAME_PERSON = 0.43
#: The same where the face has the place of somebody who is not seen elsewhere.
SAME_IN_PLACE = 0.5
#: How long, in seconds, a sighting says where somebody is.
CONTINUES_SECONDS = 1.0
#: The least overlap of a face with its last place, as a part of their union.
LEAST_OVERLAP = 0.3
#: A face may be either of two people whose centres are less than this apart, in sides of its box.
TOGETHER = 1.0
#: How far a face that is not clear may have moved, in sides of its box.
REACH = 1.5
#: The side of the grey thumbnails in pixels, and the least correlation of one person's.
THUMBNAIL_SIDE, LEAST_LIKENESS = 16, 0.75
#: About so many faces of a picture the network is asked at most, the largest first.
MOST_ASKED = 4
#: So many faces of a picture are looked at, and so many people are told apart.
MOST_FACES, MOST_PEOPLE = 16, 32
#: So many descriptors are kept of a person: a face turns, and light changes.
MOST_DESCRIPTORS = 6
#: A descriptor nearer than this to a kept one says nothing new.
NEW_DESCRIPTOR = 0.25


@dataclass(frozen=True)
class Eyes:
    """What looks at pictures.

    Attributes:
        detect: Finds the faces of a picture, given those of an earlier picture: `Mtcnn.detect`.
        judge: Judges a face of a picture, cut grey: `QualityJudge`.
        describe: Describes a face: `Identifier`.
        is_turned: Tells whether a face of a picture is a turned one: `is_turned_face`.
    """

    detect: Callable[[Picture, Sequence[Face]], list[Face]]
    judge: Callable[[Picture, Face, NDArray[np.uint8]], FaceQuality]
    describe: Callable[[Picture, Face], Descriptor]
    is_turned: Callable[[Picture, Face], bool]


@dataclass(frozen=True)
class Past:
    """Whom the earlier chunks of a stream were about.

    Attributes:
        identity: Their descriptor [128].
        place: `x1, y1, x2, y2` of their last face, in parts of the picture's width and height.
        gap: How long before the clip that was, in seconds.
    """

    identity: Descriptor
    place: tuple[float, float, float, float]
    gap: float


class FaceLook:
    """One face of one picture; what is asked about it is asked once."""

    def __init__(self, picture: Picture, face: Face, eyes: Eyes, scale: int = 1) -> None:
        """Begin with nothing asked.

        Args:
            picture: The picture.
            face: The face in it.
            eyes: What looks at it.
            scale: How many pixels of the frame are one of the picture's, along a side.
        """
        self.face = face
        self.scale = scale
        self._picture = picture
        self._eyes = eyes

    @property
    def box(self) -> tuple[float, ...]:
        """Its box in pixels of the frame."""
        return tuple(edge * self.scale for edge in self.face.box)

    @cached_property
    def quality(self) -> FaceQuality:
        """How well it can be seen."""
        return self._eyes.judge(self._picture, self.face, self._grey)

    @cached_property
    def leaves_picture(self) -> bool:
        """Whether its box crosses an edge of the picture."""
        x1, y1, x2, y2 = self.face.box
        height, width = self._picture.shape[:2]
        return x1 < 0 or y1 < 0 or x2 > width or y2 > height

    @property
    def is_clear(self) -> bool:
        """Whether it is a real and upright face, inside the picture, sharp and not covered."""
        if self.leaves_picture:
            return False
        quality = self.quality
        return (
            quality.is_real and quality.is_sharp and not quality.is_covered and not self._is_turned
        )

    @cached_property
    def _is_turned(self) -> bool:
        return self._eyes.is_turned(self._picture, self.face)

    @cached_property
    def _grey(self) -> NDArray[np.uint8]:
        return cut_grey(self._picture, self.face)

    @cached_property
    def descriptor(self) -> Descriptor:
        """Its descriptor."""
        return self._eyes.describe(self._picture, self.face)

    @cached_property
    def thumbnail(self) -> NDArray[np.float32]:
        """Its grey thumbnail [n], of mean 0 and length 1: the product of two is their likeness."""
        size = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
        small = cv2.resize(self._grey, size, interpolation=cv2.INTER_AREA)
        grey = small.astype(np.float32).ravel()
        grey -= grey.mean()
        return grey / max(float(np.linalg.norm(grey)), 1e-6)


@dataclass(frozen=True)
class Sighting:
    """Where somebody's face was.

    Attributes:
        time: In seconds of the clip; less than 0 for an earlier chunk of a stream.
        face: The face.
        thumbnail: How it looked; None where that is not known.
        scale: How many pixels of the frame are one of the picture's, along a side.
    """

    time: float
    face: Face
    thumbnail: NDArray[np.float32] | None = None
    scale: int = 1

    @property
    def box(self) -> tuple[float, ...]:
        """The face's box in pixels of the frame."""
        return tuple(edge * self.scale for edge in self.face.box)


@dataclass(eq=False)
class Person:
    """Somebody seen in a clip.

    Attributes:
        number: In the order in which people were first seen, from 0.
        descriptors: Of their faces.
        is_past: Whether the earlier chunks of the stream were about them.
        sightings: In order of time.
    """

    number: int
    descriptors: list[Descriptor]
    is_past: bool = False
    sightings: list[Sighting] = field(default_factory=list)

    @property
    def seen(self) -> list[Sighting]:
        """The sightings of this clip."""
        return [sighting for sighting in self.sightings if sighting.time >= 0]

    @property
    def identity(self) -> Descriptor:
        """The mean of their descriptors [128]."""
        return np.mean(self.descriptors, axis=0, dtype=np.float32)

    def nearest(self, time: float) -> Sighting | None:
        """Return the sighting nearest in time, None if there is none."""
        at = bisect_left(self.sightings, time, key=_time_of)
        around = self.sightings[max(0, at - 1) : at + 1]
        return min(around, key=lambda sighting: abs(sighting.time - time), default=None)

    def away(self, time: float) -> float:
        """Return how long before or after a time they were seen, in seconds."""
        nearest = self.nearest(time)
        return math.inf if nearest is None else abs(nearest.time - time)

    def place(self, time: float) -> Sighting | None:
        """Return where they are about a time, None if that is not known."""
        return self.nearest(time) if self.away(time) <= CONTINUES_SECONDS else None

    def distance(self, descriptor: Descriptor) -> float:
        """Return how far a descriptor is from theirs."""
        return float(np.linalg.norm(np.stack(self.descriptors) - descriptor, axis=1).min())

    def see(self, time: float, look: FaceLook, is_sure: bool) -> None:
        """Note where they are; what a face that is not sure looks like says nothing."""
        thumbnail = look.thumbnail if is_sure else None
        sighting = Sighting(time, look.face, thumbnail, look.scale)
        insort(self.sightings, sighting, key=_time_of)

    def learn(self, descriptor: Descriptor) -> None:
        """Keep a descriptor that differs from those that are kept."""
        if len(self.descriptors) < MOST_DESCRIPTORS and self.distance(descriptor) > NEW_DESCRIPTOR:
            self.descriptors.append(descriptor)


class Tracks:
    """The people of a clip.

    Attributes:
        people: In the order in which they were first seen; whom the stream was about comes first.
    """

    def __init__(self, past: Past | None = None) -> None:
        """Begin with whom the stream was about before the clip."""
        self._past = past
        self.people = [Person(0, [past.identity], is_past=True)] if past else []

    def follow(
        self, time: float, looks: Sequence[FaceLook], shape: tuple[int, int]
    ) -> list[Person | None]:
        """Say whose the faces of a picture are.

        Args:
            time: The picture's, in seconds. Pictures may come in any order of time.
            looks: Its faces.
            shape: Its height and width in pixels.

        Returns:
            The person of each face, each at most once; None where that cannot be known. Of clear
            faces only those more than `MOST_ASKED`, and more people than `MOST_PEOPLE`, are so.
        """
        self._recall(shape)
        places = {person: place for person in self.people if (place := person.place(time))}
        owners: dict[FaceLook, Person] = {}
        for look in looks:
            if person := self._who_goes_on(look, looks, places):
                owners[look] = person
        doubtful = sorted(
            (look for look in looks if look not in owners), key=lambda look: -look.face.side
        )
        clear = [look for look in doubtful[:MOST_ASKED] if look.is_clear]
        owners |= self._recognise(clear, places, set(owners.values()))
        owners |= _by_place(
            [look for look in doubtful if look not in owners], places, set(owners.values())
        )
        for look, person in owners.items():
            person.see(time, look, is_sure=look not in doubtful or look in clear)
        return [owners.get(look) for look in looks]

    def _recall(self, shape: tuple[int, int]) -> None:
        """Put the stream's person where they were, now that the picture's size is known."""
        if self._past is None:
            return
        height, width = shape
        x1, y1, x2, y2 = self._past.place
        face = Face((x1 * width, y1 * height, x2 * width, y2 * height), 1.0)
        insort(self.people[0].sightings, Sighting(-self._past.gap, face), key=_time_of)
        self._past = None

    def _who_goes_on(
        self, look: FaceLook, looks: Sequence[FaceLook], places: dict[Person, Sighting]
    ) -> Person | None:
        """Return who was where a face is, if that leaves no doubt."""
        near = [person for person in places if _are_together(look.face, places[person].face)]
        if len(near) != 1:
            return None
        place = places[near[0]]
        rivals = sum(_are_together(other.face, place.face) for other in looks)
        if rivals > 1 or place.thumbnail is None:
            return None
        if overlap(look.face, place.face) < LEAST_OVERLAP:
            return None
        return near[0] if float(look.thumbnail @ place.thumbnail) >= LEAST_LIKENESS else None

    def _recognise(
        self, looks: list[FaceLook], places: dict[Person, Sighting], taken: set[Person]
    ) -> dict[FaceLook, Person]:
        """Say whose the clear faces are that are in doubt: people known, or new ones."""
        pairs = []
        for look in looks:
            for person in self.people:
                is_here = person in places and overlap(look.face, places[person].face) > 0
                limit = SAME_IN_PLACE if is_here else SAME_PERSON
                away = person.distance(look.descriptor)
                if away < limit:
                    pairs.append((away, look, person))
        owners: dict[FaceLook, Person] = {}
        for _, look, person in sorted(pairs, key=lambda pair: pair[0]):
            if look not in owners and person not in taken:
                owners[look] = person
                taken.add(person)
                person.learn(look.descriptor)
        for look in looks:
            if look not in owners and len(self.people) < MOST_PEOPLE:
                owners[look] = Person(len(self.people), [look.descriptor])
                self.people.append(owners[look])
        return owners


def _by_place(
    looks: list[FaceLook], places: dict[Person, Sighting], taken: set[Person]
) -> dict[FaceLook, Person]:
    """Give faces that are not clear to those who were near, and who are not seen elsewhere."""
    pairs = sorted(
        (
            (apart(look.face, place.face), look, person)
            for look in looks
            for person, place in places.items()
            if person not in taken and apart(look.face, place.face) <= REACH * place.face.side
        ),
        key=lambda pair: pair[0],
    )
    owners: dict[FaceLook, Person] = {}
    for _, look, person in pairs:
        if not look.is_clear and look not in owners and person not in owners.values():
            owners[look] = person
    return owners


def overlap(one: Face, other: Face) -> float:
    """Return the overlap of two faces' boxes as a part of their union."""
    left, top = (max(a, b) for a, b in zip(one.box[:2], other.box[:2], strict=True))
    right, bottom = (min(a, b) for a, b in zip(one.box[2:], other.box[2:], strict=True))
    shared = max(0.0, right - left) * max(0.0, bottom - top)
    return shared / (_area(one) + _area(other) - shared or 1.0)


def apart(one: Face, other: Face) -> float:
    """Return the distance between the centres of two faces in pixels."""
    return math.dist(one.centre, other.centre)


def _are_together(one: Face, other: Face) -> bool:
    return apart(one, other) < TOGETHER * max(one.side, other.side)


def _area(face: Face) -> float:
    x1, y1, x2, y2 = face.box
    return (x2 - x1) * (y2 - y1)


def _time_of(sighting: Sighting) -> float:
    return sighting.time

"""Whose a face is: by its place while that leaves no doubt, by its descriptor otherwise."""

from __future__ import annotations

import pytest
from mtcnn import Face
from tracks import MOST_ASKED, FaceLook, Past, Person, Tracks, overlap

from tests.face_crop.staging import SIDE, Shot, StagedClip, descriptor_of, face_at


class Film:
    """Pictures of staged faces, followed one by one."""

    def __init__(self, past: Past | None = None) -> None:
        self.tracks = Tracks(past)
        self.clip = StagedClip([])

    def show(self, time: float, *faces: Face, sharp: bool = True) -> list[int | None]:
        """Return the number of each face's person."""
        picture = self.clip._show(Shot(sharp=sharp, faces=faces))
        looks = [FaceLook(picture, face, self.clip.eyes()) for face in faces]
        owners = self.tracks.follow(time, looks, (SIDE, SIDE))
        return [owner.number if owner else None for owner in owners]


def test_a_face_that_moves_a_little_goes_on_without_the_network():
    film = Film()
    shown = [film.show(0.1 * n, face_at(60 + 4 * n)) for n in range(10)]
    assert shown == [[0]] * 10
    assert film.clip.described == 1


def test_pictures_may_come_in_any_order_of_time():
    film = Film()
    times = [0.1, 0.6, 0.3, 0.8, 0.0, 0.5, 0.2, 0.7]
    assert [film.show(time, face_at(60 + 40 * time)) for time in times] == [[0]] * len(times)
    (person,) = film.tracks.people
    assert [sighting.time for sighting in person.sightings] == sorted(times)


def test_somebody_else_in_the_same_place_is_somebody_else():
    film = Film()
    assert film.show(0.0, face_at(100)) == [0]
    assert film.show(0.1, face_at(100, who=1)) == [1]
    assert film.show(0.2, face_at(100)) == [0]


def test_a_face_that_leaps_is_known_again():
    film = Film()
    film.show(0.0, face_at(40))
    assert film.show(0.1, face_at(160)) == [0]


def test_somebody_who_returns_is_known_again_after_any_time():
    film = Film()
    film.show(0.0, face_at(40), face_at(150, who=1))
    assert film.show(1.0, face_at(150, who=1)) == [1]
    assert film.show(30.0, face_at(120)) == [0]


def test_two_who_stand_close_are_told_apart_by_the_network():
    film = Film()
    left, right = face_at(80, side=50), face_at(120, side=50, who=1)
    assert film.show(0.0, left, right) == [0, 1]
    swapped = face_at(85, side=50, who=1), face_at(115, side=50)
    assert film.show(0.1, *swapped) == [1, 0]


def test_a_covered_face_is_whose_place_it_has():
    film = Film()
    film.show(0.0, face_at(60), face_at(160, who=1))
    described = film.clip.described
    covered = face_at(70, score=0.9, who=2)
    assert film.show(0.1, covered, face_at(160, who=1)) == [0, 1]
    assert film.clip.described == described


def test_an_unclear_face_that_nobody_was_near_is_nobodys():
    film = Film()
    assert film.show(0.0, face_at(60), sharp=False) == [None]
    assert film.show(0.1, face_at(60)) == [0]
    assert film.show(0.2, face_at(180, side=30, score=0.9)) == [None]


def test_after_a_covered_face_the_next_clear_one_is_looked_at_anew():
    film = Film()
    film.show(0.0, face_at(60))
    film.show(0.1, face_at(60, score=0.9))
    assert film.show(0.2, face_at(60, who=1)) == [1]


def test_of_a_crowd_the_network_is_asked_about_the_largest_only():
    film = Film()
    crowd = [face_at(20 + 30 * n, side=20 - n, who=n) for n in range(6)]
    assert film.show(0.0, *crowd) == [*range(MOST_ASKED), None, None]


def test_the_streams_person_is_known_wherever_they_are():
    for where in (50, 150):
        film = Film(Past(descriptor_of(3), (0.1, 0.35, 0.4, 0.65), gap=0.2))
        newcomer = face_at(100 if where == 50 else 60, side=30, who=1)
        assert film.show(0.0, face_at(where, who=3), newcomer) == [0, 1]
        assert film.tracks.people[0].is_past


def test_somebody_who_is_not_seen_is_away_since_they_were_seen():
    film = Film(Past(descriptor_of(0), (0.1, 0.35, 0.4, 0.65), gap=1.5))
    film.show(0.5, face_at(150, who=1))
    past, newcomer = film.tracks.people
    assert past.away(0.5) == 2.0 and not past.seen
    assert newcomer.away(2.0) == 1.5 and newcomer.seen


@pytest.mark.parametrize(("left", "expected"), [(0, 1.0), (30, 1 / 3), (60, 0.0), (200, 0.0)])
def test_overlap_is_a_part_of_the_union(left, expected):
    one, other = Face((0, 0, 60, 60), 1.0), Face((left, 0, left + 60, 60), 1.0)
    assert overlap(one, other) == pytest.approx(expected)


def test_a_persons_identity_is_the_mean_of_their_descriptors():
    person = Person(0, [descriptor_of(0), descriptor_of(1)])
    assert person.identity.tolist()[:3] == [0.5, 0.5, 0.0]
    assert person.distance(descriptor_of(1)) == 0

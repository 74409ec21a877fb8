"""The original's rules: lazy judging gives the code that judging every frame would give."""

from __future__ import annotations

import random

import numpy as np
import pytest
from answer import spread_evenly
from contract import LIMITS, MediaError, VideoStatus
from selection import Cast, Selection, choose_main_face, judging_order, select_faces
from tracks import Past

from tests.face_crop.staging import (
    INSIDE,
    OUTSIDE,
    Shot,
    StagedClip,
    StagedFace,
    descriptor_of,
    face_at,
)

GOOD, EMPTY, UNSHARP = Shot(), Shot(faces=()), Shot(sharp=False)
CUT, COVERED = Shot(faces=(StagedFace(OUTSIDE),)), Shot(faces=(StagedFace(INSIDE, 0.99),))
CUT_AND_COVERED = Shot(faces=(StagedFace(OUTSIDE, 0.99),))


def select(*shots: list[Shot], past: Past | None = None) -> Selection:
    clip = StagedClip(list(shots))
    return select_faces(clip, clip.eyes(), past=past)


def judge_exhaustively(shots: list[Shot], needed: int) -> VideoStatus:
    """Judge every frame by the original's rules, as they are written down."""
    sharp = [shot for shot in shots if shot.sharp]
    kept = [shot for shot in sharp if shot.faces and not shot.outside and not shot.covered]
    tolerated = int(0.5 * len(shots))
    if len(sharp) < 0.4 * len(shots):
        return VideoStatus.BLURRED
    if sum(shot.outside for shot in sharp) > tolerated:
        return VideoStatus.OUT_OF_BOUNDS
    if sum(shot.covered for shot in sharp) > tolerated:
        return VideoStatus.OCCLUDED
    if not kept:
        return VideoStatus.NO_FACE
    if len(kept) < needed:
        return VideoStatus.TOO_FEW_FACES
    return VideoStatus.OK


def needed_of(shots: list[Shot]) -> int:
    return max(1, int(0.4 * len(shots))) if shots else 0


def random_clip(seed: int) -> list[list[Shot]]:
    chance = random.Random(seed)
    kinds = [GOOD, GOOD, EMPTY, UNSHARP, CUT, COVERED, CUT_AND_COVERED]

    def second() -> list[Shot]:
        weights = [chance.random() ** 3 for _ in kinds]
        return chance.choices(kinds, weights, k=chance.choice([0, 1, 2, 3, 5, 7, 9, 10, 10]))

    return [second() for _ in range(chance.randint(1, 5))]


@pytest.mark.parametrize("block", range(10))
def test_lazy_codes_equal_exhaustive_codes(block):
    for seed in range(100 * block, 100 * (block + 1)):
        seconds = random_clip(seed)
        selection = select(*seconds)
        codes = [judge_exhaustively(shots, needed_of(shots)) for shots in seconds]
        assert selection.second_codes == codes, seed
        if selection.crops or selection.code is not VideoStatus.OK:
            every_shot = [shot for shots in seconds for shot in shots]
            needed = sum(needed_of(shots) for shots in seconds)
            whole = judge_exhaustively(every_shot, needed)
            assert selection.code == whole or (not selection.crops and whole == VideoStatus.OK)


def test_a_clip_is_never_fine_without_a_crop():
    cut_second, covered_second = [CUT] * 6 + [GOOD] * 4, [COVERED] * 6 + [GOOD] * 4
    assert judge_exhaustively(cut_second + covered_second, 8) == VideoStatus.OK
    selection = select(cut_second, covered_second)
    assert not selection.crops
    assert selection.code == VideoStatus.OUT_OF_BOUNDS


def test_a_good_clip_is_decoded_once_and_half_of_it_judged():
    clip = StagedClip([[GOOD] * 10] * 3)
    assert select_faces(clip, clip.eyes()).code == VideoStatus.OK
    assert clip.passes == 1
    assert clip.detected == 15


def test_a_blurred_second_is_given_up_before_all_of_it_is_judged():
    clip = StagedClip([[UNSHARP] * 10])
    assert select_faces(clip, clip.eyes()).code == VideoStatus.BLURRED
    assert clip.detected == 7


def test_an_undecided_clip_is_decoded_again_only_as_far_as_needed():
    mixed = [[GOOD] * 5 + [CUT] * 5, [CUT] * 10, [GOOD] * 10, [GOOD] * 10]
    clip = StagedClip(mixed)
    every_shot = [shot for shots in mixed for shot in shots]
    assert select_faces(clip, clip.eyes()).code == judge_exhaustively(every_shot, 16)
    assert clip.passes == 2
    assert clip.detected < len(every_shot)


def test_four_crops_a_second_are_spread_over_it():
    times = [crop.time for crop in select([GOOD] * 10, [GOOD] * 10).crops]
    assert times == [0.1, 0.3, 0.6, 0.8, 1.1, 1.3, 1.6, 1.8]


def test_a_longer_clip_gives_the_most_crops_spread_over_it_and_none_twice():
    times = [crop.time for crop in select(*[[GOOD] * 10] * 60).crops]
    assert len(set(times)) == LIMITS.crops
    assert times == sorted(times)
    assert times[0] < 1 and times[-1] > 59
    assert max(np.diff(times)) < 1.5


def test_no_face_beyond_the_first_ones_is_lost_in_a_clip_of_more_frames_than_a_batch():
    assert len(select(*[[GOOD] * 10] * 12).crops) == 48


def test_a_second_without_frames_has_no_face_and_asks_for_none():
    selection = select([GOOD] * 10, [], [GOOD] * 10)
    assert selection.second_codes == [VideoStatus.OK, VideoStatus.NO_FACE, VideoStatus.OK]
    assert selection.code == VideoStatus.OK


def test_a_second_of_one_frame_needs_its_face():
    assert select([GOOD]).code == VideoStatus.OK
    assert select([EMPTY]).code == VideoStatus.NO_FACE


def test_frames_that_cannot_be_decoded_count_as_unsharp():
    broken = Shot(readable=False)
    assert select([broken] * 4 + [GOOD] * 6).code == VideoStatus.OK
    assert select([broken] * 8 + [GOOD] * 2).code == VideoStatus.BLURRED


def test_a_clip_of_broken_frames_tells_their_cause():
    with pytest.raises(MediaError, match="the frame is broken"):
        select([Shot(readable=False)] * 10)


def test_the_first_main_face_is_the_largest_and_stays_so():
    left, right = face_at(50, side=50, who=0), face_at(150, side=40, who=1)
    grown = face_at(150, side=90, who=1)
    selection = select([Shot(faces=(right, left))] * 5 + [Shot(faces=(grown, left))] * 5)
    assert {crop.box for crop in selection.crops} == {left.box}


def test_each_person_is_judged_by_their_own_face():
    main, bystander = face_at(50, side=50, score=0.9), face_at(150, side=40, who=1)
    assert select([Shot(faces=(bystander, main))] * 10).code == VideoStatus.OCCLUDED


def test_a_bystander_alone_is_not_taken_for_the_main_person():
    main, bystander = face_at(50, side=50), face_at(110, side=40, who=1)
    selection = select([Shot(faces=(main, bystander))] * 6 + [Shot(faces=(bystander,))] * 4)
    assert {crop.box for crop in selection.crops} == {main.box}


def test_somebody_else_is_not_taken_for_the_main_person_wherever_they_are():
    for place in (30, 160):
        shots = [Shot(faces=(face_at(30),)), Shot(faces=(face_at(place, side=50, who=1),))] * 5
        crops = select(shots).crops
        assert len({crop.box for crop in crops}) == 1


def test_the_main_person_is_known_again_where_they_have_not_been():
    elsewhere = Shot(faces=(face_at(160),))
    selection = select([Shot(faces=(face_at(40),))] * 10, [EMPTY] * 10, [elsewhere] * 10)
    assert selection.second_codes == [VideoStatus.OK, VideoStatus.NO_FACE, VideoStatus.OK]
    assert {crop.box for crop in selection.crops} == {face_at(40).box, face_at(160).box}
    assert len(selection.people) == 1


def test_the_main_person_is_remembered_through_a_blurred_second():
    main, other = face_at(50, side=50), face_at(150, side=80, who=1)
    later = [Shot(faces=(other, main))] * 10
    selection = select([Shot(faces=(main,))] * 10, [UNSHARP] * 10, later)
    assert {crop.box for crop in selection.crops} == {main.box}


def test_two_people_who_cross_are_not_mixed_up():
    def shot(n: int) -> Shot:
        return Shot(faces=(face_at(40 + 4 * n, side=50), face_at(160 - 4 * n, side=40, who=1)))

    shots = [shot(n) for n in range(30)]
    selection = select(shots[:10], shots[10:20], shots[20:])
    sides = {round(crop.box[2] - crop.box[0]) for crop in selection.crops}
    assert sides == {50}
    assert [round(portrait.share, 1) for portrait in selection.people] == [1.0, 1.0]


def test_a_person_who_is_long_gone_is_replaced():
    newcomer = Shot(faces=(face_at(150, side=80, who=1),))
    gone = [[newcomer] * 10] * 6
    selection = select([Shot(faces=(face_at(40, side=40),))] * 10, *gone)
    assert selection.second_codes[1:3] == [VideoStatus.NO_FACE] * 2
    assert selection.second_codes[-2:] == [VideoStatus.OK] * 2


def test_a_clip_is_about_the_one_of_whom_most_was_kept():
    newcomer = face_at(150, side=80, who=1)
    selection = select([Shot(faces=(face_at(40),))] * 10, *[[Shot(faces=(newcomer,))] * 10] * 6)
    assert {crop.box for crop in selection.crops} == {newcomer.box}
    main, other = selection.people
    assert main.is_main and not other.is_main
    assert {crop.box for crop in other.crops} == {face_at(40).box}


def test_a_drawn_face_is_nobodys():
    drawn = face_at(150, side=90, who=1)
    drawn.is_real = False
    selection = select([Shot(faces=(drawn, face_at(50)))] * 10)
    assert {crop.box for crop in selection.crops} == {face_at(50).box}
    assert len(selection.people) == 1
    assert select([Shot(faces=(drawn,))] * 10).code == VideoStatus.NO_FACE


def test_the_network_is_asked_once_about_a_person_who_stays():
    clip = StagedClip([[GOOD] * 10] * 5)
    select_faces(clip, clip.eyes())
    assert clip.described == 1


def test_other_people_have_crops_spread_over_their_time():
    faces = (face_at(50, side=60), face_at(150, side=40, who=1))
    other = select(*[[Shot(faces=faces)] * 10] * 20).people[1]
    times = [crop.time for crop in other.crops]
    assert 8 <= len(times) <= 16
    assert times[0] < 3 and times[-1] > 17
    assert {crop.box for crop in other.crops} == {faces[1].box}


def test_a_streams_person_who_returns_late_in_a_chunk_about_somebody_else_does_not_empty_it():
    newcomer, back = face_at(150, side=80, who=1), face_at(50)
    shots = [Shot(faces=(newcomer,))] * 8 + [Shot(faces=(newcomer, back))] * 2
    selection = select(shots, past=past(3.5))
    assert selection.code == VideoStatus.OK
    assert {crop.box for crop in selection.crops} == {newcomer.box}


def past(gap: float, who: int = 0, x: float = 50) -> Past:
    x1, y1, x2, y2 = (edge / 200 for edge in face_at(x).box)
    return Past(descriptor_of(who), (x1, y1, x2, y2), gap)


def test_a_stream_goes_on_with_the_person_whom_it_was_about():
    faces = (face_at(50, side=40), face_at(150, side=80, who=1))
    selection = select([Shot(faces=faces)] * 10, past=past(0.1))
    assert {crop.box for crop in selection.crops} == {faces[0].box}
    assert selection.people[0].is_past and selection.people[0].is_main


def test_a_stream_keeps_its_person_for_three_seconds():
    bystander = [Shot(faces=(face_at(150, who=1),))] * 10
    waiting = select(bystander, past=past(1.5))
    assert waiting.code == VideoStatus.NO_FACE and not waiting.crops
    assert not any(person.is_main for person in waiting.people)
    begun = select(bystander, past=past(3.0))
    assert begun.crops and begun.people[0].is_main and not begun.people[0].is_past


def test_a_chunk_in_which_the_streams_person_was_seen_is_about_them():
    newcomer = Shot(faces=(face_at(150, side=80, who=1),))
    chunk = [[Shot(faces=(face_at(50),))] * 10, *[[newcomer] * 10] * 6]
    selection = select(*chunk, past=past(0.1))
    assert {crop.box for crop in selection.crops} == {face_at(50).box}


def test_no_face_is_chosen_where_there_is_none():
    assert choose_main_face([], 0.0, Cast()) is None


@pytest.mark.parametrize("frames", range(25))
def test_the_judging_order_visits_every_frame_once(frames):
    order = judging_order(frames, max(1, int(0.4 * frames)))
    assert sorted(order) == list(range(frames))


def test_spreading_takes_the_middle_of_equal_parts():
    assert spread_evenly(list(range(9)), 3) == [1, 4, 7]
    assert spread_evenly([5], 3) == [5]

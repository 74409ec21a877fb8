"""The original's rules: lazy judging gives the code that judging every frame would give."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from answer import spread_evenly
from contract import LIMITS, MediaError, VideoStatus
from mtcnn import Face
from selection import Selection, choose_main_face, judging_order, select_faces
from video import Frame

SIDE = 200
INSIDE, OUTSIDE = (60.0, 60.0, 120.0, 120.0), (-5.0, 60.0, 55.0, 120.0)
CHESSBOARD = np.kron(np.indices((20, 20)).sum(axis=0) % 2, np.ones((10, 10))) * 255
SHARP = np.repeat(CHESSBOARD.astype(np.uint8)[..., None], 3, axis=2)
BLURRED = np.full((SIDE, SIDE, 3), 127, np.uint8)


@dataclass(frozen=True)
class Shot:
    """What one frame shows."""

    sharp: bool = True
    faces: tuple[Face, ...] = (Face(INSIDE, 1.0),)
    readable: bool = True

    @property
    def outside(self) -> bool:
        return any(face.box[0] < 0 for face in self.faces)

    @property
    def covered(self) -> bool:
        return any(face.score < 0.999 for face in self.faces)


GOOD, EMPTY, UNSHARP = Shot(), Shot(faces=()), Shot(sharp=False)
CUT, COVERED = Shot(faces=(Face(OUTSIDE, 1.0),)), Shot(faces=(Face(INSIDE, 0.99),))
CUT_AND_COVERED = Shot(faces=(Face(OUTSIDE, 0.99),))


@dataclass
class StagedClip:
    """A clip of staged shots and the detector that sees what they show."""

    shots: list[list[Shot]]
    passes: int = 0
    detected: int = 0
    _shown: dict[int, Shot] = field(default_factory=dict)

    def seconds(self):
        self.passes += 1
        for second, shots in enumerate(self.shots):
            yield [
                Frame(second + n / max(10, len(shots)), lambda shot=shot: self._show(shot))
                for n, shot in enumerate(shots)
            ]

    def detect(self, picture: np.ndarray, like: Sequence[Face]) -> list[Face]:
        self.detected += 1
        return list(self._shown[id(picture)].faces)

    def _show(self, shot: Shot) -> np.ndarray:
        if not shot.readable:
            raise MediaError(VideoStatus.UNKNOWN, "the frame is broken")
        picture = (SHARP if shot.sharp else BLURRED).copy()
        self._shown = {id(picture): shot}
        return picture


def select(*shots: list[Shot]) -> Selection:
    clip = StagedClip(list(shots))
    return select_faces(clip, clip.detect)


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
    assert select_faces(clip, clip.detect).code == VideoStatus.OK
    assert clip.passes == 1
    assert clip.detected == 15


def test_a_blurred_second_is_given_up_before_all_of_it_is_judged():
    clip = StagedClip([[UNSHARP] * 10])
    assert select_faces(clip, clip.detect).code == VideoStatus.BLURRED
    assert clip.detected == 0


def test_an_undecided_clip_is_decoded_again_only_as_far_as_needed():
    mixed = [[GOOD] * 5 + [CUT] * 5, [CUT] * 10, [GOOD] * 10, [GOOD] * 10]
    clip = StagedClip(mixed)
    every_shot = [shot for shots in mixed for shot in shots]
    assert select_faces(clip, clip.detect).code == judge_exhaustively(every_shot, 16)
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


def face_at(x: float, side: float = 60.0, score: float = 1.0) -> Face:
    return Face((x - side / 2, 100 - side / 2, x + side / 2, 100 + side / 2), score)


def test_the_first_main_face_is_the_largest_and_then_the_nearest():
    left, right = face_at(50, side=50), face_at(150, side=40)
    grown = face_at(150, side=90)
    selection = select([Shot(faces=(right, left))] * 5 + [Shot(faces=(grown, left))] * 5)
    assert {crop.box for crop in selection.crops} == {left.box}


def test_each_person_is_judged_by_their_own_probability():
    main, bystander = face_at(50, side=50, score=0.9), face_at(150, side=40, score=1.0)
    assert select([Shot(faces=(bystander, main))] * 10).code == VideoStatus.OCCLUDED


def test_a_bystander_alone_is_not_taken_for_the_main_person():
    main, bystander = face_at(50, side=50), face_at(110, side=40)
    selection = select([Shot(faces=(main, bystander))] * 6 + [Shot(faces=(bystander,))] * 4)
    assert {crop.box for crop in selection.crops} == {main.box}


def test_somebody_who_appears_far_away_is_not_taken_for_the_main_person():
    shots = [Shot(faces=(face_at(30, side=50),)), Shot(faces=(face_at(160, side=50),))] * 5
    assert len({crop.box for crop in select(shots).crops}) == 1


def test_the_main_person_is_remembered_through_a_blurred_second():
    main, other = face_at(50, side=50), face_at(150, side=80)
    later = [Shot(faces=(other, main))] * 10
    selection = select([Shot(faces=(main,))] * 10, [UNSHARP] * 10, later)
    assert {crop.box for crop in selection.crops} == {main.box}


def test_a_person_who_is_long_gone_is_replaced():
    newcomer = Shot(faces=(face_at(150, side=80),))
    selection = select([Shot(faces=(face_at(40, side=40),))] * 10, *[[newcomer] * 10] * 6)
    assert selection.second_codes[-2:] == [VideoStatus.OK] * 2


def test_no_face_is_chosen_where_there_is_none():
    assert choose_main_face([], 0.0, []) is None


@pytest.mark.parametrize("frames", range(25))
def test_the_judging_order_visits_every_frame_once(frames):
    order = judging_order(frames, max(1, int(0.4 * frames)))
    assert sorted(order) == list(range(frames))


def test_spreading_takes_the_middle_of_equal_parts():
    assert spread_evenly(list(range(9)), 3) == [1, 4, 7]
    assert spread_evenly([5], 3) == [5]

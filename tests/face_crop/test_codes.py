"""Every code of the original from real pixels, and what a clip with faces gives."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from clip_worker import answer_clip
from contract import MESSAGES, VideoStatus

from tests.face_crop.scenes import blurred, encode, hang, jpeg, person, wall


def clip_of(picture: np.ndarray, frames: int = 10) -> list[np.ndarray]:
    return [picture] * frames


CLIPS = {
    VideoStatus.OK: lambda: [person(x=50 + 2 * n) for n in range(10)],
    VideoStatus.BLURRED: lambda: clip_of(blurred(person())),
    VideoStatus.OUT_OF_BOUNDS: lambda: clip_of(person(x=-75)),
    VideoStatus.OCCLUDED: lambda: clip_of(person(covered=True)),
    VideoStatus.TOO_FEW_FACES: lambda: [person() if n in (3, 6) else wall() for n in range(10)],
    VideoStatus.NO_FACE: lambda: clip_of(wall()),
}


@pytest.mark.parametrize("code", CLIPS, ids=lambda code: code.name.lower())
@pytest.mark.parametrize("kind", ["VIDEO", "FRAMES"])
def test_pixels_give_each_code_with_its_message(code, kind, eyes):
    pictures = CLIPS[code]()
    if kind == "VIDEO":
        answer = answer_clip(encode(pictures), None, None, eyes)
    else:
        answer = answer_clip(None, [jpeg(p) for p in pictures], 10.0, eyes)
    assert answer.code == code
    assert answer.second_codes == [code]
    assert answer.message == MESSAGES[code]
    assert len(answer.crops) == (4 if code is VideoStatus.OK else 0)


def test_bytes_that_are_no_media_give_the_unknown_code_and_the_cause(eyes):
    answer = answer_clip(b"no media" * 100, None, None, eyes)
    english, korean = answer.message
    assert answer.code == VideoStatus.UNKNOWN
    assert answer.second_codes == [VideoStatus.UNKNOWN]
    assert english.startswith("VIDEO is no container that FFmpeg can read: ")
    assert korean == MESSAGES[VideoStatus.UNKNOWN][1]


def test_media_that_is_absent_is_no_error(eyes):
    answer = answer_clip(None, None, None, eyes)
    assert answer.code == VideoStatus.OK
    assert answer.message == ("", "")
    assert answer.tensors()["COUNT"] == 0


def test_video_and_frames_together_are_refused(eyes):
    answer = answer_clip(encode([person()]), [jpeg(person())], None, eyes)
    assert answer.code == VideoStatus.UNKNOWN
    assert answer.message[0] == "VIDEO and FRAMES are both given, expected one of them"


def test_each_second_has_its_own_code_and_only_good_ones_give_crops(eyes):
    pictures = clip_of(person()) + clip_of(wall()) + clip_of(blurred(person())) + clip_of(person())
    answer = answer_clip(encode(pictures), None, None, eyes)
    assert answer.second_codes == [
        VideoStatus.OK,
        VideoStatus.NO_FACE,
        VideoStatus.BLURRED,
        VideoStatus.OK,
    ]
    assert [int(crop.time) for crop in answer.crops] == [0] * 4 + [3] * 4


def test_a_remainder_of_a_second_is_judged_too(eyes):
    answer = answer_clip(encode(clip_of(person(), 23)), None, None, eyes)
    assert answer.second_codes == [VideoStatus.OK] * 3
    assert [crop.time >= 2 for crop in answer.crops] == [False] * 8 + [True]


def test_the_crops_are_the_faces_at_their_times_and_boxes(eyes):
    pictures = [person(x=20 + 6 * n) for n in range(10)]
    answer = answer_clip(None, [jpeg(p) for p in pictures], 10.0, eyes)
    assert len({crop.time for crop in answer.crops}) == 4
    for crop in answer.crops:
        x1, y1, x2, y2 = crop.box
        # The portrait's face lies around 0.5 of its width and 0.45 of its height.
        shown_at = 20 + 6 * round(crop.time * 10)
        assert abs((x1 + x2) / 2 - (shown_at + 0.5 * 200)) < 10
        assert abs((y1 + y2) / 2 - (20 + 0.45 * 200)) < 10
        assert crop.score >= 0.999 and crop.sharpness >= 30
        face = pictures[round(crop.time * 10)][round(y1) : round(y2), round(x1) : round(x2)]
        middle = crop.pixels[:, 56:168].mean(axis=(0, 1))
        assert np.allclose(middle, face.mean(axis=(0, 1)), atol=20)


def test_the_same_clip_gives_the_same_answer(eyes):
    video = encode([person(x=20 + 4 * n) for n in range(15)])
    first, second = (answer_clip(video, None, None, eyes).tensors() for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_bystander_is_never_mixed_in(eyes):
    def crowd(n: int) -> np.ndarray:
        both = hang(wall(), 170, 100, 130)
        # In every third frame the main person turns away and only the bystander is seen.
        return both if n % 3 == 2 else hang(both, -10, 10, 190)

    answer = answer_clip(encode([crowd(n) for n in range(20)]), None, None, eyes)
    assert answer.code == VideoStatus.OK
    assert len(answer.crops) == 8
    assert all(crop.box[2] < 160 for crop in answer.crops)


def test_a_bystanders_covered_face_is_not_held_against_the_main_person(eyes):
    picture = hang(hang(wall(), 180, 100, 130, covered=True), -10, 10, 190)
    answer = answer_clip(encode(clip_of(picture)), None, None, eyes)
    assert answer.code == VideoStatus.OK


def test_a_large_picture_is_judged_and_its_boxes_are_in_its_own_pixels(eyes):
    large = cv2.resize(person(), None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    small = answer_clip(None, [jpeg(person())], None, eyes)
    answer = answer_clip(None, [jpeg(large)], None, eyes)
    (crop,) = answer.crops
    assert np.allclose(crop.box, 4 * np.array(small.crops[0].box), atol=16)
    assert crop.pixels.shape == (224, 224, 3)


def test_a_bystander_of_another_size_who_comes_in_is_seen_by_the_next_second(eyes):
    alone = hang(wall(), -10, 10, 190)
    both = hang(alone, 190, 120, 100)
    seen = []

    def detect(picture, like):
        seen.append(eyes.detect(picture, like))
        return seen[-1]

    answer = answer_clip(
        encode([alone] * 2 + [both] * 18), None, None, replace(eyes, detect=detect)
    )
    assert answer.second_codes == [VideoStatus.OK] * 2
    assert all(crop.box[2] < 190 for crop in answer.crops)
    assert len(seen[0]) == 1 and len(seen[len(seen) // 2]) == 2


def test_a_cut_to_another_scene_is_seen_in_the_first_frame_after_it(eyes):
    before, after = hang(wall(), -10, 10, 200), hang(wall(1), 200, 120, 90)
    answer = answer_clip(encode([before] * 10 + [after] * 50), None, None, eyes)
    # The rules give the newcomer a few seconds before they take him for the main person.
    assert answer.second_codes[0] == answer.second_codes[-1] == VideoStatus.OK
    assert answer.crops[-1].box[0] > 200


def test_seconds_sent_one_by_one_give_the_same_crops(eyes):
    pictures = [person(x=20 + 3 * n) for n in range(30)]
    whole = answer_clip(None, [jpeg(p) for p in pictures], 10.0, eyes)
    parts = [
        answer_clip(None, [jpeg(p) for p in pictures[start : start + 10]], 10.0, eyes)
        for start in (0, 10, 20)
    ]
    crops = [crop for part in parts for crop in part.crops]
    assert [crop.box for crop in whole.crops] == [crop.box for crop in crops]
    assert [crop.score for crop in whole.crops] == [crop.score for crop in crops]


def test_an_answer_without_crops_has_one_zero_row_in_every_tensor(eyes):
    tensors = answer_clip(encode(clip_of(wall())), None, None, eyes).tensors()
    assert tensors["COUNT"].tolist() == [0]
    for name in ("CROPS", "AGE_CROPS", "AGE_ROWS", "TIMES", "BOXES", "SCORES", "SHARPNESS"):
        assert len(tensors[name]) == 1 and not tensors[name].any()


def test_age_crops_are_at_most_eight_rows_spread_over_the_crops(eyes):
    video = encode([person(x=20 + n) for n in range(40)])
    tensors = answer_clip(video, None, None, eyes).tensors()
    rows = tensors["AGE_ROWS"]
    assert len(rows) == 8 and np.array_equal(tensors["AGE_CROPS"], tensors["CROPS"][rows])
    assert set(np.diff(rows)) == {2}

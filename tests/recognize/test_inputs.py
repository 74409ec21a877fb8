"""What is refused at the door, before a byte of it is copied."""

from __future__ import annotations

import numpy as np
import pytest
from contract import LIMITS, SPEECH_ROW, VIDEO_ROW, SpeechStatus, TextStatus, VideoStatus
from inputs import read_inputs
from refusals import InvalidRequestError

SENTENCE = np.array([b"hello"], np.object_)


def claimed(count: int) -> np.ndarray:
    """Return so many bytes without having them."""
    return np.broadcast_to(np.uint8(0), (count,))


@pytest.mark.parametrize(
    ("name", "array", "refused", "limit"),
    [
        (
            "VIDEO",
            claimed(LIMITS.video_bytes + 1),
            {"speech": SpeechStatus.TOO_LONG, "video": VideoStatus.UNKNOWN},
            LIMITS.video_bytes,
        ),
        (
            "AUDIO",
            claimed(LIMITS.audio_bytes + 1),
            {"speech": SpeechStatus.TOO_LONG},
            LIMITS.audio_bytes,
        ),
        (
            "FRAMES",
            np.full(LIMITS.frames + 1, b"", np.object_),
            {"video": VideoStatus.UNKNOWN},
            LIMITS.frames,
        ),
        (
            "FRAMES",
            np.array([b"x" * (LIMITS.video_bytes // 4)] * 5, np.object_),
            {"video": VideoStatus.UNKNOWN},
            LIMITS.video_bytes,
        ),
        (
            "TEXT",
            np.array([b"a" * (LIMITS.text_bytes + 1)], np.object_),
            {"text": TextStatus.TOO_LONG},
            LIMITS.text_bytes,
        ),
    ],
)
def test_media_over_a_limit_is_refused_in_its_modality_and_not_handed_on(
    request_of, name, array, refused, limit
):
    inputs = read_inputs(request_of(**{name: array}))
    assert {modality: error.status for modality, error in inputs.refused.items()} == refused
    for error in inputs.refused.values():
        assert name in str(error) and str(limit) in str(error)
    assert not inputs.media and not inputs.is_clip


def test_the_other_modalities_are_handed_on(request_of):
    inputs = read_inputs(request_of(TEXT=SENTENCE, VIDEO=claimed(LIMITS.video_bytes + 1)))
    assert inputs.media.keys() == {"text"}
    assert inputs.refused.keys() == {"speech", "video"}


def test_sizes_are_told_by_the_shape_alone(request_of):
    request = request_of(VIDEO=claimed(1_000), AUDIO=claimed(LIMITS.audio_bytes + 1))
    inputs = read_inputs(request)
    assert not any(tensor.was_read for tensor in request.tensors.values())
    assert inputs.bytes == 1_000 + LIMITS.audio_bytes + 1


def test_a_film_is_not_sent_to_the_speech_models_beside_a_sound_of_its_own(request_of):
    inputs = read_inputs(request_of(VIDEO=claimed(9), AUDIO=claimed(9)))
    assert [tensor.name() for tensor in inputs.media["speech"]] == ["AUDIO"]
    assert [tensor.name() for tensor in inputs.media["video"]] == ["VIDEO"]


def test_only_what_must_be_decoded_waits_as_a_clip(request_of):
    assert read_inputs(request_of(AUDIO=claimed(9))).is_clip
    assert not read_inputs(request_of(TEXT=SENTENCE)).is_clip


@pytest.mark.parametrize(
    ("name", "shape", "cause"),
    [
        ("PAST_SPEECH", (61, SPEECH_ROW), "at most 60"),
        ("PAST_VIDEO", (1, 4096), rf"\[rows, {VIDEO_ROW}\]"),
    ],
)
def test_too_many_past_rows_or_other_ones_are_refused_unread(request_of, name, shape, cause):
    request = request_of(**{name: np.zeros(shape, np.float32)})
    with pytest.raises(InvalidRequestError, match=cause):
        read_inputs(request)
    assert not request.tensors[name].was_read


def test_a_frame_rate_alone_is_no_modality(request_of):
    with pytest.raises(InvalidRequestError, match="no modality"):
        read_inputs(request_of(FPS=np.array([10.0], np.float32)))

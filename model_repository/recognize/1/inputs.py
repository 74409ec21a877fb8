"""The request as it comes in, checked before a byte of it is copied or sent on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import triton_python_backend_utils as pb_utils
from contract import (
    LIMITS,
    SPEECH_ROW,
    VIDEO_ROW,
    MediaError,
    SpeechStatus,
    TextStatus,
    VideoStatus,
)
from past_rows import WIDTHS, check_rows, current_rows
from refusals import InvalidRequestError

MEDIA = ("TEXT", "AUDIO", "VIDEO", "FRAMES", "FPS")


@dataclass(frozen=True)
class Inputs:
    """One request.

    Attributes:
        media: For each modality the tensors for its models; a modality without media is left out.
        refused: Why a modality's media is not even handed on.
        past_speech: Context rows of earlier chunks, float32 [n, SPEECH_ROW], n may be 0.
        past_video: Context rows of earlier chunks, float32 [t, VIDEO_ROW], t may be 0.
        past_gap: Seconds from when their person was last seen to the beginning of this chunk.
        bytes: Bytes of the media in all.
    """

    media: dict[str, list[pb_utils.Tensor]] = field(default_factory=dict)
    refused: dict[str, MediaError] = field(default_factory=dict)
    past_speech: np.ndarray = field(default_factory=lambda: np.zeros((0, SPEECH_ROW), np.float32))
    past_video: np.ndarray = field(default_factory=lambda: np.zeros((0, VIDEO_ROW), np.float32))
    past_gap: float = 0.0
    bytes: int = 0

    @property
    def is_clip(self) -> bool:
        """Whether sound or pictures must be decoded."""
        return not self.media.keys() <= {"text"}


def read_inputs(request) -> Inputs:
    """Take a request apart.

    Raises:
        InvalidRequestError: It has no modality, or past rows that no earlier answer can have held.
    """
    named = {name: pb_utils.get_input_tensor_by_name(request, name) for name in MEDIA}
    tensors = {name: tensor for name, tensor in named.items() if tensor is not None}
    media, refused = {}, {}
    for modality, names in _media_of(tensors).items():
        try:
            for name in names:
                _CHECKS[modality](name, tensors[name])
            media[modality] = [tensors[name] for name in names]
        except MediaError as error:
            refused[modality] = error
    inputs = Inputs(
        media,
        refused,
        past_speech=_past_rows(request, "PAST_SPEECH", LIMITS.windows),
        past_video=_past_rows(request, "PAST_VIDEO", LIMITS.crops),
        past_gap=_past_gap(request),
        bytes=sum(_size(tensor) for tensor in tensors.values()),
    )
    if not (media or refused or len(inputs.past_speech) or len(inputs.past_video)):
        raise InvalidRequestError(
            "no modality",
            "the request has no modality: give at least one of "
            "TEXT, AUDIO, VIDEO, FRAMES, PAST_VIDEO, PAST_SPEECH",
        )
    return inputs


def _media_of(tensors: dict) -> dict[str, list[str]]:
    """Name each modality's inputs; a film's sound track counts where there is no AUDIO."""
    speech = [name for name in ("AUDIO", "VIDEO") if name in tensors][:1]
    video = [name for name in ("VIDEO", "FRAMES", "FPS") if name in tensors]
    named = {
        "text": [name for name in ("TEXT",) if name in tensors],
        "speech": speech,
        "video": video if video != ["FPS"] else [],
    }
    return {modality: names for modality, names in named.items() if names}


def _check_text(name: str, tensor: pb_utils.Tensor) -> None:
    size = _size(tensor)
    if size > LIMITS.text_bytes:
        raise MediaError(
            TextStatus.TOO_LONG,
            f"{name} has {size} bytes, at most {LIMITS.text_bytes} are accepted",
        )


def _check_speech(name: str, tensor: pb_utils.Tensor) -> None:
    limit = LIMITS.audio_bytes if name == "AUDIO" else LIMITS.video_bytes
    if _size(tensor) > limit:
        raise MediaError(
            SpeechStatus.TOO_LONG,
            f"{name} has {_size(tensor)} bytes, at most {limit} are accepted",
        )


def _check_video(name: str, tensor: pb_utils.Tensor) -> None:
    if name == "FRAMES" and _count(tensor) > LIMITS.frames:
        raise MediaError(
            VideoStatus.UNKNOWN,
            f"{name} has {_count(tensor)} images, at most {LIMITS.frames} are accepted",
        )
    if _size(tensor) > LIMITS.video_bytes:
        raise MediaError(
            VideoStatus.UNKNOWN,
            f"{name} has {_size(tensor)} bytes in all, at most {LIMITS.video_bytes} are accepted",
        )


_CHECKS: dict[str, Callable[[str, pb_utils.Tensor], None]] = {
    "text": _check_text,
    "speech": _check_speech,
    "video": _check_video,
}


def _count(tensor: pb_utils.Tensor) -> int:
    return int(np.prod(tensor.shape(), dtype=np.int64))


def _size(tensor: pb_utils.Tensor) -> int:
    """Return a media tensor's bytes without copying it; only strings are held as objects."""
    if tensor.name() in ("TEXT", "FRAMES"):
        # More frames than are accepted are not worth counting their bytes.
        items = tensor.as_numpy() if _count(tensor) <= LIMITS.frames else ()
        return sum(len(item) for item in items)
    return _count(tensor) * (4 if tensor.name() == "FPS" else 1)


def _past_gap(request) -> float:
    tensor = pb_utils.get_input_tensor_by_name(request, "PAST_GAP")
    gap = 0.0 if tensor is None else float(tensor.as_numpy().reshape(-1)[0])
    if not 0 <= gap < float("inf"):
        raise InvalidRequestError("past rows", f"PAST_GAP is {gap}, expected seconds from 0")
    return gap


def _past_rows(request, name: str, most: int) -> np.ndarray:
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    width, old_width = WIDTHS[name]
    if tensor is None:
        return np.zeros((0, width), np.float32)
    shape = list(tensor.shape())
    if len(shape) != 2 or shape[1] not in (width, old_width):
        raise InvalidRequestError(
            "past rows", f"{name} has shape {shape}, expected [rows, {width}]"
        )
    if shape[0] > most:
        raise InvalidRequestError(
            "past rows", f"{name} has {shape[0]} rows, at most {most} are accepted"
        )
    rows = current_rows(name, tensor.as_numpy())
    check_rows(name, rows)
    return rows

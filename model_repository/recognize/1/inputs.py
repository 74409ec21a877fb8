"""The request as it comes in, checked: which media and which past rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import triton_python_backend_utils as pb_utils
from contract import LIMITS, SPEECH_ROW, VIDEO_ROW

MEDIA = {
    "text": ("TEXT",),
    "speech": ("AUDIO", "VIDEO"),
    "video": ("VIDEO", "FRAMES", "FPS"),
}


class InvalidRequestError(ValueError):
    """A request that cannot be answered, with a sentence for its sender."""


@dataclass(frozen=True)
class Inputs:
    """One request.

    Attributes:
        media: The media tensors that came, by name, for the modules to read.
        past_speech: Context rows of earlier chunks, float32 [n, 778], n may be 0.
        past_video: Context rows of earlier chunks, float32 [t, 4106], t may be 0.
    """

    media: dict[str, pb_utils.Tensor]
    past_speech: np.ndarray
    past_video: np.ndarray

    def of(self, modality: str) -> list[pb_utils.Tensor]:
        """Return the tensors that a modality's module takes; empty when its media is absent."""
        tensors = [self.media[name] for name in MEDIA[modality] if name in self.media]
        return [] if [tensor.name() for tensor in tensors] == ["FPS"] else tensors


def read_inputs(request) -> Inputs:
    """Take a request apart.

    Raises:
        InvalidRequestError: It has no modality, or past rows that no earlier answer can have held.
    """
    names = {name for group in MEDIA.values() for name in group}
    tensors = {name: pb_utils.get_input_tensor_by_name(request, name) for name in names}
    inputs = Inputs(
        media={name: tensor for name, tensor in tensors.items() if tensor is not None},
        past_speech=_past_rows(request, "PAST_SPEECH", SPEECH_ROW, LIMITS.windows),
        past_video=_past_rows(request, "PAST_VIDEO", VIDEO_ROW, LIMITS.crops),
    )
    if not (inputs.media.keys() - {"FPS"} or len(inputs.past_speech) or len(inputs.past_video)):
        raise InvalidRequestError(
            "the request has no modality: give at least one of "
            "TEXT, AUDIO, VIDEO, FRAMES, PAST_VIDEO, PAST_SPEECH"
        )
    return inputs


def _past_rows(request, name: str, width: int, most: int) -> np.ndarray:
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    if tensor is None:
        return np.zeros((0, width), np.float32)
    rows = tensor.as_numpy()
    if rows.shape[1:] != (width,):
        raise InvalidRequestError(f"{name} has shape {list(rows.shape)}, expected [rows, {width}]")
    if len(rows) > most:
        raise InvalidRequestError(f"{name} has {len(rows)} rows, at most {most} are accepted")
    if not np.isfinite(rows).all():
        row = int(np.argmax(~np.isfinite(rows).all(axis=1)))
        raise InvalidRequestError(f"{name} row {row} holds values that are not finite")
    return rows

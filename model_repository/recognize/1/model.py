"""Triton model `recognize`, the front door: media and past rows in, one JSON result out.

It awaits the three modules that the request needs, each an ensemble of its own, then fusion. A
module that fails costs only its own modality.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

import numpy as np
import triton_python_backend_utils as pb_utils
from contract import MODALITIES, SPEECH_ROW, VIDEO_ROW
from evidence import (
    Evidence,
    absent,
    from_speech,
    from_text,
    from_video,
    unanswered,
    with_past,
)
from inputs import Inputs, InvalidRequestError, read_inputs
from result import result_json

STATUS_OUTPUTS = ("COUNT", "STATUS", "MESSAGE")
MODULE_OUTPUTS = {
    "text": ("FEATURES", "EMOTION", *STATUS_OUTPUTS),
    "speech": ("FEATURES", "EMOTION", "AGE", "GENDER", *STATUS_OUTPUTS),
    "video": (
        *("FEATURES", "FRAME_EMOTION", "EMOTION", "AGE", "GENDER", "AGE_ROWS"),
        *("TIMES", "BOXES", "SCORES", "SHARPNESS"),
        *("COUNT", "ERROR_CODE", "SECOND_ERROR_CODES", "MESSAGE"),
    ),
}
READERS = {"text": from_text, "speech": from_speech, "video": from_video}
FUSION_OUTPUTS = ("EMOTION", "AGE", "GENDER", "WEIGHTS")


class UnavailableError(RuntimeError):
    """The models that a request needs do not answer, through no fault of the request."""


class TritonPythonModel:
    """One clip a request; requests are independent of each other."""

    async def execute(self, requests: list) -> list:
        """Answer every request with a result or with an error of its own."""
        return await asyncio.gather(*(self._answer(request) for request in requests))

    async def _answer(self, request) -> pb_utils.InferenceResponse:
        try:
            if request.is_cancelled():
                return _refusal("the client gave up", pb_utils.TritonError.CANCELLED)
            outputs = await recognize(read_inputs(request))
        except InvalidRequestError as error:
            return _refusal(str(error), pb_utils.TritonError.INVALID_ARG)
        except UnavailableError as error:
            return _refusal(str(error), pb_utils.TritonError.UNAVAILABLE)
        except Exception as error:
            pb_utils.Logger.log_error(f"recognize: {type(error).__name__}: {error}")
            return _refusal(
                f"recognize failed: {type(error).__name__}", pb_utils.TritonError.INTERNAL
            )
        wanted = request.requested_output_names()
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, outputs[name]) for name in outputs if name in wanted]
        )


async def recognize(inputs: Inputs) -> dict[str, np.ndarray]:
    """Recognise one clip.

    Returns:
        Every output of the model by name. Features are those that fusion saw, past rows first;
        contexts are this clip's rows alone.

    Raises:
        InvalidRequestError: No modality can be used; the sentence says why, for each.
        UnavailableError: No modality can be used because the models do not answer.
    """
    modules = [_module(name, inputs) for name in MODALITIES]
    evidence = dict(zip(MODALITIES, await asyncio.gather(*modules), strict=True))
    evidence["speech"] = with_past(evidence["speech"], inputs.past_speech)
    evidence["video"] = await _video_with_past(evidence["video"], inputs.past_video)
    _require_usable(evidence)
    fused = await _infer("fusion", _fusion_inputs(evidence), FUSION_OUTPUTS)
    result = result_json(evidence, *(fused[name] for name in FUSION_OUTPUTS))
    return {
        "RESULT": np.array([result.encode()], np.object_),
        **{name: fused[name] for name in ("EMOTION", "AGE", "GENDER")},
        **{f"{name.upper()}_FEATURES": evidence[name].features for name in MODALITIES},
        "VIDEO_CONTEXT": evidence["video"].context.reshape(-1, VIDEO_ROW),
        "SPEECH_CONTEXT": evidence["speech"].context.reshape(-1, SPEECH_ROW),
    }


async def _module(modality: str, inputs: Inputs) -> Evidence:
    tensors = inputs.of(modality)
    if not tensors:
        return absent(modality)
    try:
        outputs = await _infer(modality, tensors, MODULE_OUTPUTS[modality])
    except UnavailableError as error:
        return unanswered(modality, str(error))
    return READERS[modality](outputs)


async def _video_with_past(evidence: Evidence, past: np.ndarray) -> Evidence:
    if not len(past):
        return evidence
    joint = with_past(evidence, past)
    tensors = [
        pb_utils.Tensor("FEATURES", joint.features),
        pb_utils.Tensor("COUNT", np.array([joint.count], np.int32)),
    ]
    outputs = await _infer("video_emotion", tensors, ("EMOTION",))
    return replace(joint, emotion=outputs["EMOTION"])


def _require_usable(evidence: dict[str, Evidence]) -> None:
    if any(one.count for one in evidence.values()):
        return
    causes = "; ".join(f"{name}: {one.message}" for name, one in evidence.items() if one.present)
    if all(one.answered for one in evidence.values()):
        raise InvalidRequestError(f"no modality can be used: {causes or 'the video has no sound'}")
    raise UnavailableError(f"no modality can be used: {causes}")


def _fusion_inputs(evidence: dict[str, Evidence]) -> list[pb_utils.Tensor]:
    tensors = []
    for name, one in evidence.items():
        arrays = {"FEATURES": one.features, "EMOTION": one.emotion}
        if name != "text":
            arrays |= {"AGE": one.age, "GENDER": one.gender}
        arrays["COUNT"] = np.array([one.count], np.int32)
        tensors += [
            pb_utils.Tensor(f"{name.upper()}_{key}", np.ascontiguousarray(array))
            for key, array in arrays.items()
        ]
    return tensors


async def _infer(
    model: str, tensors: list[pb_utils.Tensor], outputs: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Call another model of this server.

    Raises:
        UnavailableError: The model answers with an error; media never makes it do so.
    """
    request = pb_utils.InferenceRequest(
        model_name=model, requested_output_names=list(outputs), inputs=tensors
    )
    call: Awaitable = request.async_exec()
    response = await call
    if response.has_error():
        raise UnavailableError(response.error().message())
    return {tensor.name(): tensor.as_numpy() for tensor in response.output_tensors()}


def _refusal(message: str, code: int) -> pb_utils.InferenceResponse:
    return pb_utils.InferenceResponse([], pb_utils.TritonError(message, code))

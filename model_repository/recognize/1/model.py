"""Triton model `recognize`, the front door: media and past rows in, one JSON result out.

It asks the models that a request needs, all modalities side by side, and then fusion. A modality
that fails costs only itself, and nobody works for a client that is gone.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import nullcontext

import numpy as np
import triton_python_backend_utils as pb_utils
from account import Account, Visit
from calls import Calls, arrays
from contract import MODALITIES, SPEECH_ROW, VIDEO_ROW
from effort import Effort
from evidence import Evidence, fusion_inputs
from inputs import Inputs, read_inputs
from line import Line
from metrics import Counters
from modules import gather_evidence
from refusals import InvalidRequestError, RefusalError, UnavailableError
from result import result_json

FUSION_OUTPUTS = ("EMOTION", "AGE", "GENDER", "WEIGHTS")


class TritonPythonModel:
    """One clip a request; requests are independent of each other."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the parameters of config.pbtxt."""
        parameters = json.loads(args["model_config"])["parameters"]
        settings = {name: value["string_value"] for name, value in parameters.items()}
        self._counters = Counters(pb_utils, args["model_name"])
        self._account = Account(self._counters, logs=settings["access_log"] == "on")
        self._line = Line(
            # All processes of the model are children of one server.
            name=str(os.getppid()),
            served=int(settings["clips_under_way"]),
            admitted=int(settings["clips_admitted"]),
        )

    async def execute(self, requests: list) -> list:
        """Answer every request with a result or with an error of its own."""
        return await asyncio.gather(*(self._answer(request) for request in requests))

    async def _answer(self, request) -> pb_utils.InferenceResponse:
        visit = Visit(request.request_id())
        try:
            outputs = await self._recognize(request, visit)
        except RefusalError as error:
            return self._refusal(visit, error)
        except Exception as error:
            pb_utils.Logger.log_error(f"recognize: {type(error).__name__}: {error}")
            cause = type(error).__name__
            return self._refusal(visit, RefusalError(cause, f"recognize failed: {cause}"))
        self._account.close(visit)
        wanted = request.requested_output_names()
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, outputs[name]) for name in outputs if name in wanted]
        )

    async def _recognize(self, request, visit: Visit) -> dict[str, np.ndarray]:
        effort = Effort(request)
        inputs = read_inputs(request)
        visit.bytes = inputs.bytes
        calls = Calls(effort, request.trace(), self._counters)
        return await effort.carry_out(self._in_turn(effort, calls, inputs, visit))

    async def _in_turn(self, effort: Effort, calls: Calls, inputs: Inputs, visit: Visit):
        async with self._line.turn(effort.check) if inputs.is_clip else nullcontext():
            return await recognize(calls, inputs, visit)

    def _refusal(self, visit: Visit, error: RefusalError) -> pb_utils.InferenceResponse:
        visit.outcome, visit.reason = error.outcome, error.reason
        self._account.close(visit)
        code = getattr(pb_utils.TritonError, error.code)
        return pb_utils.InferenceResponse([], pb_utils.TritonError(str(error), code))


async def recognize(calls: Calls, inputs: Inputs, visit: Visit) -> dict[str, np.ndarray]:
    """Recognise one clip.

    Returns:
        Every output of the model by name. Features are those that fusion saw, past rows first;
        contexts are this clip's rows alone.

    Raises:
        InvalidRequestError: No modality can be used; the sentence says why, for each.
        UnavailableError: No modality can be used because the models do not answer.
        RefusalError: The request was given up, or the result cannot be written.
    """
    visit.evidence = evidence = await gather_evidence(calls, inputs)
    _require_usable(evidence)
    fused = arrays(await calls.infer("fusion", _fusion_tensors(evidence), FUSION_OUTPUTS))
    result = result_json(evidence, *(fused[name] for name in FUSION_OUTPUTS))
    return {
        "RESULT": np.array([result.encode()], np.object_),
        **{name: fused[name] for name in ("EMOTION", "AGE", "GENDER")},
        **{f"{name.upper()}_FEATURES": evidence[name].features for name in MODALITIES},
        "VIDEO_CONTEXT": evidence["video"].context.reshape(-1, VIDEO_ROW),
        "SPEECH_CONTEXT": evidence["speech"].context.reshape(-1, SPEECH_ROW),
    }


def _require_usable(evidence: dict[str, Evidence]) -> None:
    if any(one.count for one in evidence.values()):
        return
    causes = "; ".join(
        f"{name} (error_code {one.error_code}): {one.message}"
        for name, one in evidence.items()
        if one.present
    )
    sentence = f"no modality can be used: {causes or 'the video has no sound'}"
    if all(one.answered for one in evidence.values()):
        raise InvalidRequestError("nothing usable", sentence)
    raise UnavailableError("models", sentence)


def _fusion_tensors(evidence: dict[str, Evidence]) -> list[pb_utils.Tensor]:
    return [
        pb_utils.Tensor(name, np.ascontiguousarray(value))
        for name, value in fusion_inputs(evidence).items()
    ]

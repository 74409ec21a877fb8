"""The three modules: which models make evidence of which media.

The ensembles of these names wire the same models. `recognize` calls the models themselves since an
ensemble of Triton 2.51 never answers when one of two parallel steps is refused by a full queue, and
so that it can stop between two of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import numpy as np
import triton_python_backend_utils as pb_utils
from calls import Calls, arrays
from evidence import (
    Evidence,
    absent,
    from_speech,
    from_text,
    from_video,
    refused,
    unanswered,
    with_past,
)
from inputs import Inputs
from people import past_person, with_past_faces, with_people
from refusals import UnavailableError

TEXT_OUTPUTS = ("FEATURES", "EMOTION")
SPEECH_OUTPUTS = ("FEATURES", "EMOTION", "AGE", "GENDER")
STATUS = ("COUNT", "STATUS", "MESSAGE")
WINDOWS = ("TIMES", "VOICE")
CROPS = ("CROPS", "AGE_CROPS", "OTHER_CROPS")
FACES = (
    *("TIMES", "BOXES", "SCORES", "SHARPNESS", "AGE_ROWS"),
    *("COUNT", "ERROR_CODE", "SECOND_ERROR_CODES", "MESSAGE"),
    *("PLACES", "IDENTITY", "PEOPLE", "OTHER_PERSON", "OTHER_COUNT"),
)


async def gather_evidence(calls: Calls, inputs: Inputs) -> dict[str, Evidence]:
    """Run the modules that a request needs side by side; a failure costs only its own modality.

    Raises:
        RefusalError: The request was given up.
    """
    text, speech, video = await _all(
        _evidence("text", calls, inputs, _text),
        _evidence("speech", calls, inputs, _speech),
        _evidence("video", calls, inputs, _video),
    )
    video = await _with_clip_emotion(calls, with_past_faces(video, inputs.past_video))
    return {"text": text, "speech": with_past(speech, inputs.past_speech), "video": video}


async def _evidence(
    modality: str,
    calls: Calls,
    inputs: Inputs,
    module: Callable[[Calls, Inputs], Awaitable[Evidence]],
) -> Evidence:
    if modality in inputs.refused:
        return refused(modality, inputs.refused[modality])
    if modality not in inputs.media:
        return absent(modality)
    try:
        return await module(calls, inputs)
    except UnavailableError as error:
        return unanswered(modality, str(error))


async def _text(calls: Calls, inputs: Inputs) -> Evidence:
    media = inputs.media["text"]
    read = await calls.infer("text_tokenizer", media, ("IDS", "GRAMS", *STATUS))
    if not _count(read):
        return from_text(arrays(read))
    tokens = [read.pop("IDS"), read.pop("GRAMS")]
    return from_text(arrays(read | await calls.infer("text_encoder", tokens, TEXT_OUTPUTS)))


async def _speech(calls: Calls, inputs: Inputs) -> Evidence:
    media = inputs.media["speech"]
    heard = await calls.infer("speech_frontend", media, ("MELS", *WINDOWS, *STATUS))
    mels = heard.pop("MELS")
    if not _count(heard):
        return from_speech(arrays(heard))
    return from_speech(arrays(heard | await calls.infer("speech_cnn", [mels], SPEECH_OUTPUTS)))


async def _video(calls: Calls, inputs: Inputs) -> Evidence:
    media = list(inputs.media["video"])
    person = past_person(inputs.past_video, inputs.past_gap)
    if person is not None:
        media.append(pb_utils.Tensor("PAST_PERSON", person))
    seen = await calls.infer("face_crop", media, (*CROPS, *FACES))
    crops, age_crops, other_crops = (seen.pop(name) for name in CROPS)
    own, others = await _all(
        _look(calls, crops, age_crops, _count(seen)),
        _look(calls, other_crops, other_crops, _count(seen, "OTHER_COUNT")),
    )
    outputs = arrays(seen | own | {f"OTHER_{name}": value for name, value in others.items()})
    return with_people(from_video(outputs), outputs)


async def _look(
    calls: Calls, crops: pb_utils.Tensor, age_crops: pb_utils.Tensor, count: int
) -> dict[str, pb_utils.Tensor]:
    """Ask the networks about one or more people's crops; about none without asking."""
    if not count:
        return {}
    felt, aged = await _all(
        calls.infer("vgg_face", [_renamed(crops, "CROPS")], ("FEATURES", "EMOTION")),
        calls.infer("age_gender", [_renamed(age_crops, "CROPS")], ("AGE", "GENDER")),
    )
    return felt | aged


async def _with_clip_emotion(calls: Calls, video: Evidence) -> Evidence:
    """Let `video_emotion` weigh the faces of the whole clip, past rows included."""
    if not video.count:
        return video
    tensors = [
        pb_utils.Tensor("FEATURES", np.ascontiguousarray(video.features)),
        pb_utils.Tensor("COUNT", np.array([video.count], np.int32)),
    ]
    try:
        weighed = arrays(await calls.infer("video_emotion", tensors, ("EMOTION",)))
    except UnavailableError as error:
        return unanswered("video", str(error))
    return replace(video, emotion=weighed["EMOTION"])


async def _all(*calls: Awaitable) -> list:
    """Await calls side by side, every one of them even when one fails.

    A call's tensors must outlive it.
    """
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


def _count(tensors: dict[str, pb_utils.Tensor], name: str = "COUNT") -> int:
    return int(tensors[name].as_numpy()[0])


def _renamed(tensor: pb_utils.Tensor, name: str) -> pb_utils.Tensor:
    return pb_utils.Tensor(name, tensor.as_numpy())

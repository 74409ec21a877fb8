"""The process in which clips are decoded and searched for faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from answer import Answer
from bounded_worker import Leash, Work, no_leash, serve
from contract import IDENTITY, MESSAGES, TURNED_MESSAGE, MediaError, VideoStatus
from handover import Message
from identity import Identifier
from mtcnn import Mtcnn
from quality import QualityJudge
from selection import select_faces
from tracks import Eyes, Past
from turned import Witness, is_turned, is_turned_face
from video import open_clip

#: What a turned picture looks like: its face is not seen, or as one that something covers.
LIKE_TURNED = (VideoStatus.OCCLUDED, VideoStatus.TOO_FEW_FACES, VideoStatus.NO_FACE)


def prepare() -> Work:
    """Load the networks. Instances are the parallelism, so OpenCV gets one thread."""
    cv2.setNumThreads(1)
    eyes = open_eyes(Path(__file__).parent)
    eyes.detect(np.zeros((48, 48, 3), np.uint8), ())  # what is set up at the first picture
    return partial(work, eyes=eyes)


def open_eyes(folder: Path) -> Eyes:
    """Load what looks at pictures from the folder of the networks."""
    detect = Mtcnn(folder).detect
    return Eyes(
        detect,
        QualityJudge(folder),
        Identifier(folder),
        partial(is_turned_face, detect=detect),
    )


def work(request: Message, leash: Leash, eyes: Eyes) -> Message:
    """Answer a request of `model.py`."""
    video, frames = request.arrays.get("VIDEO"), None
    if "FRAMES" in request.arrays:
        frames = split(request.arrays["FRAMES"], request.arrays["SIZES"])
    answer = answer_clip(
        None if video is None else video.tobytes(),
        frames,
        request.values["fps"],
        eyes,
        leash,
        past_of(request.arrays.get("PAST_PERSON")),
    )
    return Message({"message": answer.message}, answer.tensors())


def answer_clip(
    video: bytes | None,
    frames: Sequence[bytes] | None,
    fps: float | None,
    eyes: Eyes,
    leash: Leash = no_leash,
    past: Past | None = None,
) -> Answer:
    """Answer a request's media; bad media gives a code.

    Args:
        video: An encoded container.
        frames: Encoded still images in order, instead of `video`.
        fps: Frames a second of `frames`.
        eyes: What looks at pictures.
        leash: Is told how far the clip is decoded and judged; what it raises ends the work.
        past: Whom the earlier chunks of the stream were about.
    """
    try:
        clip = open_clip(video, frames, fps, leash)
        if clip is None:
            return Answer(VideoStatus.OK, MESSAGES[VideoStatus.OK], [VideoStatus.OK])
        witness = Witness(eyes.detect)
        selection = select_faces(clip, replace(eyes, detect=witness), leash, past)
        message = MESSAGES[selection.code]
        is_lost = selection.code in LIKE_TURNED and not selection.crops
        if is_lost and is_turned(clip, witness, leash):
            message = TURNED_MESSAGE
    except MediaError as error:
        return Answer.failed(VideoStatus(error.status), str(error))
    return Answer(
        selection.code,
        message,
        selection.second_codes,
        selection.crops,
        selection.people,
        has_past=past is not None,
    )


def past_of(values: np.ndarray | None) -> Past | None:
    """Take PAST_PERSON apart: identity, place of the last face, seconds since."""
    if values is None:
        return None
    identity, place, gap = np.split(values, [IDENTITY, IDENTITY + 4])
    return Past(identity, tuple(place.tolist()), float(gap[0]))


def split(joined: np.ndarray, sizes: np.ndarray) -> list[bytes]:
    """Take files apart that were joined to UINT8 [n]."""
    ends = np.cumsum(sizes).tolist()
    starts = [0, *ends[:-1]]
    return [joined[start:end].tobytes() for start, end in zip(starts, ends, strict=True)]


if __name__ == "__main__":
    serve(prepare)

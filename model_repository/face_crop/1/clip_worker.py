"""The process in which clips are decoded and searched for faces."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from answer import Answer
from bounded_worker import Leash, Work, no_leash, serve
from contract import MESSAGES, TURNED_MESSAGE, MediaError, VideoStatus
from handover import Message
from mtcnn import Mtcnn
from selection import Detect, select_faces
from turned import Witness, is_turned
from video import open_clip

#: What a turned picture looks like: its face is not seen, or as one that something covers.
LIKE_TURNED = (VideoStatus.OCCLUDED, VideoStatus.TOO_FEW_FACES, VideoStatus.NO_FACE)


def prepare() -> Work:
    """Load the detector. Instances are the parallelism, so OpenCV gets one thread."""
    cv2.setNumThreads(1)
    detector = Mtcnn(Path(__file__).parent)
    detector.detect(np.zeros((48, 48, 3), np.uint8))  # what is set up at the first picture
    return partial(work, detect=detector.detect)


def work(request: Message, leash: Leash, detect: Detect) -> Message:
    """Answer a request of `model.py`."""
    video, frames = request.arrays.get("VIDEO"), None
    if "FRAMES" in request.arrays:
        frames = split(request.arrays["FRAMES"], request.arrays["SIZES"])
    answer = answer_clip(
        None if video is None else video.tobytes(), frames, request.values["fps"], detect, leash
    )
    return Message({"message": answer.message}, answer.tensors())


def answer_clip(
    video: bytes | None,
    frames: Sequence[bytes] | None,
    fps: float | None,
    detect: Detect,
    leash: Leash = no_leash,
) -> Answer:
    """Answer a request's media; bad media gives a code.

    Args:
        video: An encoded container.
        frames: Encoded still images in order, instead of `video`.
        fps: Frames a second of `frames`.
        detect: Finds the faces of a picture.
        leash: Is told how far the clip is decoded and judged; what it raises ends the work.
    """
    try:
        clip = open_clip(video, frames, fps, leash)
        if clip is None:
            return Answer(VideoStatus.OK, MESSAGES[VideoStatus.OK], [VideoStatus.OK])
        witness = Witness(detect)
        selection = select_faces(clip, witness, leash)
        message = MESSAGES[selection.code]
        is_lost = selection.code in LIKE_TURNED and not selection.crops
        if is_lost and is_turned(clip, witness, leash):
            message = TURNED_MESSAGE
    except MediaError as error:
        return Answer.failed(VideoStatus(error.status), str(error))
    return Answer(selection.code, message, selection.second_codes, selection.crops)


def split(joined: np.ndarray, sizes: np.ndarray) -> list[bytes]:
    """Take files apart that were joined to UINT8 [n]."""
    ends = np.cumsum(sizes).tolist()
    starts = [0, *ends[:-1]]
    return [joined[start:end].tobytes() for start, end in zip(starts, ends, strict=True)]


if __name__ == "__main__":
    serve(prepare)

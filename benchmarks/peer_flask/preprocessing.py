"""Module `preprocessing`: a film to the crops of its faces, by the original's rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from flask import Flask, request

from benchmarks.facenet import load_mtcnn
from benchmarks.peer_flask.networks import save

FRAMES_A_SECOND = 10
SHARP_VARIANCE = 30.0
CLEAR_PROBABILITY = 0.999
NEEDED_PART, TOLERATED_PART = 0.4, 0.5
CROP_SIDE = 224
OK, BLURRED, OUT_OF_BOUNDS, OCCLUDED, TOO_FEW_FACES, NO_FACE = 0, 2, 3, 4, 5, 6

Box = tuple[float, float, float, float]


def create_app() -> Flask:
    """Make the module; the detector is facenet-pytorch's as published."""
    app = Flask(__name__)
    detector = load_mtcnn()

    @app.post("/")
    def preprocess() -> dict:
        codes, crops = [], []
        for frames in seconds(Path(request.form["input_video"])):
            code, faces = judge_second(frames, detector)
            codes.append(code)
            crops += faces
        if crops:
            save(Path(request.form["output_path"]), "video", {"crops": np.stack(crops)})
        return {"codes": codes, "crops": len(crops)}

    return app


def seconds(film: Path) -> Iterator[list[np.ndarray]]:
    """Yield the frames of each second, RGB [height, width, 3], thinned out to ten a second."""
    capture = cv2.VideoCapture(str(film))
    step = capture.get(cv2.CAP_PROP_FPS) / FRAMES_A_SECOND
    frames, taken, index = [], 0, 0
    while capture.grab():
        if index >= taken * step:
            frames.append(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
            taken += 1
        if len(frames) == FRAMES_A_SECOND:
            yield frames
            frames = []
        index += 1
    capture.release()
    if frames:
        yield frames


def judge_second(frames: list[np.ndarray], detector) -> tuple[int, list[np.ndarray]]:
    """Return a second's code and, if it is 0, its crops uint8 [224, 224, 3]."""
    count = len(frames)
    needed = int(NEEDED_PART * count)
    sharp = [frame for frame in frames if is_sharp(frame)]
    if len(sharp) < NEEDED_PART * count:
        return BLURRED, []
    faces = find_faces(sharp, detector)
    outside = [leaves(box, frame) for frame, box, _ in faces]
    covered = [probability < CLEAR_PROBABILITY for _, _, probability in faces]
    kept = [
        cut(frame, box)
        for (frame, box, _), cannot, hidden in zip(faces, outside, covered, strict=True)
        if not cannot and not hidden
    ]
    if sum(outside) > int(TOLERATED_PART * count):
        return OUT_OF_BOUNDS, []
    if sum(covered) > int(TOLERATED_PART * count):
        return OCCLUDED, []
    if len(kept) < max(1, needed):
        return (TOO_FEW_FACES if kept else NO_FACE), []
    return OK, kept[: max(1, needed)]


def is_sharp(frame: np.ndarray) -> bool:
    """Judge by the variance of the grey picture's Laplacian."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return cv2.Laplacian(grey, cv2.CV_64F).var() >= SHARP_VARIANCE


def find_faces(frames: list[np.ndarray], detector) -> list[tuple[np.ndarray, Box, float]]:
    """Return the largest face of each frame that has one, with its frame and probability."""
    boxes, probabilities = detector.detect(np.stack(frames))
    return [
        (frame, tuple(map(float, found[0])), float(probability[0]))
        for frame, found, probability in zip(frames, boxes, probabilities, strict=True)
        if found is not None
    ]


def leaves(box: Box, frame: np.ndarray) -> bool:
    """Tell whether a box leaves the picture."""
    height, width = frame.shape[:2]
    return box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height


def cut(frame: np.ndarray, box: Box) -> np.ndarray:
    """Cut out the square of a box's longer side, moved inside the picture, as our networks want."""
    height, width = frame.shape[:2]
    side = min(round(max(box[2] - box[0], box[3] - box[1])), height, width)
    left = min(max(round((box[0] + box[2] - side) / 2), 0), width - side)
    top = min(max(round((box[1] + box[3] - side) / 2), 0), height - side)
    patch = frame[top : top + side, left : left + side]
    return cv2.resize(patch, (CROP_SIDE, CROP_SIDE), interpolation=cv2.INTER_AREA)

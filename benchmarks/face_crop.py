"""The served face detection and the whole of `face_crop` beside facenet-pytorch's MTCNN.

    python -m benchmarks.face_crop CLIP_OR_FOLDER_OF_IMAGES ...

Both look at the same frames, ten a second, in turn on one thread each. facenet-pytorch's detector
has its defaults and gets each second as one batch, which is faster than frame by frame. The served
detector is measured twice: with every frame by itself, and as `face_crop` calls it, with the faces
of the frame that it looked at before. The whole of `face_crop` is compared with the original's way,
which is to look at every frame (`peer_flask/preprocessing.py`); both include decoding.

Times are processor time. What facenet-pytorch finds counts as the truth.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.facenet import load_mtcnn
from benchmarks.media import DEMO, OUT
from benchmarks.peer_flask.preprocessing import judge_second
from training.serving_code import MODEL_REPOSITORY, front_end

clip_worker, mtcnn, tracks, video = (
    front_end("face_crop", name) for name in ("clip_worker", "mtcnn", "tracks", "video")
)
selection = front_end("face_crop", "selection")

#: Intersection over union from which two boxes are of the same face.
SAME_FACE = 0.5
#: The rate of a folder's images.
IMAGES_A_SECOND = 10.0

Boxes = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Found:
    """What a detector found of what the peer found.

    Attributes:
        faces: The peer's faces.
        found: Those of them that it found too.
        beside: Faces of its own in frames where the peer found others.
        false: Faces of its own in frames where the peer found none.
    """

    faces: int = 0
    found: int = 0
    beside: int = 0
    false: int = 0

    def __add__(self, other: Found) -> Found:
        return Found(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Found)))

    @property
    def recall(self) -> float:
        """The part of the peer's faces that was found; 1 if there are none."""
        return self.found / self.faces if self.faces else 1.0


@dataclass(frozen=True)
class Comparison:
    """One clip, or several added up.

    Attributes:
        name: The file or folder.
        frames: How many were looked at, ten a second.
        peer_seconds: What the peer's detector took of them.
        alone_seconds: The served one, every frame by itself.
        following_seconds: The served one, with the faces of the frame before.
        alone: What it found by itself.
        following: What it found with the faces of the frame before.
        peer_clip_seconds: Encoded clip to crops, every frame looked at by the peer's detector.
        clip_seconds: The same with `face_crop`.
    """

    name: str
    frames: int
    peer_seconds: float
    alone_seconds: float
    following_seconds: float
    alone: Found
    following: Found
    peer_clip_seconds: float
    clip_seconds: float

    def __add__(self, other: Comparison) -> Comparison:
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)[1:]}
        return Comparison("all", **sums)

    @property
    def ratios(self) -> dict[str, float]:
        """How many times faster than the peer: each frame alone, following, and the whole."""
        return {
            "alone": self.peer_seconds / self.alone_seconds,
            "following": self.peer_seconds / self.following_seconds,
            "clip": self.peer_clip_seconds / self.clip_seconds,
        }

    def record(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        recall = {"alone": self.alone.recall, "following": self.following.recall}
        return {**asdict(self), "times_faster": self.ratios, "recall": recall}


@dataclass(frozen=True)
class Detectors:
    """The peer's and the served one."""

    peer: torch.nn.Module
    served: mtcnn.Mtcnn
    eyes: tracks.Eyes

    @classmethod
    def load(cls) -> Detectors:
        """Load both, on one thread each."""
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        folder = MODEL_REPOSITORY / "face_crop" / "1"
        return cls(load_mtcnn(), mtcnn.Mtcnn(folder), clip_worker.open_eyes(folder))

    def compare(self, path: Path) -> Comparison:
        """Compare them on a clip or a folder of images."""
        media = read(path)
        peer_clip, clip = self._time_clip(media)
        total = Comparison(path.name, 0, 0, 0, 0, Found(), Found(), peer_clip, clip)
        for frames in seconds_of(media):
            total += self._compare_second(frames)
        return Comparison(**{**vars(total), "name": path.name})

    def _time_clip(self, media: tuple) -> tuple[float, float]:
        def judge_every_frame() -> None:
            for frames in seconds_of(media):
                judge_second(frames, self.peer)

        _, peer = timed(judge_every_frame)
        _, served = timed(lambda: clip_worker.answer_clip(*media, self.eyes))
        return peer, served

    def _compare_second(self, frames: list[np.ndarray]) -> Comparison:
        needed = int(selection.NEEDED_PART * len(frames))
        frames = [frames[at] for at in selection.judging_order(len(frames), max(1, needed))]
        (boxes, _), peer = timed(lambda: self.peer.detect(np.stack(frames)))
        truth = [[] if found is None else found for found in boxes]
        alone, alone_seconds = timed(lambda: [self.served.detect(frame) for frame in frames])
        following, following_seconds = timed(lambda: list(self._follow(frames)))
        return Comparison(
            name="",
            frames=len(frames),
            peer_seconds=peer,
            alone_seconds=alone_seconds,
            following_seconds=following_seconds,
            alone=sum(map(match, truth, alone), Found()),
            following=sum(map(match, truth, following), Found()),
            peer_clip_seconds=0.0,
            clip_seconds=0.0,
        )

    def _follow(self, frames: list[np.ndarray]) -> Iterator[list[mtcnn.Face]]:
        faces: list[mtcnn.Face] = []
        for frame in frames:
            faces = self.served.detect(frame, faces)
            yield faces


def read(path: Path) -> tuple[bytes | None, list[bytes] | None, float | None]:
    """Read a clip, or a folder's images in order of name, as VIDEO, FRAMES and FPS."""
    if path.is_dir():
        return None, [file.read_bytes() for file in sorted(path.iterdir())], IMAGES_A_SECOND
    return path.read_bytes(), None, None


def seconds_of(media: tuple) -> Iterator[list[np.ndarray]]:
    """Yield the pictures of each second, ten or fewer."""
    for frames in video.open_clip(*media).seconds():
        if frames:
            yield [frame.pixels() for frame in frames]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what work gives and the seconds of processor time that it took."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def match(truth: Boxes, faces: Sequence[mtcnn.Face]) -> Found:
    """Compare one frame's faces with the peer's boxes."""
    overlaps = np.array([[overlap(box, face.box) for face in faces] for box in truth])
    same = overlaps.reshape(len(truth), len(faces)) >= SAME_FACE
    own = len(faces) - int(same.any(axis=0).sum()) if len(truth) else 0
    false = 0 if len(truth) else len(faces)
    return Found(len(truth), int(same.any(axis=1).sum()), own, false)


def overlap(box: Sequence[float], other: Sequence[float]) -> float:
    """Measure the intersection over union of two boxes `x1, y1, x2, y2`."""
    low, high = np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])
    shared = np.prod(np.clip(high - low, 0, None))
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return float(shared / (sum(areas) - shared))


def table(comparisons: list[Comparison]) -> str:
    """Lay comparisons out as text, milliseconds a frame and times faster than the peer."""
    heads = (
        "clip",
        "frames",
        "peer ms",
        "alone",
        "following",
        "whole",
        "recall",
        "beside",
        "false",
    )
    rows = [heads]
    for one in comparisons:
        ratios = one.ratios
        per_frame = 1000 / one.frames
        rows.append(
            (
                one.name,
                str(one.frames),
                f"{one.peer_seconds * per_frame:.1f}",
                f"{one.alone_seconds * per_frame:.1f} ms {ratios['alone']:.1f}x",
                f"{one.following_seconds * per_frame:.1f} ms {ratios['following']:.1f}x",
                f"{ratios['clip']:.1f}x",
                f"{one.alone.recall:.3f} {one.following.recall:.3f}",
                f"{one.alone.beside} {one.following.beside}",
                f"{one.alone.false} {one.following.false}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def main() -> int:
    """Compare on each clip; print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("media", type=Path, nargs="*", default=[DEMO / "clip.mp4"])
    parser.add_argument("--out", type=Path, default=OUT / "face_crop.json")
    options = parser.parse_args()
    detectors = Detectors.load()
    comparisons = [detectors.compare(path) for path in options.media]
    comparisons.append(sum(comparisons[1:], comparisons[0]))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    records = [one.record() for one in comparisons]
    options.out.write_text(json.dumps(records, indent=1), encoding="utf-8")
    sys.stdout.write(table(comparisons) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Run the real perf_analyzer against one model with real media.

`python -m benchmarks.perf recognize` writes the demo clip (or your own media) as perf_analyzer's
input file and starts it; every further option is perf_analyzer's own, e.g.
`python -m benchmarks.perf vgg_face -u 127.0.0.1:8001 --concurrency-range 1:8`.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tritonclient.grpc as grpcclient

from server.perf_analyzer import main as perf_analyzer

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "perf"
#: A clip takes about a second, so windows are counted in requests; later options override.
MEASUREMENT = ["--measurement-mode", "count_windows", "--measurement-request-count", "10"]


def binary(data: bytes, shape: list[int]) -> dict:
    """Return a tensor of raw bytes as perf_analyzer's input files write it."""
    return {"content": {"b64": base64.b64encode(data).decode()}, "shape": shape}


def whole_clip(video: bytes, sentence: str, url: str) -> dict:
    """Return the inputs of `recognize` and `multimodal`."""
    return {"TEXT": [sentence], "VIDEO": binary(video, [len(video)])}


def video_only(video: bytes, sentence: str, url: str) -> dict:
    """Return the input of `video` and `face_crop`."""
    return {"VIDEO": binary(video, [len(video)])}


def text_only(video: bytes, sentence: str, url: str) -> dict:
    """Return the input of `text` and `text_tokenizer`."""
    return {"TEXT": [sentence]}


def first_crop(video: bytes, sentence: str, url: str) -> dict:
    """Return one real face for `vgg_face` and `age_gender`, cut by the server's own face_crop."""
    tensor = grpcclient.InferInput("VIDEO", [len(video)], "UINT8")
    tensor.set_data_from_numpy(np.frombuffer(video, np.uint8))
    with grpcclient.InferenceServerClient(url) as client:
        crops = client.infer("face_crop", [tensor]).as_numpy("CROPS")
    return {"CROPS": binary(crops[0].tobytes(), list(crops[0].shape))}


INPUTS: dict[str, Callable[[bytes, str, str], dict]] = {
    "recognize": whole_clip,
    "multimodal": whole_clip,
    "video": video_only,
    "face_crop": video_only,
    "speech": video_only,
    "speech_frontend": video_only,
    "text": text_only,
    "text_tokenizer": text_only,
    "vgg_face": first_crop,
    "age_gender": first_crop,
}


def main() -> int:
    """Write the input file and hand over to perf_analyzer; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("model", choices=sorted(INPUTS))
    parser.add_argument("-u", "--url", default="127.0.0.1:8001", help="gRPC address")
    parser.add_argument("--video", type=Path, default=ROOT / "demo" / "clip.mp4")
    parser.add_argument("--sentence", default=None, help="default: the demo clip's own")
    options, rest = parser.parse_known_args()
    sentence = options.sentence or (ROOT / "demo" / "sentence.txt").read_text("utf-8").strip()
    data = INPUTS[options.model](options.video.read_bytes(), sentence, options.url)
    OUT.mkdir(parents=True, exist_ok=True)
    file = OUT / f"{options.model}.json"
    file.write_text(json.dumps({"data": [data]}), encoding="utf-8")
    arguments = ["-m", options.model, "-i", "grpc", "-u", options.url, "--input-data", str(file)]
    return perf_analyzer([*arguments, *MEASUREMENT, *rest])


if __name__ == "__main__":
    sys.exit(main())

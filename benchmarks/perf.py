"""Run the real perf_analyzer against one model with real media.

`python -m benchmarks.perf recognize` writes the demo clip (or your own media) as perf_analyzer's
input file and starts it; every further option is perf_analyzer's own, e.g.
`python -m benchmarks.perf vgg_face -u 127.0.0.1:8001 --concurrency-range 1:8`. The inputs of a
model inside the recogniser are what the models before it make of the media.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tritonclient.grpc as grpcclient
from tritonclient.utils import np_to_triton_dtype

from server.perf_analyzer import main as perf_analyzer

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "perf"
#: A clip takes about a second, so windows are counted in requests; later options override.
MEASUREMENT = ["--measurement-mode", "count_windows", "--measurement-request-count", "10"]

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Source:
    """The media, and the server whose models make of it what later models take."""

    video: bytes
    sentence: str
    url: str

    def ask(self, model: str, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Return every output of a model by name."""
        tensors = []
        for name, array in inputs.items():
            tensor = grpcclient.InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
            tensors.append(tensor.set_data_from_numpy(array))
        with grpcclient.InferenceServerClient(self.url) as client:
            result = client.infer(model, tensors)
        return {
            output.name: result.as_numpy(output.name) for output in result.get_response().outputs
        }


def whole_clip(source: Source) -> Arrays:
    """Return the inputs of `recognize` and `multimodal`."""
    return text_only(source) | video_only(source)


def video_only(source: Source) -> Arrays:
    """Return the input of what reads a film: its pictures or its sound."""
    return {"VIDEO": np.frombuffer(source.video, np.uint8)}


def text_only(source: Source) -> Arrays:
    """Return the input of `text` and `text_tokenizer`."""
    return {"TEXT": np.array([source.sentence.encode()], np.object_)}


def first_crop(source: Source) -> Arrays:
    """Return one real face for `vgg_face` and `age_gender`."""
    return {"CROPS": source.ask("face_crop", video_only(source))["CROPS"][0]}


def first_window(source: Source) -> Arrays:
    """Return one real window for `speech_cnn`."""
    return {"MELS": source.ask("speech_frontend", video_only(source))["MELS"][0]}


def tokens(source: Source) -> Arrays:
    """Return the sentence's tokens for `text_encoder`."""
    outputs = source.ask("text_tokenizer", text_only(source))
    return {name: outputs[name][0] for name in ("IDS", "GRAMS")}


def face_features(source: Source) -> Arrays:
    """Return all of the clip's faces for `video_emotion`."""
    outputs = source.ask("video", video_only(source))
    return {name: outputs[name] for name in ("FEATURES", "COUNT")}


def three_modalities(source: Source) -> Arrays:
    """Return what `fusion` takes of the clip's text, speech and video."""
    inputs = {}
    for modality, media in (("text", text_only), ("speech", video_only), ("video", video_only)):
        outputs = source.ask(modality, media(source))
        for name in ("FEATURES", "EMOTION", "AGE", "GENDER", "COUNT"):
            if name in outputs:
                inputs[f"{modality.upper()}_{name}"] = outputs[name]
        if modality == "speech":
            inputs["SPEECH_WEIGHTS"] = outputs["VOICE"]
    return inputs


INPUTS: dict[str, Callable[[Source], Arrays]] = {
    "recognize": whole_clip,
    "multimodal": whole_clip,
    "video": video_only,
    "face_crop": video_only,
    "vgg_face": first_crop,
    "age_gender": first_crop,
    "video_emotion": face_features,
    "speech": video_only,
    "speech_frontend": video_only,
    "speech_cnn": first_window,
    "text": text_only,
    "text_tokenizer": text_only,
    "text_encoder": tokens,
    "fusion": three_modalities,
}


def as_json(array: np.ndarray) -> dict | list[str]:
    """Return a tensor as perf_analyzer's input files write it."""
    if array.dtype == np.object_:
        return [text.decode() for text in array]
    content = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"content": {"b64": content}, "shape": list(array.shape)}


def write_inputs(model: str, source: Source) -> Path:
    """Write the input file of a model; a file per model, replaced each time."""
    tensors = {name: as_json(array) for name, array in INPUTS[model](source).items()}
    OUT.mkdir(parents=True, exist_ok=True)
    file = OUT / f"{model}.json"
    file.write_text(json.dumps({"data": [tensors]}), encoding="utf-8")
    return file


def main() -> int:
    """Write the input file and hand over to perf_analyzer; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("model", choices=sorted(INPUTS))
    parser.add_argument("-u", "--url", default="127.0.0.1:8001", help="gRPC address")
    parser.add_argument("--video", type=Path, default=ROOT / "demo" / "clip.mp4")
    parser.add_argument("--sentence", default=None, help="default: the demo clip's own")
    options, rest = parser.parse_known_args()
    sentence = options.sentence or (ROOT / "demo" / "sentence.txt").read_text("utf-8").strip()
    source = Source(options.video.read_bytes(), sentence, options.url)
    file = write_inputs(options.model, source)
    arguments = ["-m", options.model, "-i", "grpc", "-u", options.url, "--input-data", str(file)]
    return perf_analyzer([*arguments, *MEASUREMENT, *rest])


if __name__ == "__main__":
    sys.exit(main())

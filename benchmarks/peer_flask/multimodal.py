"""Module `multimodal`: the files of the three others to the flat dictionary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from flask import Flask, request

from benchmarks.peer_flask.networks import Network, load
from clients.contract import (
    AGE_CODE,
    EMOTION_CODES,
    GENDER_CODES,
    SPEECH_FEATURE,
    TEXT_FEATURE,
    VIDEO_FEATURE,
)

#: What each modality's files hold, with a row of zeros for the modality that wrote none.
ROWS = {
    "text": {"features": (1, TEXT_FEATURE), "emotion": (1, 7)},
    "speech": {
        "features": (1, SPEECH_FEATURE),
        "emotion": (1, 7),
        "age": (1, 1),
        "gender": (1, 2),
        "weights": (1,),
    },
    "video": {"features": (1, VIDEO_FEATURE), "emotion": (7,), "age": (1, 1), "gender": (1, 2)},
}


def create_app() -> Flask:
    """Make the module."""
    app = Flask(__name__)
    fusion = Network("fusion")

    @app.post("/")
    def fuse() -> dict:
        fused = fusion.run(**inputs(Path(request.form["input_path"])))
        codes = (*EMOTION_CODES, AGE_CODE, *GENDER_CODES)
        values = np.concatenate([fused["EMOTION"], fused["AGE"], fused["GENDER"]])
        return {code: round(float(value), 4) for code, value in zip(codes, values, strict=True)}

    return app


def inputs(folder: Path) -> dict[str, np.ndarray]:
    """Read the network's inputs from the files that the other modules wrote."""
    tensors = {}
    for modality, shapes in ROWS.items():
        arrays = {name: load(folder, modality, name) for name in shapes}
        missing = arrays["features"] is None
        count = 0 if missing else len(arrays["features"])
        tensors[f"{modality}_count".upper()] = np.array([count], np.int32)
        for name, shape in shapes.items():
            array = np.zeros(shape, np.float32) if missing else arrays[name]
            tensors[f"{modality}_{name}".upper()] = array
    return tensors

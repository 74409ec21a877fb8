"""Module `video`: crops of a face to features, a posterior, ages and genders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from flask import Flask, request

from benchmarks.peer_flask.networks import Network, load, save

MOST_CROPS, MOST_AGED = 64, 8


def create_app() -> Flask:
    """Make the module."""
    app = Flask(__name__)
    face, clip, age = (Network(name) for name in ("vgg_face", "video_emotion", "age_gender"))

    @app.post("/")
    def see() -> dict:
        folder = Path(request.form["input_path"])
        crops = load(folder, "video", "crops")
        if crops is None:
            return {"emotion": None}
        crops = spread(crops, MOST_CROPS)
        features = face.run(CROPS=crops)["FEATURES"]
        emotion = clip.run(FEATURES=features, COUNT=np.array([len(crops)], np.int32))["EMOTION"]
        aged = age.run(CROPS=spread(crops, MOST_AGED))
        arrays = {"features": features, "emotion": emotion}
        save(folder, "video", arrays | {"age": aged["AGE"], "gender": aged["GENDER"]})
        return {"emotion": emotion.tolist()}

    return app


def spread(rows: np.ndarray, most: int) -> np.ndarray:
    """Keep at most so many rows, spread evenly."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]

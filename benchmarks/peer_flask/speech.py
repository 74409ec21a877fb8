"""Module `speech`: a sound file, or a film's sound track, to features, posteriors and ages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from flask import Flask, request

from benchmarks.peer_flask.networks import Network, save
from training.serving_code import front_end


def create_app() -> Flask:
    """Make the module."""
    app = Flask(__name__)
    audio, spectrogram = (front_end("speech_frontend", name) for name in ("audio", "log_mel"))
    network = Network("speech_cnn")

    @app.post("/")
    def hear() -> dict:
        samples = audio.decode_audio(Path(request.form["input_speech"]).read_bytes(), "VIDEO")
        mels = np.stack([spectrogram.log_mel(one) for one in spectrogram.windows(samples)])
        outputs = network.run(MELS=mels)
        arrays = {name.lower(): array for name, array in outputs.items()}
        save(Path(request.form["output_path"]), "speech", arrays)
        return {"emotion": outputs["EMOTION"].mean(axis=0).tolist()}

    return app

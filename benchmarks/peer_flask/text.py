"""Module `text`: a sentence to a feature and a posterior."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, request

from benchmarks.peer_flask.networks import Network, save
from training.serving_code import front_end


def create_app() -> Flask:
    """Make the module."""
    app = Flask(__name__)
    tokenizer, encoder = front_end("text_tokenizer", "tokenizer"), Network("text_encoder")

    @app.post("/")
    def read() -> dict:
        tokens = tokenizer.encode(request.form["input_text"])
        outputs = encoder.run(IDS=tokens.ids[None], GRAMS=tokens.grams[None])
        arrays = {"features": outputs["FEATURES"], "emotion": outputs["EMOTION"]}
        save(Path(request.form["output_path"]), "text", arrays)
        return {"emotion": outputs["EMOTION"][0].tolist()}

    return app

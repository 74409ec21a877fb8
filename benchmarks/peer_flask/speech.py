"""Module `speech`: a sound file, or a film's sound track, to features, posteriors and ages."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, request

from benchmarks.peer_flask.networks import Network, save
from training.serving_code import MODEL_REPOSITORY, front_end


def create_app() -> Flask:
    """Make the module."""
    app = Flask(__name__)
    audio, spectrogram, vad = (
        front_end("speech_frontend", name) for name in ("audio", "log_mel", "vad")
    )
    detector = vad.VoiceDetector(MODEL_REPOSITORY / "speech_frontend" / "1" / "vad.onnx")
    network = Network("speech_cnn")

    @app.post("/")
    def hear() -> dict:
        recording = audio.decode_channels(Path(request.form["input_speech"]).read_bytes(), "VIDEO")
        windows = spectrogram.log_mel_windows(recording, detector)
        outputs = network.run(MELS=windows.mels)
        arrays = {name.lower(): array for name, array in outputs.items()}
        arrays["weights"] = windows.voice
        save(Path(request.form["output_path"]), "speech", arrays)
        return {"emotion": outputs["EMOTION"].mean(axis=0).tolist()}

    return app

"""Weights to `model.onnx`, each checked against the network it came from."""

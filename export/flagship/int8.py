"""Quantise VGG-Face to int8, calibrated on given faces, and say what it changes.

Static quantisation with quantise and dequantise nodes (QDQ): weights in int8 by channel,
activations in uint8 by tensor. Both onnxruntime backends read it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from export.flagship.conversion import IR_VERSION, open_session, run
from export.flagship.errors import SourceError
from export.flagship.parity import Difference, Report

SIDE = 224
#: Faces that calibrate; as many more, where there are more, measure.
CALIBRATING = 64
QUANTISED = ("Conv", "MatMul", "Gemm")
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")

log = logging.getLogger(__name__)


def quantise(file: Path, folder: Path) -> Report:
    """Replace a converted VGG-Face by its int8 version.

    Args:
        file: `vgg_face/1/model.onnx`, in float32.
        folder: Pictures of faces, cut as `face_crop` cuts them.

    Returns:
        The features' cosines and the change of the posteriors, on faces that did not calibrate
        if there are any.

    Raises:
        SourceError: The folder holds no picture, or the file is int8 already.
    """
    if any(node.op_type == "QuantizeLinear" for node in onnx.load(file).graph.node):
        raise SourceError(file, "is int8 already: convert vgg_face again first")
    faces = read_faces(folder)
    calibrating = faces[:CALIBRATING]
    measured = faces[CALIBRATING : 2 * CALIBRATING] if len(faces) > CALIBRATING else calibrating
    wanted = _answers(file, measured)
    with TemporaryDirectory() as scratch:
        narrow = Path(scratch) / file.name
        _write_int8(file, narrow, calibrating)
        found = _answers(narrow, measured)
        file.write_bytes(narrow.read_bytes())
    log.info("%s: %.1f MB", file, file.stat().st_size / 1e6)
    return _report(wanted, found, len(calibrating), len(measured), measured is calibrating)


def read_faces(folder: Path) -> np.ndarray:
    """Read a folder's pictures in the order of a fixed shuffle, uint8 RGB [n,224,224,3].

    Raises:
        SourceError: There is none.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    np.random.default_rng(0).shuffle(files)
    pictures = [cv2.imread(str(path)) for path in files[: 2 * CALIBRATING]]
    faces = [
        cv2.resize(picture[:, :, ::-1], (SIDE, SIDE)) for picture in pictures if picture is not None
    ]
    if not faces:
        raise SourceError(folder, f"holds no picture of a face ({', '.join(PICTURES)})")
    return np.stack(faces)


class _Faces(CalibrationDataReader):
    def __init__(self, faces: np.ndarray) -> None:
        self._feeds: Iterator[dict] = ({"CROPS": face[None]} for face in faces)

    def get_next(self) -> dict | None:
        return next(self._feeds, None)


def _write_int8(file: Path, narrow: Path, faces: np.ndarray) -> None:
    prepared = narrow.with_name("prepared.onnx")
    quant_pre_process(str(file), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(narrow),
        _Faces(faces),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(QUANTISED),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )
    model = onnx.load(narrow)
    model.ir_version = min(model.ir_version, IR_VERSION)
    onnx.save(model, narrow)


def _answers(file: Path, faces: np.ndarray) -> dict[str, np.ndarray]:
    session = open_session(str(file))
    answers = [run(session, {"CROPS": face[None]}) for face in faces]
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def _report(wanted: dict, found: dict, calibrating: int, measured: int, same: bool) -> Report:
    features, others = wanted["FEATURES"], found["FEATURES"]
    lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(others, axis=1)
    cosines = (features * others).sum(1) / np.maximum(lengths, 1e-12)
    change = np.abs(wanted["EMOTION"] - found["EMOTION"]).max(1)
    agree = (wanted["EMOTION"].argmax(1) == found["EMOTION"].argmax(1)).mean()
    notes = [
        f"calibrated on {calibrating} faces, measured on {measured} "
        + ("that calibrated too" if same else "others"),
        f"feature cosine {cosines.mean():.4f} on average, at least {cosines.min():.4f}",
        f"posterior changes by {change.mean():.4f} on average, at most {change.max():.4f}; "
        f"the first emotion stays in {agree:.1%}",
    ]
    differences = [Difference.between(name, found[name], wanted[name]) for name in wanted]
    return Report("vgg_face int8", ["vgg_face/1/model.onnx"], notes, differences)

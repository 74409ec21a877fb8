"""What is said of a good request and is not so: each function takes one and gives one that lies."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np

from benchmarks.hostile.chance import any_of
from benchmarks.hostile.requests import SENTENCE, Request


def _with_first(request: Request, kind: str, **parts: object) -> Request:
    first, *others = request.tensors
    return replace(request, kind=f"lie: {kind}", tensors=(replace(first, **parts), *others))


def _lie_about_type(rng: np.random.Generator, request: Request) -> Request:
    kind = any_of(
        rng, ("UINT8", "FP32", "INT64", "BOOL", "BF16", "FP64", "", "STRING", "x" * 1_000)
    )
    return _with_first(request, f"datatype {kind[:8]}", datatype=kind)


def _lie_about_shape(rng: np.random.Generator, request: Request) -> Request:
    sizes = (0, 1, 2, -1, 1 << 31, 1 << 62, -(1 << 63), 100)
    shape = tuple(any_of(rng, sizes) for _ in range(rng.integers(6)))
    return _with_first(request, "shape", shape=shape)


def _lie_about_sound_shape(rng: np.random.Generator, request: Request) -> Request:
    said, heard = request.tensors
    size = any_of(rng, (0, 1, -1, len(heard.content) - 1, len(heard.content) + 1, 1 << 40, 1 << 62))
    return replace(
        request, kind="lie: AUDIO's shape", tensors=(said, replace(heard, shape=(size,)))
    )


def _lie_about_length(rng: np.random.Generator, request: Request) -> Request:
    length = struct.pack("<I", any_of(rng, (0, 1, len(SENTENCE) + 1, 1 << 31, (1 << 32) - 1)))
    content = any_of(rng, (length + SENTENCE, length, length[:3], b"", length * 100))
    return _with_first(request, "a string's length", content=content)


def _lie_about_name(rng: np.random.Generator, request: Request) -> Request:
    name = any_of(rng, ("", "text", "SMELL", "TEXT\0", "TEXT" * 10_000, "AUDIO", "\u202e"))
    return _with_first(request, "an input's name", name=name)


def _lie_about_outputs(rng: np.random.Generator, request: Request) -> Request:
    names = any_of(rng, (("SMELL",), ("RESULT",) * 3, ("",), ("RESULT", "SMELL"), ("x" * 10_000,)))
    return replace(request, kind="lie: outputs", outputs=names)


def _lie_about_model(rng: np.random.Generator, request: Request) -> Request:
    model, version = any_of(
        rng,
        (
            ("recognize", "2"),
            ("recognize", "-1"),
            ("recognize", "one"),
            ("recognize", "9" * 30),
            ("", ""),
            ("../recognize", "1"),
            ("x" * 100_000, ""),
        ),
    )
    return replace(request, kind="lie: the model", model=model, version=version)


def _lie_about_parameters(rng: np.random.Generator, request: Request) -> Request:
    name, value = any_of(
        rng,
        (
            ("sequence_id", 1),
            ("sequence_id", "x" * 1_000),
            ("sequence_start", True),
            ("priority", -1),
            ("priority", 1 << 40),
            ("timeout", 1),
            ("timeout", -1),
            ("timeout", "soon"),
            ("binary_data_output", True),
            ("triton_enable_empty_final_response", True),
            ("anything", "x" * 10_000),
        ),
    )
    return replace(request, kind=f"parameter {name}", parameters={name: value})


def _leave_everything_out(rng: np.random.Generator, request: Request) -> Request:
    return replace(request, kind="lie: nothing at all", tensors=())


def _bring_twice(rng: np.random.Generator, request: Request) -> Request:
    return replace(
        request, kind="lie: an input twice", tensors=(*request.tensors, *request.tensors)
    )


LIES = (
    _lie_about_type,
    _lie_about_shape,
    _lie_about_sound_shape,
    _lie_about_length,
    _lie_about_name,
    _lie_about_outputs,
    _lie_about_model,
    _lie_about_parameters,
    _leave_everything_out,
    _bring_twice,
)

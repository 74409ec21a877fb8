"""Store weights in a byte each: rounded to 255 levels a row, widened again in the graph.

Only storage is narrow: ONNX Runtime widens the weights once when it loads the file.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

LEVELS = 127
#: Smaller tensors, and matrices whose rows share a scale among too few numbers, stay as they are.
SMALLEST = 1 << 16
NARROWEST = 64


def round_to_int8(module: nn.Module) -> None:
    """Round large matrices so that int8 holds them exactly; a row of a matrix shares its scale."""
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim == 2 and weight.numel() >= SMALLEST:
                weight.copy_(_rounded(weight))


def _rounded(weight: Tensor) -> Tensor:
    scale = weight.abs().amax(1, keepdim=True).clamp(min=1e-12) / LEVELS
    return (weight / scale).round() * scale


def store_int8(model: onnx.ModelProto) -> None:
    """Turn large float32 matrices into int8 ones, each with a cast and a scale behind it."""
    # The matrix of a MatMul is stored transposed, an embedding or a Gemm's as PyTorch has it.
    transposed = {node.input[1] for node in model.graph.node if node.op_type == "MatMul"}
    shared = {}
    for tensor in model.graph.initializer:
        dims = list(tensor.dims)
        if tensor.data_type != TensorProto.FLOAT or len(dims) != 2:
            continue
        if np.prod(dims) >= SMALLEST and min(dims) >= NARROWEST:
            shared[tensor.name] = (0,) if tensor.name in transposed else (1,)
    store_levels(model, shared)


def store_levels(model: onnx.ModelProto, shared: Mapping[str, tuple[int, ...]]) -> None:
    """Store float32 weights as int8 levels, each with a cast and a scale behind it.

    Args:
        model: Whose graph is changed.
        shared: The names of the weights, and the axes along which one scale holds.
    """
    graph, widening = model.graph, []
    for tensor in [tensor for tensor in graph.initializer if tensor.name in shared]:
        name, weight = tensor.name, numpy_helper.to_array(tensor)
        largest = np.abs(weight).max(axis=shared[name], keepdims=True)
        scale = np.maximum(largest, 1e-12) / LEVELS
        narrow = np.rint(weight / scale).astype(np.int8)
        tensor.CopyFrom(numpy_helper.from_array(narrow, f"{name}_int8"))
        graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale"))
        widening += [
            helper.make_node("Cast", [f"{name}_int8"], [f"{name}_levels"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_levels", f"{name}_scale"], [name]),
        ]
    for node in reversed(widening):
        graph.node.insert(0, node)

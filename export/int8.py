"""Store weights in a byte each: rounded to 255 levels a row, widened again in the graph.

Only storage is narrow: ONNX Runtime widens the weights once when it loads the file.
"""

from __future__ import annotations

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
    graph = model.graph
    # The matrix of a MatMul is stored transposed, an embedding or a Gemm's as PyTorch has it.
    transposed = {node.input[1] for node in graph.node if node.op_type == "MatMul"}
    widening = []
    for tensor in graph.initializer:
        dims = list(tensor.dims)
        if tensor.data_type != TensorProto.FLOAT or len(dims) != 2:
            continue
        if np.prod(dims) < SMALLEST or min(dims) < NARROWEST:
            continue
        name, weight = tensor.name, numpy_helper.to_array(tensor)
        axis = 0 if name in transposed else 1
        scale = np.maximum(np.abs(weight).max(axis, keepdims=True), 1e-12) / LEVELS
        narrow = np.rint(weight / scale).astype(np.int8)
        tensor.CopyFrom(numpy_helper.from_array(narrow, f"{name}_int8"))
        graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale"))
        widening += [
            helper.make_node("Cast", [f"{name}_int8"], [f"{name}_levels"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_levels", f"{name}_scale"], [name]),
        ]
    for node in reversed(widening):
        graph.node.insert(0, node)

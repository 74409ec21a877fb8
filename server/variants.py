"""Write the GPU variants of ONNX models: `python -m server.variants [REPOSITORY ...]`.

Triton's `--model-config-name` takes whole files alone, so `configs/gpu.pbtxt` and
`configs/tensorrt.pbtxt` are made from config.pbtxt, which stays the one place to change. Run this
after a change of config.pbtxt or model.onnx; `python -m server.lint` says when it is due.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import (
    ModelConfig,
    ModelInput,
    ModelInstanceGroup,
    ModelOptimizationPolicy,
    ModelWarmup,
)

from server.runtime import REPOSITORIES

#: Sizes of each free dimension: the least, the usual and the most that the models before it send.
#: The usual clip has 10 s and 4 faces a second; past rows double the most that a clip can have.
SIZES = {
    "IDS": (8, 16, 256),
    "GRAMS": (64, 64, 16_384),
    "FEATURES": (1, 40, 128),
    "VIDEO_FEATURES": (1, 40, 128),
    **dict.fromkeys(("VIDEO_AGE", "VIDEO_GENDER"), (1, 8, 128)),
    **dict.fromkeys(
        ("SPEECH_FEATURES", "SPEECH_EMOTION", "SPEECH_AGE", "SPEECH_GENDER", "SPEECH_WEIGHTS"),
        (1, 9, 120),
    ),
}
USUAL_BATCH = {"vgg_face": 40, "age_gender": 8, "speech_cnn": 9, "text_encoder": 1}
LEAST, USUAL, MOST = range(3)

#: Engines outlive the container in a volume that is mounted here.
ENGINES = "/var/cache/recogniser/tensorrt"

_ORIGIN = "# Written by `python -m server.variants` from config.pbtxt: change that one.\n"
_KEEPING = """\
# An engine is built when the model is first loaded, which takes minutes, and then kept under
# trt_engine_cache_path: mount a volume there. The folder bears the digest of model.onnx, since
# TensorRT would answer with the weights that it has kept.
"""


class UnknownSizeError(ValueError):
    """A model has a free dimension of which `SIZES` says nothing."""


def variants(config: ModelConfig, weights: bytes) -> dict[str, ModelConfig]:
    """The variants of an ONNX model.

    Args:
        config: The model's config.pbtxt.
        weights: Its ONNX file.

    Returns:
        By name: `gpu` runs on CUDA, `tensorrt` on TensorRT and on CUDA what TensorRT cannot. Both
        are warmed up, so that no request pays for a first time.

    Raises:
        UnknownSizeError: An input has a free dimension that is not in `SIZES`.
    """
    gpu = ModelConfig()
    gpu.CopyFrom(config)
    del gpu.instance_group[:], gpu.model_warmup[:]
    gpu.instance_group.append(ModelInstanceGroup(count=1, kind=ModelInstanceGroup.KIND_GPU))
    gpu.model_warmup.extend([_warmup("usual", gpu, USUAL), _warmup("largest", gpu, MOST)])
    # Threads are for the CPU.
    gpu.parameters.pop("intra_op_thread_count", None)
    tensorrt = ModelConfig()
    tensorrt.CopyFrom(gpu)
    accelerators = tensorrt.optimization.execution_accelerators.gpu_execution_accelerator
    accelerator = ModelOptimizationPolicy.ExecutionAccelerators.Accelerator(name="tensorrt")
    digest = hashlib.sha256(weights).hexdigest()[:12]
    accelerator.parameters.update(
        {
            "precision_mode": "FP16",
            "max_workspace_size_bytes": str(1 << 30),
            "trt_engine_cache_enable": "true",
            "trt_engine_cache_path": f"{ENGINES}/{config.name}-{digest}",
            "trt_profile_min_shapes": _profile(gpu, LEAST),
            "trt_profile_opt_shapes": _profile(gpu, USUAL),
            "trt_profile_max_shapes": _profile(gpu, MOST),
        }
    )
    accelerators.append(accelerator)
    return {"gpu": gpu, "tensorrt": tensorrt}


def write_variants(repository: Path) -> None:
    """Write the variants of every ONNX model in a repository that has its weights."""
    for file in sorted(repository.glob("*/config.pbtxt")):
        config = text_format.Parse(file.read_text(encoding="utf-8"), ModelConfig())
        weights = file.parent / "1" / (config.default_model_filename or "model.onnx")
        if config.backend != "onnxruntime" or not weights.is_file():
            continue
        folder = file.parent / "configs"
        folder.mkdir(exist_ok=True)
        for name, variant in variants(config, weights.read_bytes()).items():
            comment = _ORIGIN + _KEEPING * (name == "tensorrt")
            (folder / f"{name}.pbtxt").write_text(comment + _text(variant), encoding="utf-8")


def _text(config: ModelConfig) -> str:
    """A line for each tensor and setting, to be read and compared by people."""
    text = re.sub(r"\n(?=[ }])\s*", " ", text_format.MessageToString(config))
    return re.sub(r" (parameters|inputs) {", r"\n  \1 {", text)


def _warmup(name: str, config: ModelConfig, size: int) -> ModelWarmup:
    warmup = ModelWarmup(name=name, batch_size=_batch(config, size) or 1)
    for tensor in config.input:
        warmup.inputs[tensor.name].data_type = tensor.data_type
        warmup.inputs[tensor.name].dims.extend(_dims(config, tensor, size))
        warmup.inputs[tensor.name].zero_data = True
    return warmup


def _profile(config: ModelConfig, size: int) -> str:
    """As onnxruntime reads it, of the inputs that have a free dimension: `IDS:16x256,...`."""
    batch = [_batch(config, size)] if config.max_batch_size else []
    return ",".join(
        f"{tensor.name}:{'x'.join(map(str, [*batch, *_dims(config, tensor, size)]))}"
        for tensor in config.input
        if batch or -1 in tensor.dims
    )


def _batch(config: ModelConfig, size: int) -> int:
    return (1, USUAL_BATCH.get(config.name, 1), config.max_batch_size)[size]


def _dims(config: ModelConfig, tensor: ModelInput, size: int) -> Sequence[int]:
    if -1 in tensor.dims and tensor.name not in SIZES:
        raise UnknownSizeError(
            f"{config.name}: input {tensor.name} has a free dimension, of which server/variants.py "
            "does not say how large it becomes"
        )
    return [SIZES[tensor.name][size] if dim == -1 else dim for dim in tensor.dims]


def main(repositories: Iterable[str]) -> None:
    """Write the variants of the given repositories, or of this project's own."""
    for repository in [Path(one) for one in repositories] or REPOSITORIES:
        write_variants(repository)


if __name__ == "__main__":
    main(sys.argv[1:])

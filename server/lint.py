"""Check model repositories without a server: `python -m server.lint [REPOSITORY ...]`.

It finds what Triton would only say at load time, or never: folders without their files, an ONNX
file that differs from its config.pbtxt, a variant that no longer belongs to the two, and ensemble
steps whose tensors do not fit together. One line a problem; the exit code is 1 when there is any.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig, ModelInput, ModelOutput

from server.onnxruntime_backend.signature import differences, read_signature
from server.runtime import REPOSITORIES
from server.variants import UnknownSizeError, variants

Tensor = ModelInput | ModelOutput


def lint(repositories: Iterable[Path]) -> list[str]:
    """Check repositories that are served together.

    Args:
        repositories: Folders of model folders.

    Returns:
        The problems, a sentence each; empty when there are none.
    """
    folders = [folder for path in repositories for folder in sorted(path.iterdir())]
    problems, configs = [], {}
    for folder in folders:
        try:
            configs[folder.name] = read_config(folder / "config.pbtxt")
        except (OSError, text_format.ParseError) as error:
            problems.append(f"{folder.name}: config.pbtxt cannot be read: {error}")
    for folder in folders:
        if folder.name in configs:
            config = configs[folder.name]
            problems += _folder_problems(folder, config)
            problems += _variant_problems(folder, config)
            problems += _ensemble_problems(config, configs)
    return problems


def read_config(path: Path) -> ModelConfig:
    """Parse a config.pbtxt.

    Raises:
        OSError: There is no such file.
        google.protobuf.text_format.ParseError: It is not a model configuration.
    """
    return text_format.Parse(path.read_text(encoding="utf-8"), ModelConfig())


def _folder_problems(folder: Path, config: ModelConfig) -> Iterator[str]:
    name = folder.name
    if config.name != name:
        yield f"{name}: config.pbtxt names the model {config.name!r}, the folder {name!r}"
    version = folder / "1"
    if not version.is_dir():
        yield f"{name}: the version folder 1 is missing"
    elif config.backend == "python" and not (version / "model.py").is_file():
        yield f"{name}: 1/model.py is missing"
    elif config.backend == "onnxruntime":
        file = version / (config.default_model_filename or "model.onnx")
        if not file.is_file():
            yield f"{name}: 1/{file.name} is missing"
        else:
            yield from differences(config, read_signature(file))
    if config.platform != "ensemble" and not any(group.count for group in config.instance_group):
        yield f"{name}: instance_group sets no count, so Triton would choose"


def _variant_problems(folder: Path, base: ModelConfig) -> Iterator[str]:
    """Variants are written from config.pbtxt and the weights: neither may have changed since."""
    paths = sorted(folder.glob("configs/*.pbtxt"))
    weights = folder / "1" / (base.default_model_filename or "model.onnx")
    if not paths or not weights.is_file():
        return
    try:
        expected = variants(base, weights.read_bytes())
    except UnknownSizeError as error:
        yield str(error)
        return
    for path in paths:
        if path.stem not in expected:
            continue
        found, wanted = read_config(path), expected[path.stem]
        fields = (field.name for field in ModelConfig.DESCRIPTOR.fields)
        differing = [name for name in fields if getattr(found, name) != getattr(wanted, name)]
        if differing:
            yield (
                f"{folder.name}: configs/{path.name} does not belong to config.pbtxt and "
                f"{weights.name} in {', '.join(differing)}: run `python -m server.variants`"
            )


def _ensemble_problems(config: ModelConfig, configs: dict[str, ModelConfig]) -> Iterator[str]:
    """Follow every tensor of an ensemble from who makes it to who reads it."""
    if config.platform != "ensemble":
        return
    made = {tensor.name: (f"input {tensor.name}", tensor, False) for tensor in config.input}
    read = []
    for step in config.ensemble_scheduling.step:
        if step.model_name not in configs:
            yield f"{config.name}: step {step.model_name} is in none of the repositories"
            continue
        model = configs[step.model_name]
        inputs = {tensor.name: tensor for tensor in model.input}
        outputs = {tensor.name: tensor for tensor in model.output}
        batched = model.max_batch_size > 0
        yield from _map_problems(config.name, step, inputs, outputs)
        for key, value in step.output_map.items():
            if key in outputs:
                made[value] = (f"{model.name}.{key}", outputs[key], batched)
        for key, value in step.input_map.items():
            if key in inputs:
                read.append((value, f"{model.name}.{key}", inputs[key], batched))
    read += [(tensor.name, f"output {tensor.name}", tensor, False) for tensor in config.output]
    for name, reader, tensor, batched in read:
        if name not in made:
            yield f"{config.name}: {reader} reads {name}, which no step makes"
            continue
        maker, source, source_batched = made[name]
        yield from _link_problems(
            config.name, (maker, source, source_batched), (reader, tensor, batched)
        )


def _map_problems(name: str, step, inputs: dict, outputs: dict) -> Iterator[str]:
    for kind, mapped, known in (
        ("input", step.input_map, inputs),
        ("output", step.output_map, outputs),
    ):
        for key in sorted(mapped.keys() - known.keys()):
            yield f"{name}: step {step.model_name} has no {kind} {key}"
    required = {key for key, tensor in inputs.items() if not tensor.optional}
    for key in sorted(required - step.input_map.keys()):
        yield f"{name}: step {step.model_name} is not given its input {key}"


def _link_problems(name: str, source: tuple, target: tuple) -> Iterator[str]:
    (maker, made, made_batched), (reader, read, read_batched) = source, target
    link = f"{name}: {maker} -> {reader}"
    if made.data_type != read.data_type:
        kinds = DataType.Name(made.data_type), DataType.Name(read.data_type)
        yield f"{link}: {kinds[0]} is not {kinds[1]}"
    shapes = _shape(made, made_batched), _shape(read, read_batched)
    if len(shapes[0]) != len(shapes[1]) or any(
        a != b and -1 not in (a, b) for a, b in zip(*shapes, strict=True)
    ):
        yield f"{link}: {shapes[0]} does not fit {shapes[1]}"
    if getattr(made, "optional", False) and not getattr(read, "optional", True):
        yield f"{link}: an optional input feeds one that is required"


def _shape(tensor: Tensor, batched: bool) -> list[int]:
    return [-1, *tensor.dims] if batched else list(tensor.dims)


def main(arguments: list[str]) -> int:
    """Lint the given repositories, or this project's own two."""
    problems = lint([Path(argument) for argument in arguments] or REPOSITORIES)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

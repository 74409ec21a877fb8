"""Run several requests as one batch and give each its own rows back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Tensors = dict[str, np.ndarray]
Run = Callable[[Tensors], Tensors]


class InferenceError(RuntimeError):
    """The network refused its inputs or failed on them."""


def run_requests(
    run: Run, requests: Sequence[Tensors], batched: bool
) -> list[Tensors | InferenceError]:
    """Answer every request; a request that fails does not fail the others.

    Args:
        run: The network: named inputs to named outputs. Raises InferenceError.
        requests: The named inputs of each request. When batched, axis 0 is the batch.
        batched: Whether requests whose rows have equal shapes may share an execution.

    Returns:
        For each request, in order, its named outputs or what went wrong with it.
    """
    if not batched:
        return [_run_alone(run, request) for request in requests]
    answers: dict[int, Tensors | InferenceError] = {}
    for indices in _group_by_row_shape(requests):
        group = [requests[index] for index in indices]
        answers |= zip(indices, _run_together(run, group), strict=True)
    return [answers[index] for index in range(len(requests))]


def _run_alone(run: Run, request: Tensors) -> Tensors | InferenceError:
    try:
        return run(request)
    except InferenceError as error:
        return error


def _run_together(run: Run, requests: Sequence[Tensors]) -> list[Tensors | InferenceError]:
    if len(requests) == 1:
        return [_run_alone(run, requests[0])]
    rows = [_rows(request) for request in requests]
    names = requests[0].keys()
    try:
        outputs = run({name: np.concatenate([r[name] for r in requests]) for name in names})
        return _split(outputs, rows)
    except InferenceError:
        # One request may have spoilt the batch: let each answer for itself.
        return [_run_alone(run, request) for request in requests]


def _split(outputs: Tensors, rows: Sequence[int]) -> list[Tensors]:
    for name, tensor in outputs.items():
        if tensor.ndim == 0 or len(tensor) != sum(rows):
            raise InferenceError(
                f"output {name} has shape {list(tensor.shape)} for a batch of {sum(rows)} rows"
            )
    ends = np.cumsum(rows)
    return [
        {name: tensor[end - count : end] for name, tensor in outputs.items()}
        for count, end in zip(rows, ends, strict=True)
    ]


def _rows(request: Tensors) -> int:
    return len(next(iter(request.values())))


def _group_by_row_shape(requests: Sequence[Tensors]) -> list[list[int]]:
    groups: dict[tuple, list[int]] = {}
    for index, request in enumerate(requests):
        key = tuple((name, tensor.shape[1:]) for name, tensor in sorted(request.items()))
        groups.setdefault(key, []).append(index)
    return list(groups.values())

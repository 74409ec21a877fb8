"""A seeded, resumable training loop that every network shares.

It runs where PyTorch makes its tensors, which `command.start` sets by `--device`. `here` brings
data there; a network that is made there is there.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm, trange

from training.pictures import draw_curves

Network = TypeVar("Network", bound=nn.Module)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        epochs: Passes over the data.
        batch: Examples a step.
        rate: The peak of the one-cycle learning rate.
        decay: Weight decay.
        optimiser: "sgd" (Nesterov momentum 0.9) or "adamw".
        seed: Seeds the weights, the order and the augmentation.
        bfloat16: Multiply in bfloat16 where that is faster; see `multiply_fast`. Elsewhere, and
            without it, in float32, or in TF32 on a graphics card that has it.
        rise: The part of the steps in which the learning rate rises.
        memory: The trained network is a running mean of the weights: each step keeps this share of
            what the mean was, and fewer of the first ones. 0: the last weights.
        uphill: How far all weights together are moved towards a greater loss before the gradient
            that counts is taken there, which finds flatter minima: the rho of sharpness-aware
            minimisation (arXiv 2010.01412). 0 takes it where they are, in half the time.
    """

    epochs: int
    batch: int
    rate: float
    decay: float
    optimiser: str = "adamw"
    seed: int = 0
    bfloat16: bool = False
    rise: float = 0.25
    memory: float = 0.0
    uphill: float = 0.0


def here(values: np.ndarray | Tensor) -> Tensor:
    """Bring an array or a tensor to where networks are trained, in its own type.

    Data stay 8-bit there and are widened batch by batch: a face of 48 pixels takes 2 kB so, 9 in
    float32. What comes back to NumPy goes through `Tensor.numpy(force=True)`.
    """
    return torch.as_tensor(values, device=torch.get_default_device())


def multiply_fast(wanted: bool = True) -> torch.autocast:
    """Multiply in bfloat16, all else in float32, where that is faster.

    So it is on processors with AMX or AVX-512 BF16, on which a step takes a third of the time, and
    on graphics cards that have it; others emulate bfloat16, which takes longer.
    """
    kind = torch.get_default_device().type
    if kind == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = torch.cpu.get_capabilities()
        fast = able.get("amx_bf16", False) or able.get("avx512_bf16", False)
    return torch.autocast(kind, torch.bfloat16, enabled=wanted and fast)


def _optimiser(network: nn.Module, schedule: Schedule) -> torch.optim.Optimizer:
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    if schedule.optimiser == "sgd":
        return torch.optim.SGD(
            weights, schedule.rate, momentum=0.9, weight_decay=schedule.decay, nesterov=True
        )
    return torch.optim.AdamW(weights, schedule.rate, weight_decay=schedule.decay)


def shuffled_batches(count: int, batch: int) -> Iterator[Tensor]:
    """Yield the indices 0..count-1 in random order, `batch` at a time, without a short rest."""
    order = torch.randperm(count)
    for start in range(0, count - count % batch or count, batch):
        yield order[start : start + batch]


def fit(
    network: nn.Module,
    count: int,
    loss: Callable[[Tensor], Tensor],
    evaluate: Callable[[], dict[str, float]],
    schedule: Schedule,
    folder: Path,
) -> None:
    """Train `network` in place; continue from `folder/last.pt` when that exists.

    Args:
        network: Trained in place; left in evaluation mode with the last epoch's weights.
        count: Number of training examples.
        loss: Maps a batch of example indices [batch] to a scalar to minimise.
        evaluate: Measures the network, in evaluation mode, after each epoch.
        schedule: How long and how fast.
        folder: Receives `last.pt`, `log.csv` and the learning curves, `curves.png`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network.to(torch.get_default_device())
    steps = max(1, count // schedule.batch)
    optimiser = _optimiser(network, schedule)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        schedule.rate,
        total_steps=steps * schedule.epochs + 1,
        pct_start=schedule.rise,
    )
    mean = _RunningMean(network, schedule.memory)
    first = _resume(folder / "last.pt", network, mean, optimiser, cycle)
    rows = _read_log(folder / "log.csv", first)
    # disable=None: no bars in a log file.
    epochs = trange(schedule.epochs, desc=folder.name, initial=first, unit="epoch", disable=None)
    for epoch in range(first, schedule.epochs):
        # Seeding each epoch makes a resumed training equal to an uninterrupted one.
        torch.manual_seed(schedule.seed * 1_000 + epoch)
        network.train()
        batches = shuffled_batches(count, schedule.batch)
        total = 0.0
        title = f"epoch {epoch + 1}/{schedule.epochs}"
        for indices in tqdm(batches, title, steps, leave=False, disable=None):
            optimiser.zero_grad(set_to_none=True)
            total += _differentiate(network, loss, indices, schedule)
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            cycle.step()
            mean.follow(cycle.last_epoch)
        network.eval()
        mean.swap()
        with torch.no_grad():
            row = {"epoch": epoch + 1, "loss": total / steps, **evaluate()}
        state = {
            "epoch": epoch + 1,
            "network": network.state_dict(),
            "latest": mean.weights,
            "optimiser": optimiser.state_dict(),
            "cycle": cycle.state_dict(),
        }
        _save(state, folder)
        if epoch + 1 < schedule.epochs:
            mean.swap()
        rows.append(row)
        _write_log(folder / "log.csv", rows)
        draw_curves(folder / "curves.png", rows)
        log.info(" ".join(f"{name} {value:.4g}" for name, value in row.items()))
        epochs.update()
    epochs.close()
    network.eval()


class _RunningMean:
    """A running mean of a network's weights; without memory there is none, and nothing happens.

    Attributes:
        weights: The mean by the weights' names; after a `swap` the network's own.
    """

    def __init__(self, network: nn.Module, memory: float) -> None:
        self._network, self._memory = network, memory
        named = network.named_parameters() if memory else ()
        self.weights = {name: weight.detach().clone() for name, weight in named}

    def follow(self, steps: int) -> None:
        """Take in the weights after so many steps."""
        # The first ones are far from where the mean should be, and soon forgotten.
        kept = min(self._memory, steps / (steps + 10))
        with torch.no_grad():
            for name, mean in self.weights.items():
                mean.lerp_(self._network.get_parameter(name), 1 - kept)

    def swap(self) -> None:
        """Give the network the mean and keep its own weights, or the other way round."""
        held = self.weights
        self.weights = {name: self._network.get_parameter(name).detach().clone() for name in held}
        with torch.no_grad():
            for name, weight in held.items():
                self._network.get_parameter(name).copy_(weight)

    def resume(self, latest: dict[str, Tensor]) -> None:
        """Take the network's weights for the mean, and give it those that it had besides."""
        if self.weights:
            self.weights = {name: weight.to(self.weights[name]) for name, weight in latest.items()}
            self.swap()


def _differentiate(
    network: nn.Module, loss: Callable[[Tensor], Tensor], indices: Tensor, schedule: Schedule
) -> float:
    """Leave the gradients of a step in the weights; return the loss where they are."""

    def backward() -> float:
        with multiply_fast(schedule.bfloat16):
            value = loss(indices)
        value.backward()
        return value.item()

    if not schedule.uphill:
        return backward()
    # Forked, so that the same augmentation and dropout come again.
    with torch.random.fork_rng():
        total = backward()
    with _uphill(network, schedule.uphill):
        backward()
    return total


@contextmanager
def _uphill(network: nn.Module, distance: float) -> Iterator[None]:
    """Move the weights along their gradients, which are then forgotten, and back at the end."""
    weights = [weight for weight in network.parameters() if weight.grad is not None]
    length = torch.stack([weight.grad.norm() for weight in weights]).norm() + 1e-12
    steps = [weight.grad * (distance / length) for weight in weights]
    network.zero_grad(set_to_none=True)
    # Running means are of the weights that stay.
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    _move(weights, steps, 1.0)
    for norm in norms:
        norm.momentum = 0.0
    yield
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    _move(weights, steps, -1.0)


def _move(weights: list[nn.Parameter], steps: list[Tensor], share: float) -> None:
    with torch.no_grad():
        for weight, step in zip(weights, steps, strict=True):
            weight.add_(step, alpha=share)


def keep(network: nn.Module, folder: Path) -> None:
    """Put a network's present weights into the last checkpoint of its training."""
    state = checkpoint(folder / "last.pt")
    _save(state | {"network": network.state_dict()}, folder)


def checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint on any machine, also one that was written on a graphics card.

    Networks and optimisers bring what they take out of it to where they are.
    """
    return torch.load(path, map_location="cpu", weights_only=True)


def _save(state: dict[str, object], folder: Path) -> None:
    """Write `last.pt`; an older one stays until the new one is whole."""
    partial = folder / "last.pt.partial"
    torch.save(state, partial)
    partial.replace(folder / "last.pt")


def trained(network: Network, folder: Path) -> Network:
    """Load the last checkpoint of a training.

    Raises:
        FileNotFoundError: The network has not been trained yet.
    """
    path = folder / "last.pt"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: train the network first")
    network.load_state_dict(checkpoint(path)["network"])
    return network.eval()


def _resume(
    path: Path,
    network: nn.Module,
    mean: _RunningMean,
    optimiser: torch.optim.Optimizer,
    cycle: torch.optim.lr_scheduler.LRScheduler,
) -> int:
    """Restore everything from a checkpoint; return the number of finished epochs."""
    if not path.exists():
        return 0
    state = checkpoint(path)
    network.load_state_dict(state["network"])
    mean.resume(state["latest"])
    optimiser.load_state_dict(state["optimiser"])
    cycle.load_state_dict(state["cycle"])
    log.info("continuing %s after epoch %d", path, state["epoch"])
    return state["epoch"]


def _read_log(path: Path, epochs: int) -> list[dict[str, float]]:
    """Read the rows of the finished epochs."""
    if not epochs or not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [
            {name: float(cell) for name, cell in row.items() if cell}
            for row in csv.DictReader(file)
        ]
    return [{**row, "epoch": int(row["epoch"])} for row in rows if row["epoch"] <= epochs]


def _write_log(path: Path, rows: list[dict[str, float]]) -> None:
    # An older log may hold figures that are no longer taken, or lack new ones.
    names = dict.fromkeys(name for row in rows for name in row)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(names))
        writer.writeheader()
        writer.writerows(rows)

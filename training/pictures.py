"""Pictures of a training: its learning curves and, at its end, who was taken for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training import metrics

PANEL = 4.2
#: On this share of its class a cell is dark, and its figure is written in white.
DARK = 0.5


def draw_curves(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Draw each figure of a training log over the epochs, in a panel of its own.

    Args:
        path: The PNG to write.
        rows: An epoch each: `epoch` and any figures.
    """
    names = [name for name in rows[-1] if name != "epoch"]
    epochs = [row["epoch"] for row in rows]
    figure = _figure(len(names), PANEL * 0.7)
    for axes, name in zip(figure.axes, names, strict=True):
        axes.plot(epochs, [row.get(name, np.nan) for row in rows], marker=".", color="tab:blue")
        axes.set_title(name.replace("_", " "), fontsize=10)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=100)


def draw_confusions(
    path: Path, parts: Mapping[str, tuple[np.ndarray, np.ndarray]], classes: Sequence[str]
) -> None:
    """Draw a confusion matrix for each part of the data, side by side.

    Args:
        path: The PNG to write.
        parts: Name of a part, e.g. "dev", to true and guessed class indices [N].
        classes: The name of each index.
    """
    figure = _figure(len(parts), PANEL)
    for axes, (name, (truth, guess)) in zip(figure.axes, parts.items(), strict=True):
        counts = metrics.confusion(truth, guess, len(classes))
        _draw_matrix(axes, counts, classes)
        axes.set_title(f"{name}, n = {counts.sum()}", fontsize=10)
    figure.savefig(path, dpi=100)


def _draw_matrix(axes: Axes, counts: np.ndarray, classes: Sequence[str]) -> None:
    """Shade by the share of the true class, and write the counts."""
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > DARK else "black"
        axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(classes)), classes, fontsize=8)
    axes.set_xlabel("guess")
    axes.set_ylabel("truth")


def _figure(panels: int, height: float) -> Figure:
    """Make a figure with a row of panels; no window and no state outside it."""
    figure = Figure((PANEL * panels, height), layout="constrained")
    figure.subplots(1, panels)
    return figure

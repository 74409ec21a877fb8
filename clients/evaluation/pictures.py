"""Pictures of a run: confusion matrices, reliability diagrams and ages."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clients.contract import EMOTIONS
from clients.evaluation import metrics
from clients.evaluation.asking import SOURCES
from clients.evaluation.figures import (
    Answers,
    Pairs,
    age_answers,
    emotion_answers,
    gender_answers,
    groups_of,
)
from clients.evaluation.manifest import GENDERS

PANEL_INCHES = 4.4


def save_pictures(pairs: Pairs, folder: Path) -> list[Path]:
    """Draw all samples, and each corpus when there are several, with a panel for each source.

    Args:
        pairs: Samples and their outcomes.
        folder: Receives `<what>.png`, and `<what>_<corpus>.png`; what no label is known of is
            not drawn.

    Returns:
        The files.
    """
    kinds: dict[str, tuple[Callable, Callable]] = {
        "emotion_confusion": (emotion_answers, partial(_draw_confusion, labels=EMOTIONS)),
        "emotion_reliability": (emotion_answers, _draw_reliability),
        "gender_confusion": (gender_answers, partial(_draw_confusion, labels=GENDERS)),
        "gender_reliability": (gender_answers, _draw_reliability),
        "age": (age_answers, _draw_ages),
    }
    corpora = groups_of(pairs)["corpus"]
    files = []
    for group, members in {"all": pairs, **(corpora if len(corpora) > 1 else {})}.items():
        for kind, (answers_of, draw) in kinds.items():
            panels = {source: answers_of(members, source).answered for source in SOURCES}
            panels = {source: one for source, one in panels.items() if len(one.truth)}
            if panels:
                files.append(folder / f"{kind}{_suffix(group)}.png")
                _figure(panels, draw, group).savefig(files[-1], dpi=110)
    return files


def _suffix(group: str) -> str:
    return "" if group == "all" else "_" + re.sub(r"\W+", "-", group.removeprefix("corpus "))


def _figure(panels: dict[str, Answers], draw: Callable, group: str) -> Figure:
    # Titles need the room above panels whose aspect is fixed.
    size = (PANEL_INCHES * len(panels), PANEL_INCHES + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    places = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (source, answers) in zip(places, panels.items(), strict=True):
        draw(axes, answers)
        axes.set_title(f"{source}, {group}, n = {len(answers.truth)}", fontsize=10)
    return figure


def _draw_confusion(axes: Axes, answers: Answers, labels: tuple[str, ...]) -> None:
    counts = metrics.confusion(answers.truth, answers.decision, len(labels))
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=7)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set(xlabel="answer", ylabel="truth; shade: share of the row")


def _draw_reliability(axes: Axes, answers: Answers) -> None:
    bins = metrics.reliability(answers.truth, answers.guess)
    confidence, right, share = bins[bins[:, 2] > 0].T
    edges = np.linspace(0, 1, len(bins) + 1)
    axes.bar(edges[:-1], bins[:, 2], 1 / len(bins), align="edge", color="#d5dde8", label="share")
    axes.plot([0, 1], [0, 1], color="#6b7280", linestyle="--", linewidth=1)
    axes.plot(confidence, right, marker="o", markersize=4, color="#2f6db5", label="accuracy")
    error = float((np.abs(right - confidence) * share).sum())
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy, share of samples")
    axes.legend(title=f"calibration error {error:.3f}", loc="upper left", fontsize=8)


def _draw_ages(axes: Axes, answers: Answers) -> None:
    top = 1.05 * max(answers.truth.max(), answers.guess.max(), 10)
    line = np.array([0, top])
    axes.fill_between(line, line - 5, line + 5, color="#d5dde8", label="within 5 years")
    axes.plot(answers.truth, answers.guess, ".", markersize=3, alpha=0.5, color="#2f6db5")
    axes.set(xlim=(0, top), ylim=(0, top), xlabel="age in years", ylabel="answer in years")
    axes.legend(loc="upper left", fontsize=8)

"""A repository folder of one's own: the project's models with other weights."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

MODEL_REPOSITORY = Path(__file__).resolve().parent.parent / "model_repository"
WEIGHTS = "model.onnx"
#: What was measured of the project's own networks; others err otherwise.
DECISION = "decision.json"
MEASURED = {"age_intervals.json", DECISION}
CARD = """# {model}

Weights of our own, exported from `{checkpoints}`{quick}. Network and tensors are those of the
default profile, of which the project's `model_repository/{model}/README.md` tells.

To be written before anybody uses it: the data and their licence, the splits, the figures on `test`
(`python clients/evaluate.py`) by gender and age, and what it must not be used for.
"""


class RepositoryError(ValueError):
    """A folder cannot become a model repository."""


def is_own(repository: Path) -> bool:
    """Tell whether a folder is the one that the project commits."""
    return repository.resolve() == MODEL_REPOSITORY


def prepare(repository: Path, models: Collection[str]) -> None:
    """Copy the project's models into a new folder, save the weights and cards of `models`.

    What was measured of the project's networks is left out as well.
    Links between the models' folders stay links. An earlier copy is left as it is.

    Raises:
        RepositoryError: The folder holds something else.
    """
    if (repository / "recognize" / "config.pbtxt").exists():
        return
    if repository.exists() and any(repository.iterdir()):
        raise RepositoryError(f"{repository} is neither empty nor a copy of {MODEL_REPOSITORY}")

    def left_out(folder: str, names: list[str]) -> set[str]:
        model = Path(folder).relative_to(MODEL_REPOSITORY).parts[:1]
        dropped = {"__pycache__", *MEASURED}
        if model and model[0] in models:
            dropped |= {WEIGHTS, "README.md"}
        return dropped & set(names)

    partial = repository.with_name(f"{repository.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(MODEL_REPOSITORY, partial, symlinks=True, ignore=left_out)
    if repository.exists():
        repository.rmdir()
    partial.replace(repository)


def write_card(repository: Path, model: str, checkpoints: Path, quick: bool) -> None:
    """Say of a model where its weights come from, and what their owner must still say."""
    recognises = " by `--quick`: **it recognises nothing**" if quick else ""
    card = CARD.format(model=model, checkpoints=checkpoints, quick=recognises)
    (repository / model / "README.md").write_text(card, encoding="utf-8")

"""Attention weights that ignore padded rows exactly."""

from __future__ import annotations

import torch
from torch import Tensor

#: Keeps the quotient finite when no row is present; far below float32's rounding otherwise.
_NOTHING = 1e-30
#: A score that nothing real has: exp of its distance to one is 0. float16, which TensorRT may use,
#: holds it.
FAR_BELOW = -1e4


def masked_weights(scores: Tensor, present: Tensor) -> Tensor:
    """Softmax over the last axis among present rows only.

    Args:
        scores: [...,T], finite where present; anything, even NaN, elsewhere.
        present: 1 where a row counts, 0 where it is padding; broadcasts against `scores`.

    Returns:
        [...,T], exactly 0 where absent; all 0 when nothing is present.
    """
    scores = torch.where(present > 0, scores, torch.full_like(scores, FAR_BELOW))
    raised = torch.exp(scores - scores.amax(-1, keepdim=True)) * present
    return raised / (raised.sum(-1, keepdim=True) + _NOTHING)


def rows_present(rows: Tensor, counts: Tensor) -> Tensor:
    """Mark the first `counts` rows.

    Args:
        rows: [B,T,D]; only its T is used.
        counts: int [B], 0..T; a larger count marks all rows.

    Returns:
        float [B,T,1], 1 or 0.
    """
    positions = torch.arange(rows.shape[1], device=rows.device)
    return (positions.unsqueeze(0) < counts.unsqueeze(1)).to(torch.float32).unsqueeze(-1)

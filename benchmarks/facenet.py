"""facenet-pytorch's own MTCNN, as it comes: the detector that the peer runs.

The package wants two names of torchvision, whose build must match PyTorch's. Where torchvision is
missing they are made here: non-maximum suppression by OpenCV, which like torchvision's runs in C++,
and a function that detection never calls.
"""

from __future__ import annotations

import sys
from types import ModuleType

import cv2
import torch
from torch import Tensor


def load_mtcnn(**settings: object) -> torch.nn.Module:
    """Make facenet-pytorch's detector; without settings it is as published.

    Args:
        **settings: Arguments of `facenet_pytorch.MTCNN`.

    Returns:
        The detector. `detect(pictures)` takes RGB uint8 [n, height, width, 3] or [height, width, 3]
        and gives boxes [faces, 4] and probabilities [faces] of each, None where there is no face.

    Raises:
        ModuleNotFoundError: facenet-pytorch is not installed.
    """
    try:
        import torchvision  # noqa: F401
    except ImportError:
        _stand_in_for_torchvision()
    from facenet_pytorch import MTCNN

    return MTCNN(**settings)


def batched_nms(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> Tensor:
    """Suppress overlapping boxes of each group, as torchvision.ops.batched_nms.

    Args:
        boxes: `x1, y1, x2, y2`, float [n, 4].
        scores: float [n], above 0.
        groups: Which group each box is of, int [n].
        threshold: The greatest intersection over union of two kept boxes.

    Returns:
        The indices of the kept boxes, the most probable one first, int64 [k].
    """
    if not len(boxes):
        return torch.empty(0, dtype=torch.int64)
    # Groups are moved so far apart that none overlaps another.
    apart = boxes + (groups.to(boxes) * (boxes.max() - boxes.min() + 1))[:, None]
    corner, size = apart[:, :2], apart[:, 2:] - apart[:, :2]
    rectangles = torch.cat([corner, size], dim=1).double().numpy()
    kept = cv2.dnn.NMSBoxes(rectangles, scores.numpy(), 0.0, threshold)
    return torch.as_tensor(kept, dtype=torch.int64)


def _stand_in_for_torchvision() -> None:
    names = ("", ".transforms", ".transforms.functional", ".ops", ".ops.boxes")
    modules = {f"torchvision{name}": ModuleType(f"torchvision{name}") for name in names}
    modules["torchvision.transforms"].functional = modules["torchvision.transforms.functional"]
    modules["torchvision.ops.boxes"].batched_nms = batched_nms
    sys.modules.update(modules)

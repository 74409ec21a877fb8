"""face-api's format of weights is read as its manifest describes it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs PyTorch (requirements/export.txt)")

from training.face_api import PACKAGE, age_gender_state, tensors


def test_rounded_and_plain_tensors_are_cut_in_order():
    entries = [
        {
            "name": "rounded",
            "shape": [2, 2],
            "dtype": "float32",
            "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0},
        },
        {"name": "plain", "shape": [2], "dtype": "float32"},
    ]
    data = bytes([0, 1, 2, 255]) + np.array([3.5, -4.0], np.float32).tobytes()
    read = tensors(entries, data)
    np.testing.assert_array_equal(read["rounded"], [[-1.0, -0.5], [0.0, 126.5]])
    np.testing.assert_array_equal(read["plain"], [3.5, -4.0])


def test_a_missing_package_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=PACKAGE):
        age_gender_state(tmp_path)

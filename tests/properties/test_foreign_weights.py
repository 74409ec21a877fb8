"""Word vectors that somebody hands over: a spoilt pickle is refused by its name."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.hostile.mutations import mutate
from export.flagship.errors import SourceError
from export.flagship.word2vec import WIDTH, read_word2vec


@pytest.fixture(scope="module")
def vectors() -> bytes:
    """Pickle what is no model, of the classes that one is made of."""
    return pickle.dumps({"wv": np.ones((2, WIDTH), np.float32), "words": ["가", "나"]}, protocol=2)


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_spoilt_vectors_are_refused_with_the_files_name(tmp_path, vectors, number):
    _, data = mutate(np.random.default_rng(number), vectors, vectors[::-1])
    assert_refused(tmp_path, data)


@given(st.binary(max_size=100))
def test_any_bytes_are_refused_with_the_files_name(tmp_path, data):
    assert_refused(tmp_path, data)


def assert_refused(tmp_path, data: bytes):
    file = tmp_path / "w2v.model"
    file.write_bytes(data)
    with pytest.raises(SourceError, match=r"w2v\.model"):
        read_word2vec(file)

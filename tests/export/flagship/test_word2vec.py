"""Word2Vec models of gensim 3 and 4 are read without gensim, and nothing in them is run."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from export.flagship.errors import SourceError
from export.flagship.word2vec import read_word2vec
from tests.export.flagship.originals import MORPHEMES, write_word2vec

TABLE = np.random.default_rng(0).random((3, 200), np.float32)
WORDS = ["나", "는", "지금"]


@pytest.fixture
def gensim_3(monkeypatch) -> ModuleType:
    """Make the classes under whose names gensim 3 pickled."""
    made = ModuleType("gensim.models")
    for module, *names in (
        ("gensim.models.word2vec", "Word2Vec"),
        ("gensim.models.keyedvectors", "Word2VecKeyedVectors", "Vocab"),
    ):
        home = ModuleType(module)
        for name in names:
            kind = type(name, (), {"__module__": module})
            setattr(made, name, kind)
            setattr(home, name, kind)
        monkeypatch.setitem(sys.modules, module, home)
    for module in ("gensim", "gensim.models"):
        monkeypatch.setitem(sys.modules, module, made)
    return made


def saved(gensim: ModuleType, file: Path, **vectors: object) -> Path:
    model, keyed, vocabulary = gensim.Word2Vec(), gensim.Word2VecKeyedVectors(), gensim.Vocab()
    vocabulary.count = 5
    keyed.vocab = dict.fromkeys(WORDS, vocabulary)
    keyed.index2word = WORDS
    vars(keyed).update(vectors)
    model.wv, model.random = keyed, np.random.RandomState(1)
    file.write_bytes(pickle.dumps(model, protocol=2))
    return file


def test_a_model_of_gensim_3_is_read(gensim_3, tmp_path):
    found = read_word2vec(saved(gensim_3, tmp_path / "5Y_w2v.model", vectors=TABLE))
    assert found.words == WORDS
    np.testing.assert_array_equal(found.table, TABLE)


def test_large_vectors_are_read_from_the_file_beside(gensim_3, tmp_path):
    file = saved(gensim_3, tmp_path / "5Y_w2v.model", vectors=None)
    np.save(tmp_path / "5Y_w2v.model.wv.vectors.npy", TABLE)
    np.testing.assert_array_equal(read_word2vec(file).table, TABLE)


def test_a_model_that_gensim_saves_today_is_read(tmp_path):
    models = pytest.importorskip("gensim.models", reason="needs requirements/flagship.txt")
    file = write_word2vec(tmp_path)
    found, wanted = read_word2vec(file), models.Word2Vec.load(str(file)).wv
    assert sorted(found.words) == sorted(MORPHEMES)
    for word, vector in zip(found.words, found.table, strict=True):
        np.testing.assert_array_equal(vector, wanted[word])


def test_vectors_of_another_width_are_refused(gensim_3, tmp_path):
    file = saved(gensim_3, tmp_path / "5Y_w2v.model", vectors=TABLE[:, :100])
    with pytest.raises(SourceError, match=r"5Y_w2v\.model: vectors have shape \[3, 100\]"):
        read_word2vec(file)


def test_a_truncated_model_is_named(gensim_3, tmp_path):
    file = saved(gensim_3, tmp_path / "5Y_w2v.model", vectors=TABLE)
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(SourceError, match=r"5Y_w2v\.model: is refused"):
        read_word2vec(file)

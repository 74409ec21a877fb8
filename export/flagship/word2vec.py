"""Read a Word2Vec model that gensim saved, without gensim and without running what a pickle holds.

gensim pickles whole objects. Here every class of gensim becomes an empty shell that only keeps its
attributes; numpy's arrays are the only objects that are really made.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.core.multiarray import _reconstruct, scalar

from export.flagship.errors import SourceError

#: A morpheme is a vector of this length.
WIDTH = 200


def _bytes(text: str, encoding: str) -> bytes:
    """Make bytes as pickles of protocol 2, which gensim 3 wrote, hold them."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it would encode by {encoding}")
    return text.encode(encoding)


_MADE = {
    ("_codecs", "encode"): _bytes,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): scalar,
    ("numpy._core.multiarray", "scalar"): scalar,
    ("collections", "defaultdict"): defaultdict,
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "int"): int,
}
_EMPTY_SHELLS = ("gensim.", "numpy.random")
#: Seeds a generator when a model is trained on.
_HASH = ("builtins", "hash")


@dataclass(frozen=True)
class WordVectors:
    """Morphemes and their vectors.

    Attributes:
        words: In the order of the table.
        table: float32 [V, 200].
    """

    words: list[str]
    table: np.ndarray


def read_word2vec(file: Path) -> WordVectors:
    """Read what `gensim.models.Word2Vec.save` wrote, of gensim 3 and 4.

    Raises:
        SourceError: The file is damaged, holds other objects, or vectors of another width.
    """
    vectors = _attribute(file, _unpickled(file), "wv")
    words = _words(file, vectors)
    table = _table(file, vectors)
    if table.shape != (len(words), WIDTH):
        raise SourceError(
            file, f"vectors have shape {list(table.shape)}, expected {[len(words), WIDTH]}"
        )
    return WordVectors(words, table.astype(np.float32))


class _Shell:
    """Stands for any object of gensim: takes whatever is given, runs nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) in _MADE:
            return _MADE[module, name]
        if f"{module}.".startswith(_EMPTY_SHELLS) or (module, name) == _HASH:
            return type(name, (_Shell,), {})
        raise pickle.UnpicklingError(f"it would run {module}.{name}")


def _unpickled(file: Path) -> object:
    try:
        with file.open("rb") as stream:
            return _Unpickler(stream).load()
    except (
        pickle.UnpicklingError, EOFError, OSError, AttributeError, ImportError, IndexError,
        KeyError, MemoryError, TypeError, ValueError,
    ) as error:  # fmt: skip
        raise SourceError(file, f"is refused as a Word2Vec model: {error}") from error


def _attribute(file: Path, owner: object, *names: str) -> object:
    for name in names:
        if getattr(owner, name, None) is not None:
            return getattr(owner, name)
    raise SourceError(file, f"is no Word2Vec model of gensim: it has no {' or '.join(names)}")


def _words(file: Path, vectors: object) -> list[str]:
    words = _attribute(file, vectors, "index_to_key", "index2word")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise SourceError(file, "its words are no list of strings")
    return words


def _table(file: Path, vectors: object) -> np.ndarray:
    """Take the vectors out of the file, or out of the one beside it that large ones go to."""
    beside = [file.with_name(f"{file.name}.wv.{name}.npy") for name in ("vectors", "syn0")]
    for path in filter(Path.is_file, beside):
        try:
            return np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise SourceError(path, f"cannot be read: {error}") from error
    table = _attribute(file, vectors, "vectors", "syn0")
    if not isinstance(table, np.ndarray) or table.dtype.kind != "f":
        raise SourceError(file, "its vectors are no array of numbers")
    return table

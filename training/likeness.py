"""Sentences that nearly say the same, found by their letters."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

from training.splits import sentence_name

#: Sentences are near-copies above this cosine of their counts of letter 2- and 3-grams.
NEAR = 0.6
#: So many sentences are compared with all others at a time.
_ROWS = 1_000


def like_sentences(texts: Sequence[str], near: float = NEAR) -> np.ndarray:
    """Number groups of near-copies.

    Args:
        texts: N sentences. Case, spaces, punctuation and long runs of a letter do not count.
        near: The cosine above which two belong to one group.

    Returns:
        Group of each sentence, int [N]; near-copies of near-copies are in the same one.
    """
    letters = [re.sub(r"\W|_", "", sentence_name(text)) for text in texts]
    different, which = np.unique(np.array(letters, dtype=object).astype(str), return_inverse=True)
    if max(map(len, different)) < 2:
        return which
    counts = CountVectorizer(analyzer="char", ngram_range=(2, 3), dtype=np.float32)
    rows = normalize(counts.fit_transform(different.tolist()))
    columns = rows.T.tocsr()
    pairs = [
        _near(rows[start : start + _ROWS] @ columns, near)
        for start in range(0, rows.shape[0], _ROWS)
    ]
    _, groups = sparse.csgraph.connected_components(sparse.vstack(pairs), directed=False)
    return groups[which]


def _near(cosines: sparse.csr_matrix, near: float) -> sparse.csr_matrix:
    """Keep the cosines above a bound."""
    cosines.data[cosines.data <= near] = 0
    cosines.eliminate_zeros()
    return cosines

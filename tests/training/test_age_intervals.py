"""An age's interval holds in each corpus, not only on average."""

from __future__ import annotations

import numpy as np

from training.age_intervals import covered, fit_interval


def test_a_corpus_that_errs_more_is_covered_as_well():
    draw = np.random.default_rng(0)
    read = draw.uniform(10, 70, 4_000)
    corpora = np.where(np.arange(4_000) % 2, "even", "uneven")
    true = read + draw.normal(0, np.where(corpora == "even", 2.0, 6.0))
    fitted = np.arange(4_000) < 2_000
    rows = fit_interval(read[fitted], true[fitted], corpora[fitted])
    inside = covered(rows, read, true)
    for corpus in ("even", "uneven"):
        assert inside[~fitted & (corpora == corpus)].mean() > 0.76


def test_a_handful_of_people_widens_nothing():
    read = np.linspace(20, 60, 200)
    true = read + np.tile([-1.0, 1.0], 100)
    true[:5] += 40
    corpora = np.where(np.arange(200) < 5, "few", "many")
    ((_, low, high),) = fit_interval(read, true, corpora)
    assert high - low < 5

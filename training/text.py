"""Train the text network on Korean utterances: `python -m training.text --data DIR`.

The labels are noisy and a network learns noise by heart. So a linear n-gram model reads each
training sentence first, fitted on the other sentences only, and the network learns a mixture of
what it says and of the label.
"""

from __future__ import annotations

import csv
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from training import command, metrics
from training.contract import EMOTIONS
from training.fit import Schedule, fit
from training.labels import EMOTION_INDEX
from training.networks.text import TextNet, drop_grams
from training.serving_code import front_end
from training.splits import splits_of

log = logging.getLogger(__name__)

SCHEDULE = Schedule(epochs=3, batch=256, rate=2e-3, decay=0.05)
#: n-grams of a training sentence that are read; the longest few are cut to bound a batch.
LONGEST = 640
DROPPED_GRAMS = 0.4
FOLDS = 4
#: Share of the linear model's opinion in the targets; the rest is the label.
TEACHER_SHARE = 0.7


@dataclass(frozen=True)
class Sentences:
    """Encoded sentences; N of them.

    Attributes:
        ids: int32 [L] each, without padding.
        emotions: Index in code order [N].
        splits: "train", "dev" or "test" [N]; equal sentences share a split.
    """

    ids: list[np.ndarray]
    emotions: np.ndarray
    splits: np.ndarray

    def of(self, split: str) -> np.ndarray:
        """Indices of a split."""
        return np.flatnonzero(self.splits == split)

    def batch(self, indices: np.ndarray | Tensor) -> Tensor:
        """Sentences padded to the longest among them, int32 [B,L]."""
        chosen = [self.ids[int(index)] for index in indices]
        padded = np.zeros((len(chosen), max(len(ids) for ids in chosen)), np.int32)
        for row, ids in zip(padded, chosen, strict=True):
            row[: len(ids)] = ids
        return torch.from_numpy(padded)


def read_sentences(path: Path) -> Sentences:
    """Read `text,label` rows; sentences without a readable character are left out."""
    tokenizer = front_end("text_tokenizer", "tokenizer")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    encoded = [tokenizer.encode(row["text"]) for row in rows]
    kept = [index for index, ids in enumerate(encoded) if ids.size]
    log.info("%d of %d sentences are readable", len(kept), len(rows))
    names = (tokenizer.normalise(rows[index]["text"]) for index in kept)
    return Sentences(
        [encoded[index][encoded[index] > 0][:LONGEST] for index in kept],
        np.array([EMOTION_INDEX[rows[index]["label"]] for index in kept]),
        splits_of(names, dev=0.1, test=0.1),
    )


def ngram_counts(ids: list[np.ndarray]) -> sparse.csr_matrix:
    """Count each sentence's n-grams: [N,buckets+1]."""
    ends = np.cumsum([0, *(len(row) for row in ids)])
    columns = np.concatenate(ids)
    width = front_end("text_tokenizer", "tokenizer").BUCKETS + 1
    counts = sparse.csr_matrix(
        (np.ones(len(columns), np.float32), columns, ends), (len(ids), width)
    )
    counts.sum_duplicates()
    return counts


class LinearModel:
    """TF-IDF and logistic regression: the network's teacher, and the baseline to beat."""

    def fit(self, counts: sparse.csr_matrix, emotions: np.ndarray) -> LinearModel:
        """Learn from n-gram counts [N,buckets+1] and labels [N]."""
        # A gram that was never met has no weight, but its idf would drown those that have one.
        self._met = np.flatnonzero(counts.getnnz(axis=0) > 1)
        self._weigh = TfidfTransformer(sublinear_tf=True)
        self._regression = LogisticRegression(C=2.0, max_iter=300, tol=1e-4)
        self._regression.fit(self._weigh.fit_transform(counts[:, self._met]), emotions)
        return self

    def posteriors(self, counts: sparse.csr_matrix) -> np.ndarray:
        """Read sentences: [N,7]."""
        return self._regression.predict_proba(self._weigh.transform(counts[:, self._met]))


def teach(sentences: Sentences, indices: np.ndarray, seed: int) -> np.ndarray:
    """Posteriors [N,7] of sentences, each by a linear model that has not seen it."""
    counts = ngram_counts([sentences.ids[index] for index in indices])
    emotions = sentences.emotions[indices]
    fold = np.random.default_rng(seed).integers(0, FOLDS, len(indices))
    posteriors = np.zeros((len(indices), len(EMOTIONS)), np.float32)
    for held in range(FOLDS):
        model = LinearModel().fit(counts[fold != held], emotions[fold != held])
        posteriors[fold == held] = model.posteriors(counts[fold == held])
    right = metrics.accuracy(emotions, posteriors.argmax(1))
    log.info("the linear teacher is right about %.4f of unseen sentences", right)
    return posteriors


def baseline(sentences: Sentences, split: str) -> dict[str, float]:
    """Accuracy and macro-F1 of the linear model alone, fitted on `train`."""
    train, held = (
        ngram_counts([sentences.ids[index] for index in sentences.of(name)])
        for name in ("train", split)
    )
    model = LinearModel().fit(train, sentences.emotions[sentences.of("train")])
    guess, truth = model.posteriors(held).argmax(1), sentences.emotions[sentences.of(split)]
    return {
        f"{split}_accuracy": metrics.accuracy(truth, guess),
        f"{split}_macro_f1": metrics.macro_f1(truth, guess),
    }


def predict(
    network: TextNet, sentences: Sentences, indices: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Features [N,512] and logits [N,7] of the chosen sentences."""
    with torch.no_grad():
        parts = [
            network(sentences.batch(indices[start : start + 256]))
            for start in range(0, len(indices), 256)
        ]
    features, logits = (torch.cat(output).numpy() for output in zip(*parts, strict=True))
    return features, logits


def scores(network: TextNet, sentences: Sentences, split: str) -> dict[str, float]:
    """Accuracy and macro-F1 on a split."""
    indices = sentences.of(split)
    guess = predict(network, sentences, indices)[1].argmax(1)
    truth = sentences.emotions[indices]
    return {
        f"{split}_accuracy": metrics.accuracy(truth, guess),
        f"{split}_macro_f1": metrics.macro_f1(truth, guess),
    }


def train_text(sentences: Sentences, schedule: Schedule, folder: Path) -> TextNet:
    """Train on `train`, watching `dev`."""
    torch.manual_seed(schedule.seed)
    network = TextNet()
    train = sentences.of("train")
    labels = F.one_hot(torch.from_numpy(sentences.emotions[train]), len(EMOTIONS)).float()
    opinions = torch.from_numpy(teach(sentences, train, schedule.seed))
    targets = TEACHER_SHARE * opinions + (1 - TEACHER_SHARE) * labels

    def loss(indices: Tensor) -> Tensor:
        chosen = train[indices.numpy()]
        _, logits = network(drop_grams(sentences.batch(chosen), DROPPED_GRAMS))
        return F.cross_entropy(logits, targets[indices])

    fit(network, len(train), loss, lambda: scores(network, sentences, "dev"), schedule, folder)
    return network


def main(arguments: list[str] | None = None) -> None:
    """Train, then measure on the sentences that were held back."""
    options = command.start(command.parser(__doc__), arguments)
    sentences = read_sentences(options.data / "text" / "korean_utterances.csv")
    folder = options.out / "text"
    network = train_text(sentences, command.scaled(SCHEDULE, options), folder)
    log.info("network %s", scores(network, sentences, "test"))
    log.info("linear model %s", baseline(sentences, "test"))


if __name__ == "__main__":
    main()

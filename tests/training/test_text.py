"""What the text network learns from: sentences as they may be written, and what raters said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks need PyTorch (requirements/export.txt)")

from training.contract import EMOTIONS  # noqa: E402
from training.manifest import read_manifest  # noqa: E402
from training.networks.text import GramModel, ServedText, TextNet  # noqa: E402
from training.restore import restore_text  # noqa: E402
from training.serving_code import MODEL_REPOSITORY, front_end  # noqa: E402
from training.text import (  # noqa: E402
    LinearModel,
    answer_to,
    chances,
    mix_votes,
    ngram_counts,
    read_sentences,
    varied_pieces,
    vary,
    with_made,
)

PARITY = Path(__file__).parents[2] / "export" / "parity" / "text_encoder.npz"
LINES = ("오늘은 정말 행복한 하루였어요!", "그게 무슨 말이야", "지금 보고 있어, 왜?")


@pytest.fixture
def read(tmp_path):
    def sentences(*rows: str):
        path = tmp_path / "manifest.csv"
        path.write_text("\n".join(["text,emotion,votes,split", *rows]), encoding="utf-8")
        return read_sentences(read_manifest(path))

    return sentences


def spelled(pieces: np.ndarray) -> str:
    tokenizer = front_end("text_tokenizer", "tokenizer")
    processor = tokenizer.SentencePieceProcessor(model_file=str(tokenizer.PIECES))
    return processor.decode([piece for piece in pieces.tolist() if piece]).replace(" ", "")


def test_only_spaces_and_the_last_marks_of_a_sentence_are_varied():
    random = np.random.default_rng(0)
    for line in LINES:
        words = {vary(line, random).replace(" ", "").rstrip("!~.") for _ in range(50)}
        assert words == {line.replace(" ", "").rstrip("!~.")}
        assert len({vary(line, random) for _ in range(50)}) > 5


def test_the_same_seed_varies_and_cuts_alike():
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append([pieces.tolist() for pieces in varied_pieces(LINES * 5)])
    assert drawn[0] == drawn[1] != drawn[2]
    torch.manual_seed(1)
    for pieces, line in zip(varied_pieces(LINES), LINES, strict=True):
        assert spelled(pieces).startswith(line.replace(" ", "").rstrip("!~."))


def test_divided_raters_teach_but_do_not_measure(read):
    sentences = read(
        "좋아요,happiness,,train", "몰라요,,fear:1 sadness:1,train", "글쎄요,,fear:1 sadness:1,test"
    )
    assert sentences.texts.tolist() == ["좋아요", "몰라요"]
    assert sentences.votes[0].tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert sentences.votes[1, EMOTIONS.index("fear")] == 0.5


def test_targets_mix_the_raters_with_the_teacher(read):
    sentences = read("좋아요,happiness,happiness:3 neutral:1,train")
    opinions = np.full((1, 7), 1 / 7, np.float32)
    (target,) = mix_votes(sentences, np.array([0]), opinions)
    assert target.sum() == pytest.approx(1)
    assert target[0] > target[4] > target[1] == target[2] > 0


def test_rare_emotions_are_drawn_more_often(read):
    rows = [f"기쁜 문장 {'가나다라마바사아자차'[i]},happiness,,train" for i in range(9)]
    sentences = read(*rows, "무서운 문장,fear,,train")
    drawn = chances(sentences, sentences.of("train"))
    assert drawn.sum() == pytest.approx(10)
    assert drawn[9] > 2 * drawn[0]


def test_sentences_made_by_rule_do_not_tell_what_is_held_back(read):
    sentences = with_made(read("네,neutral,,test", "좋아요,happiness,,train"))
    assert sentences.texts.tolist().count("네") == 1
    assert len(sentences.of("train")) > 1000


def test_the_served_table_answers_as_the_fitted_linear_model(read):
    kinds = {"좋은": "happiness", "무서운": "fear", "슬픈": "sadness"}
    lines = [f"{word} {day}이야,{kinds[word]},,train" for word in kinds for day in ("날", "밤")]
    sentences = read(*lines)
    counts = ngram_counts(sentences.grams)
    targets = np.eye(7)[sentences.emotions]
    model = LinearModel().fit(counts, targets, np.ones(len(targets)))
    network = GramModel(front_end("text_tokenizer", "tokenizer").BUCKETS)
    table, bias = model.tables(len(network.table) - 1)
    network.table.copy_(torch.from_numpy(table))
    network.bias.copy_(torch.from_numpy(bias))
    answers = [network(torch.from_numpy(grams[None])).exp()[0].numpy() for grams in sentences.grams]
    np.testing.assert_allclose(np.array(answers), model.posteriors(counts), atol=1e-3)


def test_a_training_can_go_on_from_what_is_served():
    network = TextNet()
    restore_text(network, MODEL_REPOSITORY / "text_encoder" / "1" / "model.onnx")
    known = np.load(PARITY)
    tensors = (torch.from_numpy(known[f"input.{name}"]) for name in ("IDS", "GRAMS"))
    with torch.no_grad():
        answers = ServedText(network.eval())(*tensors)
    for name, answer in zip(("FEATURES", "EMOTION"), answers, strict=True):
        np.testing.assert_allclose(answer, known[f"output.{name}"], atol=1e-4)
    assert answer_to(network, "정말 좋아요").sum() == pytest.approx(1)
    assert answer_to(network, "我很生气") is None


def test_a_file_of_another_network_is_refused_by_what_it_lacks():
    with pytest.raises(ValueError, match=r"expected encoder.position \[256, 384\], found nothing"):
        restore_text(TextNet(), MODEL_REPOSITORY / "fusion" / "1" / "model.onnx")

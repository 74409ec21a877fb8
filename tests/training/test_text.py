"""Sentences reach the text network as they were written, however they are cut."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks need PyTorch (requirements/export.txt)")

from training.manifest import read_manifest  # noqa: E402
from training.serving_code import front_end  # noqa: E402
from training.text import read_sentences  # noqa: E402

LINES = ("오늘은 정말 행복한 하루였어요!", "그게 무슨 말이야", "yes, really")


@pytest.fixture
def sentences(tmp_path):
    path = tmp_path / "manifest.csv"
    rows = [f'"{line}",neutral' for line in LINES]
    path.write_text("\n".join(["text,emotion", *rows]), encoding="utf-8")
    return read_sentences(read_manifest(path))


def written(row):
    tokenizer = front_end("text_tokenizer", "tokenizer")
    processor = tokenizer.SentencePieceProcessor(model_file=str(tokenizer.PIECES))
    return processor.decode([piece for piece in row.tolist() if piece])


def test_pieces_drawn_at_random_make_up_the_same_sentences(sentences):
    indices = range(len(LINES))
    drawn = [sentences.pieces(indices, evenness=0.1) for _ in range(20)]
    assert len({tuple(rows[0].tolist()) for rows in drawn}) > 10
    for rows in drawn:
        assert [written(row) for row in rows] == [written(row) for row in sentences.pieces(indices)]


def test_the_same_seed_draws_the_same_pieces(sentences):
    rows = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        rows.append(sentences.pieces(range(len(LINES)), evenness=0.1).tolist())
    assert rows[0] == rows[1] != rows[2]

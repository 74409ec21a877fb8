"""Sentences count while they are in the window."""

import pytest

from clients.contract import LIMITS
from rtmp_bridge.errors import SentenceError
from rtmp_bridge.sentences import Sentence, Sentences, read_subtitles


def test_a_sentence_counts_while_some_of_it_is_in_the_window():
    said = Sentences([Sentence("하나", 1.0, 2.0)])
    windows = [(-5.0, 1.0), (-4.0, 2.0), (2.0, 8.0), (2.5, 8.5)]
    assert [said.within(*window) for window in windows] == [None, "하나", "하나", None]


def test_sentences_are_joined_in_order_of_time():
    said = Sentences()
    for text, start in (("셋", 3.0), ("하나", 1.0), ("둘", 2.0)):
        said.add(Sentence(text, start, start))
    assert said.within(0.0, 6.0) == "하나 둘 셋"


def test_the_newest_are_kept_where_all_would_be_too_long():
    said = Sentences()
    for start in range(5):
        said.add(Sentence(str(start) * 400, start, start))
    assert said.within(0.0, 6.0) == f"{'3' * 400} {'4' * 400}"


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("", 0, 0),
        (" \n", 0, 0),
        ("가" * (LIMITS.text_characters + 1), 0, 0),
        ("half \ud800", 0, 0),
        ("기뻐", -1, 0),
        ("기뻐", 2, 1),
        ("기뻐", float("nan"), 1),
        ("기뻐", 0, float("inf")),
    ],
)
def test_what_cannot_be_used_is_refused(text, start, end):
    with pytest.raises(SentenceError, match="expected"):
        Sentence(text, start, end)


def test_no_more_are_kept_than_a_stream_can_have():
    said = Sentences()
    with pytest.raises(SentenceError, match="no more are taken"):
        for _ in range(2_000):
            said.add(Sentence("기뻐", 1e6, 1e6))


@pytest.mark.parametrize(
    "text",
    [
        "1\r\n00:00:01,500 --> 00:00:02,000\r\n나는 <i>지금</i>\r\n행복해\r\n\r\n"
        "2\n01:00:00,000 --> 01:00:01,000\n끝 &amp; 끝\n",
        "WEBVTT\n\nNOTE something\n\n00:01.500 --> 00:02.000 align:start\n나는 지금\n행복해\n\n"
        "01:00:00.000 --> 01:00:01.000\n끝 &amp; 끝\n",
    ],
)
def test_srt_and_webvtt_are_read(tmp_path, text):
    path = tmp_path / "file"
    path.write_bytes(text.encode())
    assert read_subtitles(path) == [
        Sentence("나는 지금 행복해", 1.5, 2.0),
        Sentence("끝 & 끝", 3600.0, 3601.0),
    ]


def test_a_file_without_cues_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_text("nothing")
    with pytest.raises(SentenceError, match="found no cue"):
        read_subtitles(path)

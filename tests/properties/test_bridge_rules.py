"""What a live stream, its publisher, its subtitles and its operator may say."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clients.contract import LIMITS
from rtmp_bridge.clock import LONGEST_GAP, LONGEST_STEP_BACK, StreamClock
from rtmp_bridge.errors import SentenceError, SettingsError
from rtmp_bridge.gate import published_key
from rtmp_bridge.sentences import Sentence, Sentences, read_subtitles
from rtmp_bridge.settings import PageSettings, StreamSettings, is_live, is_loopback, parts_of

tracks = st.sampled_from(("picture", "sound"))
stamps = st.fractions(min_value=-(10**6), max_value=10**6, max_denominator=90_000)
intervals = st.fractions(min_value=0, max_value=1, max_denominator=1_000)
heard = st.lists(st.tuples(tracks, st.none() | stamps, intervals), max_size=30)


@given(heard)
def test_a_streams_time_neither_runs_away_nor_far_back(frames):
    clock = StreamClock()
    last = {"picture": 0, "sound": 0}
    for track, stamp, interval in frames:
        furthest = max(last.values())
        time, leapt = clock.tell(track, stamp, interval)
        assert last[track] - LONGEST_STEP_BACK <= time <= furthest + LONGEST_GAP
        assert not (leapt and stamp is None)
        last[track] = time


@given(heard, stamps)
def test_where_a_streams_timestamps_begin_does_not_matter(frames, origin):
    one, other = StreamClock(), StreamClock()
    for track, stamp, interval in frames:
        moved = None if stamp is None else stamp + origin
        assert one.tell(track, stamp, interval) == other.tell(track, moved, interval)


@given(stamps, st.lists(intervals, min_size=1, max_size=60))
def test_steady_timestamps_are_believed_to_the_last_digit(origin, steps):
    clock, passed = StreamClock(), 0
    assert clock.tell("picture", origin, steps[0]) == (0, False)
    for step in steps:
        passed += step
        assert clock.tell("picture", origin + passed, step) == (passed, False)


def publish(key: bytes) -> bytes:
    """Return RTMP's publish command, transaction 5."""
    command = b"\x02\x00\x07publish\x00" + struct.pack(">d", 5) + b"\x05\x02"
    return command + struct.pack(">H", len(key)) + key + b"\x02\x00\x04live"


@given(st.binary(max_size=400), st.binary(max_size=80), st.integers(0, 600))
def test_of_a_publisher_only_the_whole_key_is_learnt_however_much_has_come(before, key, size):
    if b"publish" in before + key:
        return
    sent = before + publish(key)
    assert published_key(sent) == key
    assert published_key(sent[:size]) in (None, key)


@given(
    st.lists(
        st.sampled_from((b"\x02\x00\x07publish\x00", bytes(8), b"\x05\x02", b"\xff\xff", b"k"))
    )
)
def test_pieces_of_a_command_are_no_reason_to_fail(pieces):
    key = published_key(b"".join(pieces))
    assert key is None or isinstance(key, bytes)


words = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=20)
milliseconds = st.integers(0, 359_999_999)


@st.composite
def cues(draw) -> list[Sentence]:
    found = []
    for text in draw(st.lists(words, min_size=1, max_size=8)):
        start, end = sorted((draw(milliseconds), draw(milliseconds)))
        found.append(Sentence(text, start / 1000, end / 1000))
    return found


def clock_face(seconds: float, mark: str) -> str:
    total = round(seconds * 1000)
    hours, minutes, rest = total // 3_600_000, total // 60_000 % 60, total % 60_000
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{mark}{rest % 1000:03}"


@given(cues(), st.sampled_from((("", ","), ("WEBVTT\n\n", "."))))
def test_subtitles_are_read_as_they_were_written(tmp_path, sentences, form):
    head, mark = form
    blocks = [
        f"{number}\n{clock_face(one.start, mark)} --> {clock_face(one.end, mark)}\n{one.text}\n"
        for number, one in enumerate(sentences, start=1)
    ]
    file = tmp_path / "subtitles"
    file.write_text(head + "\n".join(blocks), encoding="utf-8")
    found = read_subtitles(file)
    assert [one.text for one in found] == [one.text for one in sentences]
    for name in ("start", "end"):
        told = [getattr(one, name) for one in sentences]
        assert [getattr(one, name) for one in found] == pytest.approx(told, abs=1e-6)


lines = st.sampled_from(
    ("1", "00:00:00,000 --> 00:00:01,000", "00:01.000 --> 99:99.999", "9" * 20 + ":00:00.000 -->",
     "00:05.000 --> 00:01.000", "<i>", "&#xD800;", "&#0;", "word", "", "\r", "\ufeff", "{\\an8}")
)  # fmt: skip


@given(
    st.binary(max_size=200)
    | st.lists(lines, max_size=12).map(lambda some: "\n".join(some).encode())
)
def test_subtitles_of_any_bytes_are_sentences_or_a_reason(tmp_path, data):
    assert_sentences_or_reason(tmp_path, data)


@given(st.sampled_from((300, 400, 5_000)))
def test_subtitles_after_any_number_of_hours_are_sentences_or_a_reason(tmp_path, digits):
    assert_sentences_or_reason(tmp_path, b"0:00:00.000 --> " + b"9" * digits + b":00:00.000\nword")


def assert_sentences_or_reason(tmp_path, data: bytes):
    file = tmp_path / "subtitles"
    file.write_bytes(data)
    try:
        assert read_subtitles(file)
    except SentenceError as error:
        assert str(error).startswith(("subtitles:", "text:", "time:"))


@given(cues(), st.floats(0, 400), st.floats(0.1, 60))
def test_a_window_tells_the_latest_of_what_is_said_in_it_within_the_limits(
    sentences, start, length
):
    said = Sentences(sentences).within(start, start + length)
    there = sorted(
        (one for one in sentences if one.end >= start and one.start < start + length),
        key=lambda one: one.start,
    )
    texts = [one.text.strip() for one in there]
    assert said in (None, " ".join(texts)) or " ".join(texts).endswith(said)
    assert (said is None) == (not texts)
    assert len(said or "") <= LIMITS.text_characters


addresses = st.one_of(
    st.text(max_size=60),
    st.builds(
        "{}://{}{}{}".format,
        st.sampled_from(("rtmp", "rtmps", "http", "file", "udp", "", "rtmp://rtmp")),
        st.sampled_from(("127.0.0.1", "localhost", "[::1]", "[", "0.0.0.0", "h\u2100", "", "a@b")),
        st.sampled_from(("", ":1935", ":99999999", ":x", ":-1", ":")),
        st.sampled_from(
            ("", "/live/key", "/live", "/a/b/c", "/live/" + "k" * 81, "/live/" + "k" * 20)
        ),
    ),
)


@example("rtmp://[::1", True)
@given(addresses, st.booleans())
def test_an_address_is_taken_or_refused_with_a_sentence(address, listen):
    try:
        settings = StreamSettings("cam", address, listen)
        assert isinstance(settings.live, bool) and isinstance(is_live(address), bool)
    except SettingsError as error:
        assert str(error)
        return
    assert settings.key not in repr(settings) or not settings.key or settings.key in "cam"
    if listen:
        host, port = settings.endpoint
        assert host and 0 < port < 65_536
        assert is_loopback(host) or len(settings.key) >= 16
    assert parts_of(address).scheme == parts_of(address).scheme.lower()


@given(st.text(max_size=30), st.none() | st.text(max_size=30))
def test_a_page_that_others_reach_needs_a_token(host, token):
    try:
        PageSettings(host, token=token)
    except SettingsError as error:
        assert "token" in str(error)
        return
    assert is_loopback(host) or len(token) >= 16

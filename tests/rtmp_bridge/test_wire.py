"""What a reading process says is taken only if it makes sense."""

import asyncio
import io
import json
import time

import pytest

from rtmp_bridge.chunks import Chunk
from rtmp_bridge.wire import (
    LENGTH,
    MOST_HEADER,
    MOST_PICTURE,
    Assignment,
    Beat,
    End,
    Receiver,
    Sender,
    WireError,
)

CHUNK = Chunk(7, 7.0, 0.8, (b"one", b"two"), b"w" * 100, 1, True, 1e9)
HEADER = {
    "kind": "chunk",
    "index": 7,
    "seconds": 0.8,
    "windows": 1,
    "fresh": True,
    "completed_at": 1e9,
    "frames": [3, 3],
    "sound": 100,
}


def received(data, following=7):
    """Return the first message in some bytes."""

    async def receive():
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await Receiver(reader, 1, following).message()

    return asyncio.run(receive())


def packed(header, *parts):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return LENGTH.pack(len(text)) + text + b"".join(parts)


def sent(say):
    file = io.BytesIO()
    say(Sender(file))
    return file.getvalue()


def test_what_is_sent_is_what_is_received():
    end = End("limit", "too much 너무", "a\ntraceback")
    assert received(sent(lambda sender: sender.chunk(CHUNK))) == CHUNK
    assert received(sent(lambda sender: sender.beat(Beat(25)))) == Beat(25)
    assert received(sent(lambda sender: sender.end(end))) == end
    silent = Chunk(7, 7.0, 1.0, (), None, 0, False, 1e9)
    assert received(sent(lambda sender: sender.chunk(silent))) == silent


def test_an_assignment_is_a_line_and_its_address_is_not_shown():
    assignment = Assignment("rtmp://host/live/KEY\n", True, False, 1, 0, 100, 200, 8, 15.0, 8.0)
    assert assignment.line().count(b"\n") == 1
    assert Assignment.of_line(assignment.line()) == assignment
    assert "KEY" not in repr(assignment)


def test_long_texts_are_shortened():
    end = received(sent(lambda sender: sender.end(End("failed", "x" * 10_000, "y" * 100_000))))
    assert (len(end.message), len(end.details)) == (500, 4_000)


def test_what_logs_should_not_show_is_replaced():
    end = received(packed({"kind": "end", "reason": "lost", "message": "a\x1b[2J", "details": ""}))
    assert end.message == "a?[2J"


def test_a_chunk_was_not_completed_in_the_future():
    chunk = received(packed(HEADER | {"completed_at": 9e11}, b"onetwo", b"w" * 100))
    assert chunk.completed_at <= time.time()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "pickle"},
        {"kind": ["chunk"]},
        {"index": 8},
        {"index": True},
        {"seconds": 0},
        {"seconds": 1.5},
        {"seconds": float("nan")},
        {"seconds": 10**400},
        {"windows": -1},
        {"windows": 2},
        {"completed_at": float("inf")},
        {"completed_at": "now"},
        {"frames": None},
        {"frames": [3] * 11},
        {"frames": [MOST_PICTURE + 1]},
        {"frames": [-3]},
        {"sound": 1 << 30},
        {"sound": 10},
        {"sound": "100"},
        {"kind": "beat", "frames": -1},
        {"kind": "end", "reason": "because", "message": "", "details": ""},
        {"kind": "end", "reason": [], "message": "", "details": ""},
        {"kind": "end", "reason": "lost", "message": None, "details": ""},
        {"kind": "end", "reason": "lost", "message": "", "details": "x" * 4_001},
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(WireError):
        received(packed(HEADER | wrong, b"onetwo", b"w" * 100))


@pytest.mark.parametrize("header", [b"", b"[1]", b"{", b"\xff", b"[" * MOST_HEADER, b"1" * 5_000])
def test_a_header_that_is_none_is_refused(header):
    with pytest.raises(WireError):
        received(packed(header))


def test_an_endless_header_is_refused_before_it_is_read():
    with pytest.raises(WireError, match="at most"):
        received(b"\xff\xff\xff\xff")


def test_what_is_cut_short_is_no_message():
    with pytest.raises(asyncio.IncompleteReadError):
        received(sent(lambda sender: sender.chunk(CHUNK))[:-1])

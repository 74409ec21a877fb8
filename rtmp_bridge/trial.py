"""A visitor's clip, recognised in a process of its own: `python -m rtmp_bridge.trial`.

A clip is opened to find out what it is, and cut where it is long. What it does to FFmpeg costs its
visitor alone.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import struct
import sys
from dataclasses import replace

from clients import (
    Connection,
    InputRefusedError,
    Media,
    Recogniser,
    RecogniserError,
    RequestTimeoutError,
    ServerUnavailableError,
    UncuttableMediaError,
    UnreadableFileError,
)
from clients.containers import picture_stream
from clients.recordings import OPEN_ERRORS, open_recording
from rtmp_bridge.confinement import allow_cpu, confine
from rtmp_bridge.deadline import within
from rtmp_bridge.worker import Worker, worded

COMMAND = (sys.executable, "-m", "rtmp_bridge.trial")
#: Seconds for one request's answer, and for all of a long clip's.
PATIENCE, LONGEST = 60.0, 300.0
#: Bytes that the process may map: a clip of 64 MB and its request with room for FFmpeg.
MEMORY = 2 << 30
PROCESSOR_SECONDS = 60
#: An HTTP status and the size of the JSON that follows.
HEAD = struct.Struct("!HI")
MOST_ANSWER = 1 << 20
#: Everything that is said of a clip.
STATUSES = frozenset({200, 422, 502, 503, 504})


async def recognise(connection: Connection, text: str | None, clip: bytes) -> tuple[int, bytes]:
    """Recognise a clip and a sentence; either may be empty.

    Returns:
        An HTTP status and JSON: what `recognize` answers, or `{"error": SENTENCE}`.
    """
    worker = await Worker.start(COMMAND)
    try:
        asked = pickle.dumps((replace(connection, timeout=PATIENCE), text, clip))
        return await within(LONGEST, _ask(worker, asked))
    except (BrokenPipeError, asyncio.IncompleteReadError):
        cause = worded(await worker.cause_of_end())
        return 422, _error(f"the clip cannot be read: what reads it ended with {cause}")
    except asyncio.TimeoutError:
        return 504, _error(f"the clip took longer than {LONGEST:g} s")
    finally:
        await worker.end()


async def _ask(worker: Worker, asked: bytes) -> tuple[int, bytes]:
    await asyncio.to_thread(worker.tell, asked)
    status, size = HEAD.unpack(await worker.reader.readexactly(HEAD.size))
    if status not in STATUSES or size > MOST_ANSWER:
        return 502, _error("the clip has harmed what read it")
    return status, await worker.reader.readexactly(size)


def answer(connection: Connection, text: str | None, clip: bytes) -> tuple[int, bytes]:
    """Do what `recognise` says, in this process."""
    try:
        with Recogniser(connection) as recogniser:
            document = recogniser.recognise(media_of(text, clip)).document
        return 200, json.dumps(document, ensure_ascii=False).encode()
    except InputRefusedError as error:
        return 422, _error(error.sentence)
    except (UnreadableFileError, UncuttableMediaError) as error:
        return 422, _error(str(error))
    except MemoryError:
        return 422, _error(f"the clip takes more than {MEMORY >> 20} MiB of memory")
    except ServerUnavailableError:
        return 503, _error("the recogniser does not answer")
    except RequestTimeoutError:
        return 504, _error(f"the recogniser took longer than {PATIENCE:g} s")
    except RecogniserError:
        return 502, _error("the recogniser failed")


def media_of(text: str | None, clip: bytes) -> Media:
    """Return a clip as what it is: a film, or sound alone."""
    if not clip:
        return Media(text=text)
    try:
        with open_recording(clip) as container:
            heard_only = picture_stream(container) is None and bool(container.streams.audio)
    except OPEN_ERRORS:
        heard_only = False  # what is wrong with it is the server's to say
    return Media(text=text, audio=clip) if heard_only else Media(text=text, video=clip)


def _error(sentence: str) -> bytes:
    return json.dumps({"error": sentence}, ensure_ascii=False).encode()


def main() -> None:
    """Recognise what comes on the standard input."""
    asked = pickle.load(sys.stdin.buffer)
    confine(MEMORY)
    allow_cpu(PROCESSOR_SECONDS)
    status, body = answer(*asked)
    sys.stdout.buffer.write(HEAD.pack(status, len(body)) + body)


if __name__ == "__main__":
    main()

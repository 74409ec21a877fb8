import asyncio
import gc
import weakref
from contextlib import suppress

from rtmp_bridge.errors import SourceError
from rtmp_bridge.ingest import run_in_thread


class Decoder:
    """Something large that a connection holds."""


def test_what_a_lost_connection_held_goes_with_it():
    held = []

    def lose_the_connection():
        decoder = Decoder()
        held.append(weakref.ref(decoder))
        raise SourceError("lost", "the publisher went away")

    async def go():
        with suppress(SourceError):
            await run_in_thread(lose_the_connection, "ingest")
        assert held[0]() is None

    gc.disable()
    try:
        asyncio.run(go())
    finally:
        gc.enable()

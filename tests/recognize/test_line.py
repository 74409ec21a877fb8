"""The line of waiting clips, across processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import abandonment
import line
import pytest
from line import Line
from refusals import RequestCancelledError, UnavailableError

HOLD = """
import asyncio, abandonment, pathlib, sys
abandonment.SHARED_MEMORY = pathlib.Path(sys.argv[1])
from line import Line

async def hold():
    async with Line("server", 1, 2).turn(lambda: None):
        print("held", flush=True)
        await asyncio.sleep(60)

asyncio.run(hold())
"""


@pytest.fixture(autouse=True)
def memory(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(abandonment, "SHARED_MEMORY", tmp_path)
    return tmp_path


def wait_for_ever() -> None:
    """Stand for a client that never gives up."""


def test_clips_are_served_in_the_order_in_which_they_came():
    served = []

    async def clip(name: str, own: Line) -> None:
        async with own.turn(wait_for_ever):
            served.append(name)
            assert len(served) - len(ended) <= 2
            await asyncio.sleep(0.02)
            ended.append(name)

    ended: list[str] = []
    names = list("abcdefgh")

    async def all_clips() -> None:
        await asyncio.gather(*(clip(name, Line("server", 2, 8)) for name in names))

    asyncio.run(all_clips())
    assert served == names


def test_a_clip_too_many_is_refused_at_once_and_leaves_the_line():
    async def crowd() -> None:
        own = Line("server", 1, 2)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(own.turn(wait_for_ever))
            waiting = asyncio.ensure_future(stack.enter_async_context(own.turn(wait_for_ever)))
            await asyncio.sleep(0)
            for _ in range(2):
                with pytest.raises(UnavailableError, match="2 clips"):
                    await stack.enter_async_context(own.turn(wait_for_ever))
            waiting.cancel()

    asyncio.run(crowd())


def test_a_clip_that_is_given_up_while_it_waits_leaves_the_line(memory):
    def give_up() -> None:
        raise RequestCancelledError("cancelled", "the client gave up")

    async def wait() -> None:
        own = Line("server", 1, 2)
        async with own.turn(wait_for_ever):
            with pytest.raises(RequestCancelledError):
                async with own.turn(give_up):
                    raise AssertionError("its turn came")

    asyncio.run(wait())
    assert not list(abandonment.own_folder("line").iterdir())


def test_a_turn_that_does_not_come_is_refused(monkeypatch):
    monkeypatch.setattr(line, "PATIENCE", 0.0)

    async def wait() -> None:
        own = Line("server", 1, 2)
        async with own.turn(wait_for_ever):
            with pytest.raises(UnavailableError, match="did not come"):
                async with own.turn(wait_for_ever):
                    raise AssertionError("its turn came")

    asyncio.run(wait())


def test_a_process_that_is_killed_holds_nobody_up_and_leaves_nothing(memory):
    source = Path(line.__file__).parent
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(memory)], cwd=source, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"

    async def wait() -> None:
        turn = asyncio.ensure_future(_take(Line("server", 1, 2)))
        assert not (await asyncio.wait([turn], timeout=0.2))[0]
        holder.kill()
        await asyncio.wait_for(turn, 10)

    asyncio.run(wait())
    holder.wait()
    holder.stdout.close()
    assert not list(abandonment.own_folder("line").iterdir())


def test_servers_have_lines_of_their_own():
    async def two() -> None:
        async with (
            Line("1", 1, 1).turn(wait_for_ever),
            Line("12", 1, 1).turn(wait_for_ever),
        ):
            pass

    asyncio.run(two())


async def _take(own: Line) -> None:
    async with own.turn(wait_for_ever):
        pass

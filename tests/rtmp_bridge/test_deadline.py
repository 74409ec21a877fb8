"""Waiting for a while, and being stopped meanwhile."""

import asyncio

import pytest

from rtmp_bridge.deadline import within


def test_what_comes_in_time_is_returned():
    async def answer():
        return 7

    assert asyncio.run(within(60.0, answer())) == 7


def test_what_takes_longer_is_stopped():
    stopped = []

    async def forever():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(True)
            raise

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(within(0.0, forever()))
    assert stopped


def test_an_error_is_passed_on():
    async def fail():
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        asyncio.run(within(60.0, fail()))


def test_a_cancellation_that_comes_with_the_result_is_not_lost():
    async def go():
        answer = asyncio.get_running_loop().create_future()
        waiting = asyncio.create_task(within(60.0, answer))
        await asyncio.sleep(0)
        answer.set_result(7)
        await asyncio.sleep(0)  # the result is on its way to who waits
        waiting.cancel()
        await asyncio.wait({waiting})
        return waiting.cancelled()

    assert asyncio.run(go())

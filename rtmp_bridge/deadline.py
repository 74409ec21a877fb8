"""Waiting for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

Result = TypeVar("Result")


async def within(seconds: float, awaitable: Awaitable[Result]) -> Result:
    """Wait for something for a while; it is cancelled when it takes longer.

    `asyncio.wait_for` loses a cancellation that comes together with the result, before Python 3.12:
    a stream that is stopped would go on.

    Raises:
        asyncio.TimeoutError: It took longer.
    """
    task = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    if task.cancelled():
        raise asyncio.TimeoutError
    return task.result()

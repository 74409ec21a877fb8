"""Publishers as processes of their own: PyAV holds the interpreter's lock while it connects."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


async def publish(address: str, seconds: float = 3.0, *options: str) -> None:
    """Publish a generated stream to its end.

    Args:
        address: Where to.
        seconds: How long the stream is.
        *options: `--paced` for a stream that takes as long as it lasts, `--size WIDTH HEIGHT`.
    """
    module = [sys.executable, "-m", "tests.rtmp_bridge.live_media", address, str(seconds), *options]
    publisher = await asyncio.create_subprocess_exec(
        *module, cwd=ROOT, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await publisher.wait()
    finally:
        if publisher.returncode is None:
            publisher.kill()

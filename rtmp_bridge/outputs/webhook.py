"""One POST a chunk, by way of a folder: what cannot be delivered now is delivered later."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections import deque
from pathlib import Path

import httpx

from clients import Backoff
from rtmp_bridge.deadline import within
from rtmp_bridge.outcomes import Outcome
from rtmp_bridge.outputs.hub import Output
from rtmp_bridge.settings import WebhookSettings

logger = logging.getLogger("rtmp_bridge")

TIMEOUT = 10.0
BACKOFF = Backoff(first=0.5, longest=60.0)
#: Answers that another attempt may change; other refusals of the 4xx kind are final.
PASSING = frozenset({408, 425, 429})
#: Seconds for what is on its way when the bridge is stopped; the rest waits in the spool.
LAST_DELIVERY = 2.0


class Webhook(Output):
    """Delivers every outcome at least once, oldest first.

    Each waits as a file in the spool until the receiver has answered with 2xx, also while the
    bridge is not running. The header `idempotency-key` tells what was delivered twice.

    Attributes:
        refused: How many the receiver did not want.
        forgotten: How many went because too many were waiting.
    """

    def __init__(
        self, settings: WebhookSettings, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Prepare.

        Args:
            settings: Where to.
            transport: How; the network if None.
        """
        self._settings = settings
        self._transport = transport
        self._waiting: deque[Path] = deque()
        self._changed = asyncio.Event()
        self._empty = asyncio.Event()
        self._number = 0
        self.refused = 0
        self.forgotten = 0

    async def __aenter__(self) -> Webhook:
        self._settings.spool.mkdir(parents=True, exist_ok=True)
        self._waiting.extend(sorted(self._settings.spool.glob("*.json")))
        self._changed.set()
        token = self._settings.token
        self._client = httpx.AsyncClient(
            transport=self._transport,
            timeout=TIMEOUT,
            headers={"authorization": f"Bearer {token}"} if token else None,
        )
        self._delivering = asyncio.create_task(self._deliver_all())
        return self

    async def __aexit__(self, *error: object) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await within(LAST_DELIVERY, self._empty.wait())
        self._delivering.cancel()
        await asyncio.gather(self._delivering, return_exceptions=True)
        await self._client.aclose()

    async def publish(self, outcome: Outcome) -> None:
        """Put an outcome into the spool."""
        self._number += 1
        name = f"{time.time_ns():020d}-{self._number:09d}-{outcome.stream}.json"
        path = self._settings.spool / name
        text = json.dumps(outcome.record(), ensure_ascii=False)
        await asyncio.to_thread(_write_whole, path, text)
        self._waiting.append(path)
        while len(self._waiting) > self._settings.most_waiting:
            self._waiting.popleft().unlink(missing_ok=True)
            self.forgotten += 1
        self._empty.clear()
        self._changed.set()

    async def _deliver_all(self) -> None:
        failures = 0
        while True:
            if not self._waiting:
                self._empty.set()
                self._changed.clear()
                await self._changed.wait()
            path = self._waiting[0] if self._waiting else None
            if path is None:
                continue
            if await self._deliver(path):
                failures = 0
                path.unlink(missing_ok=True)
                if self._waiting and self._waiting[0] is path:
                    self._waiting.popleft()
            else:
                failures += 1
                await asyncio.sleep(BACKOFF.pause(failures))

    async def _deliver(self, path: Path) -> bool:
        """Post a file; return whether it is done with."""
        try:
            body = path.read_bytes()
        except FileNotFoundError:
            return True
        headers = {"content-type": "application/json", "idempotency-key": path.stem}
        try:
            response = await self._client.post(self._settings.url, content=body, headers=headers)
        except httpx.HTTPError as error:
            logger.warning("webhook: %s, %d are waiting", type(error).__name__, len(self._waiting))
            return False
        if response.is_success:
            return True
        if response.is_client_error and response.status_code not in PASSING:
            self.refused += 1
            logger.error("webhook: %s was refused with %d", path.stem, response.status_code)
            return True
        logger.warning(
            "webhook: answered %d, %d are waiting", response.status_code, len(self._waiting)
        )
        return False


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that nobody sees half of it."""
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)

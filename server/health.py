"""The launcher's own small HTTP address: is it alive, can the server answer, what was mended.

`/live` says 200 as long as the launcher runs. `/ready` says 200 when every model can answer, else
503, with the reason in JSON. `/metrics` is for Prometheus.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge
from prometheus_client import generate_latest as prometheus_text

from server.endpoints import Endpoint


class Health:
    """What the launcher tells about the server that it keeps."""

    def __init__(self) -> None:
        self._reason = "the launcher is starting"
        self._serving_since: float | None = None
        self._registry = CollectorRegistry()
        self._restarts = Counter(
            "recogniser_server_restarts",
            "Starts of the server after the first, by why the one before ended.",
            ["cause"],
            registry=self._registry,
        )
        self._reloads = Counter(
            "recogniser_model_reloads",
            "Models that were loaded again, by what was wrong with them.",
            ["model", "cause"],
            registry=self._registry,
        )
        Gauge(
            "recogniser_ready", "1 when every model can answer.", registry=self._registry
        ).set_function(lambda: float(self.is_ready))
        Gauge(
            "recogniser_server_uptime_seconds",
            "Since the server began to serve; 0 when it does not.",
            registry=self._registry,
        ).set_function(self._uptime)

    @property
    def is_ready(self) -> bool:
        """Whether every model can answer."""
        return not self._reason

    def set_reason(self, reason: str) -> None:
        """Say why the server is not ready; an empty reason says that it is."""
        self._reason = reason

    def set_serving(self, serving: bool) -> None:
        """Say that a server has started, or is gone."""
        self._serving_since = time.monotonic() if serving else None

    def count_restart(self, cause: str) -> None:
        """Count a start of the server."""
        self._restarts.labels(cause).inc()

    def count_reload(self, model: str, cause: str) -> None:
        """Count a model that was loaded again."""
        self._reloads.labels(model, cause).inc()

    @asynccontextmanager
    async def served(self, endpoint: Endpoint | None) -> AsyncIterator[None]:
        """Answer at an address for the length of the block; None answers nowhere.

        Raises:
            OSError: The address cannot be used.
        """
        application = web.Application()
        application.add_routes(
            [
                web.get("/live", self._live),
                web.get("/ready", self._ready),
                web.get("/metrics", self._metrics),
            ]
        )
        # Whoever asks keeps the connection open, which must not delay the end.
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            if endpoint is not None:
                await web.TCPSite(runner, endpoint.address, endpoint.port).start()
            yield
        finally:
            await runner.cleanup()

    async def _live(self, _request: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def _ready(self, _request: web.Request) -> web.Response:
        if self.is_ready:
            return web.json_response({"ready": True})
        return web.json_response({"ready": False, "reason": self._reason}, status=503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=prometheus_text(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    def _uptime(self) -> float:
        return time.monotonic() - self._serving_since if self._serving_since else 0.0

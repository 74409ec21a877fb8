"""Everything together: the streams, where their outcomes go, and the page."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import uvicorn

from clients import Backoff, Connection
from rtmp_bridge.errors import SettingsError
from rtmp_bridge.outputs import Events, Hub, JsonLines, Metrics, Output, Webhook
from rtmp_bridge.settings import BridgeSettings, PageSettings, StreamSettings
from rtmp_bridge.state import State
from rtmp_bridge.stream import Stream
from rtmp_bridge.web import Web

#: A file waits for a server that is away, in seconds; a live stream's second is soon worthless.
FILE_PATIENCE = 120.0
#: Seconds for answers that are on their way when the bridge is stopped.
LAST_ANSWERS = 1


class Bridge:
    """All streams, from their first connection to their end.

    Attributes:
        streams: The streams.
    """

    def __init__(self, settings: BridgeSettings) -> None:
        """Prepare everything; nothing is connected yet.

        Args:
            settings: What to do.

        Raises:
            SentenceError: Subtitles cannot be read.
        """
        self._page = settings.page
        self._events, self._metrics = Events(), Metrics()
        self._outputs: list[Output] = [self._events, self._metrics]
        if settings.json_lines:
            self._outputs.append(JsonLines(settings.json_lines))
        if settings.webhook:
            self._outputs.append(Webhook(settings.webhook))
        hub = Hub(self._outputs)
        self._connection = settings.connection
        self.streams = [
            Stream(one, connection_of(one, settings.connection), hub.announce, hub.publish)
            for one in settings.streams
        ]

    async def run(self) -> bool:
        """Run until every stream has ended; cancel it to end them.

        Returns:
            Whether none of them failed.

        Raises:
            SettingsError: A port or a file cannot be had.
        """
        async with contextlib.AsyncExitStack() as stack:
            for output in self._outputs:
                await stack.enter_async_context(output)
            if self._page:
                await stack.enter_async_context(self._serving(self._page))
            await run_all(self.streams)
        return all(stream.state is not State.FAILED for stream in self.streams)

    @contextlib.asynccontextmanager
    async def _serving(self, page: PageSettings) -> AsyncIterator[None]:
        web = Web(self.streams, self._events, self._metrics, self._connection)
        config = uvicorn.Config(
            web.application(page),
            access_log=False,
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=LAST_ANSWERS,
            server_header=False,
        )
        server = QuietServer(config)
        with listening(page) as listener:
            serving = asyncio.create_task(server.serve([listener]))
            try:
                yield
            finally:
                self._events.close()
                server.should_exit = True
                await serving


class QuietServer(uvicorn.Server):
    """A server that leaves signals to the bridge."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@contextlib.contextmanager
def listening(page: PageSettings) -> Iterator[socket.socket]:
    """Open the page's port.

    Raises:
        SettingsError: It cannot be had.
    """
    family = socket.AF_INET6 if ":" in page.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((page.host, page.port))
        except (OSError, OverflowError) as error:
            raise SettingsError(
                f"the page cannot listen on {page.host} port {page.port}: {error}: "
                "choose another with --page HOST:PORT"
            ) from error
        yield listener


async def run_all(streams: list[Stream]) -> None:
    """Run streams side by side; when this is cancelled, or one raises, all end in order."""
    tasks = [asyncio.create_task(stream.run()) for stream in streams]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def connection_of(stream: StreamSettings, connection: Connection) -> Connection:
    """Return how a stream's chunks are recognised: a file's wait longer for the server."""
    if stream.live:
        return connection
    timeout = max(connection.timeout, FILE_PATIENCE)
    return replace(connection, timeout=timeout, backoff=Backoff(attempts=1_000))

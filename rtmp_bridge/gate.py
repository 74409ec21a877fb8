"""What stands before FFmpeg's RTMP listener: a port that is always open, and the stream key.

FFmpeg listens for one publisher, takes any stream key, and closes the port between two publishers.
The gate keeps the port open, lets in one publisher at a time, and hands on what a publisher sends
only as far as needed to learn the key, until the key is right.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

from rtmp_bridge.bit_rate import BitRate
from rtmp_bridge.deadline import within
from rtmp_bridge.errors import SettingsError, SourceError
from rtmp_bridge.settings import StreamSettings

#: Publishers that may wait while another one is there.
MOST_WAITING = 4
#: Bytes before the key: a handshake of 3073 and a few commands.
MOST_BEFORE_KEY = 8_192
#: Seconds within which a publisher tells its key.
KEY_PATIENCE = 10.0
#: Seconds within which FFmpeg listens.
LISTENER_PATIENCE = 5.0
BLOCK = 1 << 16
#: RTMP's publish command in AMF0: its name, a transaction number, null, the key as a string.
PUBLISH = re.compile(rb"\x02\x00\x07publish\x00.{8}\x05\x02(..)", re.DOTALL)


@dataclass(frozen=True)
class Publisher:
    """A publisher's connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Gate:
    """An open port; use it in an `async with` statement."""

    def __init__(self, settings: StreamSettings) -> None:
        """Prepare to listen where a stream's settings say."""
        self._settings = settings
        self._waiting: asyncio.Queue[Publisher] = asyncio.Queue(MOST_WAITING)
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Gate:
        host, port = self._settings.endpoint
        try:
            self._server = await asyncio.start_server(self._take, host, port)
        except OSError as error:
            raise SettingsError(
                f"{self._settings.name}: cannot listen on {host} port {port}: {error.strerror}"
            ) from error
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        while not self._waiting.empty():
            _close(self._waiting.get_nowait().writer)

    async def publisher(self) -> Publisher:
        """Wait for the next publisher."""
        return await self._waiting.get()

    @contextlib.asynccontextmanager
    async def relay(self, publisher: Publisher) -> AsyncIterator[tuple[str, asyncio.Task[None]]]:
        """Connect a publisher with an FFmpeg that will listen.

        Yields:
            The address at which FFmpeg shall listen, and the task that passes everything on. It
            ends when one of the two does; with a SourceError when the key is wrong.
        """
        port = free_port()
        path = self._settings.address.split("/", 3)[3]
        task = asyncio.create_task(self._pass_on(publisher, port))
        try:
            yield f"rtmp://127.0.0.1:{port}/{path}", task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            _close(publisher.writer)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self._waiting.put_nowait(Publisher(reader, writer))
        except asyncio.QueueFull:
            _close(writer)

    async def _pass_on(self, publisher: Publisher, port: int) -> None:
        reader, writer = await connect(port)
        back = asyncio.create_task(copy(reader, publisher.writer))
        try:
            await within(KEY_PATIENCE, self._pass_on_key(publisher.reader, writer))
            rate = BitRate(self._settings.limits.bits_per_second)
            await copy(publisher.reader, writer, rate)
            writer.close()
            await writer.wait_closed()  # its last second may be on its way
        except asyncio.TimeoutError as error:
            message = f"the publisher told no stream key for {KEY_PATIENCE:g} s"
            raise SourceError("key", message) from error
        except OSError:
            return
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            _close(writer)

    async def _pass_on_key(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Pass on what comes until the right key has come.

        Raises:
            SourceError: Another one came, or none.
        """
        seen = b""
        while data := await reader.read(BLOCK):
            seen += data
            key = published_key(seen)
            if key is None and len(seen) > MOST_BEFORE_KEY:
                raise SourceError("key", "the publisher tells no stream key")
            if key is not None and not hmac.compare_digest(key, self._settings.key.encode()):
                raise SourceError("key", "the publisher's stream key is wrong")
            writer.write(data)
            await writer.drain()
            if key is not None:
                return
        raise SourceError("lost", "the publisher left before it published")


def published_key(data: bytes) -> bytes | None:
    """Return the key of the publish command in what a publisher has sent, None if it is not there.

    The command is shorter than the 128 bytes at which RTMP cuts messages.
    """
    for command in PUBLISH.finditer(data):
        size = int.from_bytes(command[1], "big")
        key = data[command.end() : command.end() + size]
        if len(key) == size:
            return key
    return None


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to an FFmpeg that is about to listen.

    Raises:
        SourceError: It does not.
    """
    end = asyncio.get_running_loop().time() + LISTENER_PATIENCE
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            if asyncio.get_running_loop().time() > end:
                raise SourceError("unreachable", "FFmpeg does not listen") from error
        await asyncio.sleep(0.02)


async def copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: BitRate | None = None
) -> None:
    """Pass on bytes until there are no more, or one of the two ends has gone.

    Raises:
        SourceError: They come faster than a rate allows.
    """
    with contextlib.suppress(OSError):
        while data := await reader.read(BLOCK):
            if rate is not None:
                rate.spend(len(data))
            writer.write(data)
            await writer.drain()


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _close(writer: asyncio.StreamWriter) -> None:
    """End a connection at once: what it still has to say does not matter."""
    writer.transport.abort()

"""The recogniser over gRPC, blocking and asynchronous."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import MAX_GRPC_MESSAGE_SIZE, InferenceServerClient, InferResult
from tritonclient.grpc.aio import InferenceServerClient as AsyncInferenceServerClient
from tritonclient.utils import InferenceServerException

from clients.addresses import fault_of
from clients.chunks import Combination, cut
from clients.errors import AddressError, ClientNotOpenError, InputRefusedError, from_grpc
from clients.media import Media, read
from clients.protocol import (
    Call,
    Context,
    Faces,
    Recognition,
    context_of,
    crop_calls,
    faces_call,
    read_crop_context,
    read_faces,
    read_recognition,
)
from clients.retry import Attempts, Backoff
from clients.seconds import HOP, NOTHING_THERE, WINDOW, Moment, Past, Second, seconds_of
from clients.shared_memory import Region, registering

#: Where Triton serves gRPC unless told otherwise.
DEFAULT_URL = "127.0.0.1:8001"
#: What Triton reads the key of a restricted endpoint from, as this project's launcher sets it up.
ADMIN_KEY_HEADER = "triton-grpc-protocol-admin-key"
#: Within so many seconds a server takes note of shared memory, or forgets it.
MEMORY_SECONDS = 5.0
#: gRPC waits a second and more before it connects again, and refuses meanwhile: a retry of ours
#: would find nothing tried.
CHANNEL_ARGUMENTS = (
    ("grpc.max_send_message_length", MAX_GRPC_MESSAGE_SIZE),
    ("grpc.max_receive_message_length", MAX_GRPC_MESSAGE_SIZE),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


@dataclass(frozen=True)
class Tls:
    """How the connection is encrypted. Without any file the system's certificates are trusted.

    Attributes:
        root_certificates: PEM file of the authorities that may vouch for the server.
        private_key: PEM file of the client's own key, with `certificate_chain`.
        certificate_chain: PEM file of the client's own certificate, with `private_key`.
    """

    root_certificates: Path | None = None
    private_key: Path | None = None
    certificate_chain: Path | None = None

    def __post_init__(self) -> None:
        """Refuse half an identity."""
        if (self.private_key is None) != (self.certificate_chain is None):
            raise ValueError("tls: private_key and certificate_chain go together, one came")

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files.

        Raises:
            UnreadableFileError: One of them cannot be read.
        """
        files = (self.root_certificates, self.private_key, self.certificate_chain)
        return grpc.ssl_channel_credentials(*(path and read(path, "tls") for path in files))


@dataclass(frozen=True)
class Connection:
    """Where the server is and how it is asked.

    Attributes:
        url: host:port of the gRPC endpoint.
        timeout: Seconds that one request may take, its retries included.
        backoff: When a request is sent again after UNAVAILABLE.
        tls: Encryption; None sends everything in the clear.
        token: Sent as `authorization: Bearer <token>`; use it with `tls`.
        shared_memory: Whether inputs pass through /dev/shm; the server must run on this machine as
            the same user, and from Triton 2.69 on with `--allow-client-shm=true`.
        admin_key: What the server asks for before it takes note of shared memory.
    """

    url: str = DEFAULT_URL
    timeout: float = 60.0
    backoff: Backoff = field(default_factory=Backoff)
    tls: Tls | None = None
    token: str | None = field(default=None, repr=False)
    shared_memory: bool = False
    admin_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse an address that is not gRPC's.

        Raises:
            AddressError: It is none, such as `http://...`; the message says what it should be.
        """
        if fault := fault_of(self.url):
            raise AddressError(fault)

    def client_arguments(self) -> dict[str, Any]:
        """Return what both of tritonclient's clients are made with."""
        return {
            "url": self.url,
            "creds": self.tls and self.tls.credentials(),
            "channel_args": list(CHANNEL_ARGUMENTS),
        }

    def call_arguments(self, call: Call, attempts: Attempts) -> dict[str, Any]:
        """Return what both of tritonclient's `infer` are called with, besides the inputs."""
        return {
            "model_name": call.model,
            "outputs": call.outputs,
            "client_timeout": attempts.seconds_left(),
            "headers": self._headers(),
        }

    def memory_arguments(self) -> dict[str, Any]:
        """Return what both of tritonclient's calls about shared memory have in common."""
        key = {ADMIN_KEY_HEADER: self.admin_key} if self.admin_key else {}
        return {"headers": self._headers() | key, "client_timeout": MEMORY_SECONDS}

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    def pause_after(self, error: InferenceServerException, call: Call, attempts: Attempts) -> float:
        """Return the seconds until the next attempt; raises the named error if there is none."""
        attempts.failures += 1
        failure = from_grpc(error, self.url, call.model, self.timeout, attempts.failures)
        pause = attempts.pause_after(failure)
        if pause is None:
            try:
                raise failure from error
            finally:
                del failure  # a frame that names what it raised keeps all that was sent
        return pause


class Recogniser:
    """A blocking client; use it in a `with` statement, from any number of threads.

    All methods raise the errors of `clients.errors`.
    """

    def __init__(self, connection: Connection | str = DEFAULT_URL) -> None:
        """Prepare a connection; nothing is sent yet.

        Args:
            connection: Where and how; host:port alone means in the clear.

        Raises:
            AddressError: The address is none of a gRPC server.
            UnreadableFileError: A certificate or key cannot be read.
        """
        self._connection = _connection(connection)
        self._client = InferenceServerClient(**self._connection.client_arguments())
        self._closed = False
        self._finished: set[str] = set()

    def __enter__(self) -> Recogniser:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; what is asked from then on raises `ClientNotOpenError`."""
        self._closed = True
        self._client.close()

    def recognise(
        self,
        media: Media,
        *,
        past: Context | None = None,
        features: Collection[str] = (),
        context: bool = False,
    ) -> Recognition:
        """Recognise one recording of any length.

        Args:
            media: The recording.
            past: The context rows of what came before it in the same stream.
            features: The modalities whose features are wanted: "text", "speech", "video".
            context: Whether the recording's own context rows are wanted.

        Returns:
            The answer; a modality that could not be used is named in its `failures`.

        Raises:
            MediaTypeError: `past` is no `Context`.
        """
        combination = Combination(context_of(past), features, context)
        with closing(cut(media)) as chunks:
            for chunk in chunks:
                try:
                    answer = self._infer(combination.call(chunk))
                except InputRefusedError as refusal:
                    combination.refused(chunk, refusal)
                else:
                    combination.add(chunk, read_recognition(answer))
        return combination.result()

    def recognise_each(
        self,
        media: Media,
        *,
        hop: int = HOP,
        window: int = WINDOW,
    ) -> Iterator[Moment]:
        """Recognise a recording of any length second by second, in constant memory.

        The recording is decoded once, here, and each second is sent once.

        Args:
            media: The recording.
            hop: Seconds from one answer to the next, whole, 1 to 10.
            window: How many seconds each answer speaks for, whole, at least `hop`.

        Yields:
            A moment as soon as it is answered; also where nothing could be recognised. A last rest
            of less than half a second is none.

        Raises:
            MediaTypeError: `hop` or `window` is out of bounds.
            UnreadableFileError: A file cannot be read or decoded.
        """
        past = Past(window, hop)
        with closing(seconds_of(media, hop)) as seconds:
            for second in seconds:
                yield self._moment(past, second)

    def _moment(self, past: Past, second: Second) -> Moment:
        if second.empty:
            return second.moment(refusal=NOTHING_THERE)
        try:
            answer = read_recognition(self._infer(past.call(second)))
        except InputRefusedError as refusal:
            return second.moment(refusal=refusal.sentence)
        past.add(second, answer.context)
        return second.moment(answer)

    def faces(self, media: Media) -> Faces:
        """Return the faces in a video's first chunk."""
        with closing(cut(media)) as chunks:
            return read_faces(self._infer(faces_call(next(chunks))))

    def crop_context(self, crops: np.ndarray) -> Context:
        """Return the context rows of faces that need no detection.

        Handed to `recognise` as `past` they stand for a video of these faces.

        Args:
            crops: RGB, uint8 [T, 224, 224, 3], T from 1 to 64.
        """
        return read_crop_context([self._infer(call) for call in crop_calls(crops)])

    def _infer(self, call: Call) -> InferResult:
        if self._closed:
            raise ClientNotOpenError(f"this Recogniser of {self._connection.url} is closed already")
        attempts = Attempts(self._connection.backoff, self._connection.timeout)
        while True:
            try:
                return self._send(call, attempts)
            except InferenceServerException as error:
                pause = self._connection.pause_after(error, call, attempts)
            time.sleep(pause)

    def _send(self, call: Call, attempts: Attempts) -> InferResult:
        arguments = self._connection.call_arguments(call, attempts)
        if not self._connection.shared_memory:
            return self._client.infer(inputs=call.tensors(), **arguments)
        common = self._connection.memory_arguments()
        with Region(call.inputs) as region:
            try:
                with registering(self._connection.url):
                    self._client.register_system_shared_memory(**region.registration(), **common)
                return self._client.infer(inputs=region.tensors, **arguments)
            finally:
                self._finished.add(region.name)
                self._forget_finished(common)

    def _forget_finished(self, common: dict[str, Any]) -> None:
        for name in tuple(self._finished):
            # The server refuses while it still works on a request that was given up here.
            with suppress(InferenceServerException):
                self._client.unregister_system_shared_memory(name, **common)
                self._finished.discard(name)


class AsyncRecogniser:
    """The same for asyncio; use it in an `async with` statement, within one event loop.

    All methods raise the errors of `clients.errors`. Cancelling a call cancels its request.
    """

    def __init__(self, connection: Connection | str = DEFAULT_URL) -> None:
        """Keep the settings; the connection belongs to the event loop that enters.

        Args:
            connection: Where and how; host:port alone means in the clear.
        """
        self._connection = _connection(connection)
        self._client: AsyncInferenceServerClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finished: set[str] = set()

    async def __aenter__(self) -> AsyncRecogniser:
        self._loop = asyncio.get_running_loop()
        self._client = AsyncInferenceServerClient(**self._connection.client_arguments())
        return self

    async def __aexit__(self, *error: object) -> None:
        client, self._client = self._client, None
        await client.close()

    async def recognise(
        self,
        media: Media,
        *,
        past: Context | None = None,
        features: Collection[str] = (),
        context: bool = False,
    ) -> Recognition:
        """Recognise one recording of any length; see `Recogniser.recognise`."""
        combination = Combination(context_of(past), features, context)
        chunks = cut(media)
        # Reading and cutting block, so a thread does them.
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            try:
                answer = await self._infer(combination.call(chunk))
            except InputRefusedError as refusal:
                combination.refused(chunk, refusal)
            else:
                combination.add(chunk, read_recognition(answer))
        return combination.result()

    async def recognise_each(
        self, media: Media, *, hop: int = HOP, window: int = WINDOW
    ) -> AsyncIterator[Moment]:
        """Recognise a recording second by second; see `Recogniser.recognise_each`."""
        past = Past(window, hop)
        seconds = seconds_of(media, hop)
        while (second := await asyncio.to_thread(next, seconds, None)) is not None:
            yield await self._moment(past, second)

    async def _moment(self, past: Past, second: Second) -> Moment:
        if second.empty:
            return second.moment(refusal=NOTHING_THERE)
        try:
            answer = read_recognition(await self._infer(past.call(second)))
        except InputRefusedError as refusal:
            return second.moment(refusal=refusal.sentence)
        past.add(second, answer.context)
        return second.moment(answer)

    async def faces(self, media: Media) -> Faces:
        """Return the faces in a video's first chunk."""
        chunk = await asyncio.to_thread(next, cut(media))
        return read_faces(await self._infer(faces_call(chunk)))

    async def crop_context(self, crops: np.ndarray) -> Context:
        """Return the context rows of crops; see `Recogniser.crop_context`."""
        calls = [self._infer(call) for call in crop_calls(crops)]
        return read_crop_context(await asyncio.gather(*calls))

    def _check_open(self) -> None:
        of = f"this AsyncRecogniser of {self._connection.url}"
        if self._loop is None:
            raise ClientNotOpenError(f"{of} is not open yet: enter it with `async with`")
        if self._client is None:
            raise ClientNotOpenError(f"{of} is closed already: enter it again with `async with`")
        if self._loop is not asyncio.get_running_loop():
            raise ClientNotOpenError(
                f"{of} was entered in another event loop: make one for each `asyncio.run`"
            )

    async def _infer(self, call: Call) -> InferResult:
        self._check_open()
        attempts = Attempts(self._connection.backoff, self._connection.timeout)
        while True:
            try:
                return await self._send(call, attempts)
            except InferenceServerException as error:
                pause = self._connection.pause_after(error, call, attempts)
            await asyncio.sleep(pause)

    async def _send(self, call: Call, attempts: Attempts) -> InferResult:
        arguments = self._connection.call_arguments(call, attempts)
        if not self._connection.shared_memory:
            return await self._client.infer(inputs=call.tensors(), **arguments)
        common = self._connection.memory_arguments()
        with Region(call.inputs) as region:
            try:
                with registering(self._connection.url):
                    await self._client.register_system_shared_memory(
                        **region.registration(), **common
                    )
                return await self._client.infer(inputs=region.tensors, **arguments)
            finally:
                self._finished.add(region.name)
                await self._forget_finished(common)

    async def _forget_finished(self, common: dict[str, Any]) -> None:
        for name in tuple(self._finished):
            # The server refuses while it still works on a request that was given up here.
            with suppress(InferenceServerException):
                await self._client.unregister_system_shared_memory(name, **common)
                self._finished.discard(name)


def _connection(connection: Connection | str) -> Connection:
    return Connection(connection) if isinstance(connection, str) else connection

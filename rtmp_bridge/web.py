"""The page, the sentences that come by POST, the events, the metrics, and the form to try."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clients import Connection
from clients.contract import EMOTION_CODES, LIMITS, MESSAGES
from rtmp_bridge import trial
from rtmp_bridge.deadline import within
from rtmp_bridge.errors import SentenceError
from rtmp_bridge.outputs import Events, Metrics
from rtmp_bridge.pictures import latest_picture
from rtmp_bridge.settings import PageSettings, is_loopback
from rtmp_bridge.stream import Stream

PAGE = Path(__file__).parent / "page"
COOKIE = "rtmp_bridge_token"
#: Bytes of a sentence with its times as JSON; characters may be escaped.
MOST_TEXT_BYTES = 16_384
#: Seconds for a visitor's clip to come.
UPLOAD_PATIENCE = 120.0
#: Clips that are recognised for visitors at the same time: streams come first.
MOST_TRIALS = 2
HEADERS = {
    "content-security-policy": "default-src 'none'; connect-src 'self'; img-src 'self'; "
    "script-src 'self'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "permissions-policy": "camera=(self), microphone=(self)",
}


class Guard:
    """Lets in who may come in.

    With a token, whoever brings it: as `authorization: Bearer`, or as a cookie that the page's
    address with `?token=` sets. Without one the page is on loopback, and only requests that name a
    loopback address are answered: a web site elsewhere could otherwise reach it through a visitor's
    browser. No other site's page may send anything, or show anything of this one within itself.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        """Wrap an application.

        Args:
            app: The application.
            token: What requests must bring; None on loopback.
        """
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on to the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = self._answer(Request(scope)) or self._app
        await answer(scope, receive, send_with_headers)

    def _answer(self, request: Request) -> Response | None:
        """Return what keeps a request out, or None."""
        if self._token is None and not is_loopback(host_of(request)):
            return refusal(403, "expected a loopback address")
        if not of_this_page(request):
            return refusal(403, "expected this page's own requests")
        if self._token is None:
            return None
        given = request.query_params.get("token")
        if given is not None and request.method == "GET" and self._is_token(given):
            return remember(request, given)
        if not self._is_token(bearer_or_cookie(request)):
            sentence = "expected a token: open the page at its address with ?token=TOKEN"
            return refusal(401, sentence, {"www-authenticate": "Bearer"})
        return None

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (self._token or "").encode())


def refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return an error's sentence as JSON."""
    return JSONResponse({"error": sentence}, status, headers)


def remember(request: Request, token: str) -> Response:
    """Take the token out of the address and into a cookie.

    It is lax, not strict: browsers would not send a strict one when a link led here.
    """
    response = RedirectResponse("/" + request.url.path.lstrip("/"), 303)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, token, httponly=True, samesite="lax", secure=secure)
    return response


def host_of(request: Request) -> str:
    """Return the host that a request names, or nothing."""
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def of_this_page(request: Request) -> bool:
    """Say whether a request comes from this page, from no page, or follows a link to this one."""
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        return False
    if request.headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return True
    return request.method == "GET" and request.headers.get("sec-fetch-mode") == "navigate"


def bearer_or_cookie(request: Request) -> str:
    """Return the token that a request brings, or nothing."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token if kind.lower() == "bearer" else request.cookies.get(COOKIE, "")


class Web:
    """The web application around the running streams."""

    def __init__(
        self,
        streams: Iterable[Stream],
        events: Events,
        metrics: Metrics,
        connection: Connection,
    ) -> None:
        """Gather what is shown.

        Args:
            streams: The streams.
            events: What happens in them.
            metrics: Their figures.
            connection: Where visitors' clips are recognised.
        """
        self._streams: Mapping[str, Stream] = {one.settings.name: one for one in streams}
        self._events = events
        self._metrics = metrics
        self._connection = connection
        self._trials = asyncio.Semaphore(MOST_TRIALS)

    def application(self, page: PageSettings) -> Starlette:
        """Return the application."""
        routes = [
            Route("/", self._page),
            Route("/health", self._health),
            Route("/metrics", self._show_metrics),
            Route("/contract", self._contract),
            Route("/events", self._follow),
            Route("/streams", self._list),
            Route("/streams/{name}", self._show),
            Route("/streams/{name}/events", self._follow),
            Route("/streams/{name}/picture", self._picture),
            Route("/streams/{name}/text", self._say, methods=["POST"]),
            Route("/recognise", self._recognise, methods=["POST"]),
            Mount("/page", StaticFiles(directory=PAGE)),
        ]
        return Starlette(
            routes=routes,
            middleware=[Middleware(Guard, token=page.token)],
            exception_handlers={HTTPException: show_error},
        )

    async def _page(self, request: Request) -> Response:
        return FileResponse(PAGE / "index.html")

    async def _health(self, request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _show_metrics(self, request: Request) -> Response:
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4")

    async def _contract(self, request: Request) -> Response:
        """Tell what the page must know of the recogniser."""
        messages = {english: korean for english, korean in MESSAGES.values() if english}
        contract = {
            "emotions": EMOTION_CODES,
            "messages": messages,
            "clip_bytes": LIMITS.video_bytes,
        }
        return JSONResponse(contract)

    async def _list(self, request: Request) -> Response:
        return JSONResponse([stream.record() for stream in self._streams.values()])

    async def _show(self, request: Request) -> Response:
        return JSONResponse(self._stream(request).record())

    async def _follow(self, request: Request) -> Response:
        name = request.path_params.get("name")
        if name is not None:
            self._stream(request)
        if self._events.full:
            raise HTTPException(503, "too many are watching")
        return StreamingResponse(self._events.watch(name), media_type="text/event-stream")

    async def _picture(self, request: Request) -> Response:
        latest = self._stream(request).latest
        picture = None if latest is None else await asyncio.to_thread(latest_picture, latest)
        if picture is None:
            raise HTTPException(404, "the stream has no picture")
        return Response(picture, media_type="image/jpeg")

    async def _say(self, request: Request) -> Response:
        stream = self._stream(request)
        body = await read_body(request, MOST_TEXT_BYTES)
        try:
            document = json.loads(body)
            text, start, end = (document.get(name) for name in ("text", "start", "end"))
            if not isinstance(text, str) or not all(
                time is None or type(time) in (int, float) for time in (start, end)
            ):
                raise ValueError("text is a string, start and end are seconds")
            sentence = stream.say(text, start, end)
        except (ValueError, AttributeError) as error:
            raise HTTPException(
                422, f'expected {{"text": "...", "start": 1.5, "end": 2.5}}: {error}'
            ) from error
        except SentenceError as error:
            raise HTTPException(422, str(error)) from error
        return JSONResponse({"start": sentence.start, "end": sentence.end}, 202)

    async def _recognise(self, request: Request) -> Response:
        """Recognise a visitor's clip (the body) and sentence (`?text=`)."""
        if self._trials.locked():
            raise HTTPException(503, "other visitors' clips are being recognised, try again")
        async with self._trials:
            clip = await read_body(request, LIMITS.video_bytes)
            text = request.query_params.get("text", "").strip() or None
            if not clip and text is None:
                raise HTTPException(422, "expected a clip or a sentence")
            status, body = await trial.recognise(self._connection, text, clip)
            return Response(body, status, media_type="application/json")

    def _stream(self, request: Request) -> Stream:
        name = request.path_params["name"]
        if name not in self._streams:
            raise HTTPException(404, "there is no such stream")
        return self._streams[name]


async def read_body(request: Request, most: int) -> bytes:
    """Return what a request brings.

    Raises:
        HTTPException: It is more than `most` bytes, or does not come in time.
    """
    try:
        return await within(UPLOAD_PATIENCE, _read_body(request, most))
    except asyncio.TimeoutError as error:
        raise HTTPException(408, f"expected all within {UPLOAD_PATIENCE:g} s") from error


async def _read_body(request: Request, most: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise HTTPException(413, f"at most {most} bytes are taken")
    return bytes(body)


async def show_error(request: Request, error: Exception) -> Response:
    """Answer with an error's sentence as JSON."""
    return refusal(error.status_code, error.detail)

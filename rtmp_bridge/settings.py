"""What the bridge is asked to do, in one place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from clients import Backoff, Connection
from rtmp_bridge.errors import SettingsError

#: A stream that others may reach has a key that nobody guesses.
SHORTEST_PUBLIC_KEY = 16
#: Longer keys may not fit into the one packet in which publishers send them.
LONGEST_KEY = 80
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
LIVE_SCHEMES = frozenset({"rtmp", "rtmps", "rtsp", "rtsps", "srt", "udp", "rtp", "tcp"})


class Buffering(Enum):
    """What happens when chunks come faster than they are recognised."""

    WAIT = "wait"
    """Reading waits: nothing of a file is lost."""
    DROP_OLDEST = "drop_oldest"
    """The oldest chunk goes: a live stream's newest second matters most."""


@dataclass(frozen=True)
class Limits:
    """What a live stream may bring; one that brings more is disconnected.

    Attributes:
        pixels: Width times height of a picture.
        bits_per_second: Encoded, on average over five seconds.
        cores: Processor seconds a second to read it, on average over ten seconds.
        streams: How many streams one process takes.
    """

    pixels: int = 1920 * 1088
    bits_per_second: int = 20_000_000
    cores: float = 0.8
    streams: int = 16


@dataclass(frozen=True)
class Patience:
    """How long what is waited for, in seconds.

    Attributes:
        open: From connecting to knowing what the stream holds.
        stall: Without a decoded frame until a stream counts as stalled.
        silence: Without a decoded frame until it is connected again.
        backoff: The pauses between connections; `attempts` is not used.
        attempts: Connections in a row without a single chunk until a live stream has failed; None
            never gives up.
    """

    open: float = 15.0
    stall: float = 2.0
    silence: float = 8.0
    backoff: Backoff = field(default_factory=lambda: Backoff(first=0.5, longest=5.0))
    attempts: int | None = None


@dataclass(frozen=True)
class StreamSettings:
    """One stream.

    Attributes:
        name: What it is called everywhere; never its key.
        address: What FFmpeg opens, or `rtmp://HOST:PORT/APP/KEY` to listen on.
        listen: Whether publishers come to the bridge.
        buffering: What happens when the server is slower than the stream.
        subtitles: An SRT or WebVTT file of what is said, in the stream's time.
        hop: Seconds of a chunk.
        window: Seconds that one result speaks for, the chunk's own included.
        buffered: Chunks that may wait.
        limits: What it may bring.
        patience: How long what is waited for.
    """

    name: str
    address: str = field(repr=False)
    listen: bool = False
    buffering: Buffering = Buffering.DROP_OLDEST
    subtitles: Path | None = None
    hop: int = 1
    window: int = 6
    buffered: int = 3
    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        """Refuse what makes no sense or is not safe."""
        if not NAME.fullmatch(self.name):
            raise SettingsError(
                f"stream {self.name!r}: expected a name of letters, digits and ._-, give one with "
                "NAME=ADDRESS"
            )
        if not 1 <= self.hop <= self.window <= 16:
            raise SettingsError(
                f"{self.name}: expected 1 <= hop <= window <= 16 whole seconds, came hop "
                f"{self.hop} and window {self.window}"
            )
        if self.listen:
            self._check_listening()

    @property
    def live(self) -> bool:
        """Whether it goes on whether or not it is looked at."""
        return self.listen or is_live(self.address)

    @property
    def past_seconds(self) -> int:
        """Seconds before the chunk that its result speaks for."""
        return self.window - self.hop

    @property
    def key(self) -> str:
        """What publishers must know: the last part of the address."""
        return self.address.rstrip("/").rpartition("/")[2]

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and port to listen on."""
        parts = parts_of(self.address)
        return parts.hostname or "", parts.port or 1935

    def _check_listening(self) -> None:
        parts = parts_of(self.address)
        if parts.scheme != "rtmp" or not parts.hostname or parts.path.strip("/").count("/") != 1:
            raise SettingsError(f"{self.name}: expected to listen on rtmp://HOST:PORT/APP/KEY")
        if len(self.key) > LONGEST_KEY:
            raise SettingsError(f"{self.name}: expected a key of at most {LONGEST_KEY} characters")
        if is_loopback(parts.hostname):
            return
        if len(self.key) < SHORTEST_PUBLIC_KEY or self.key == self.name:
            raise SettingsError(
                f"{self.name}: whoever reaches {parts.hostname} may publish, so expected a key of "
                f"at least {SHORTEST_PUBLIC_KEY} characters that is not the name: "
                "--listen NAME=rtmp://HOST:PORT/APP/KEY"
            )


@dataclass(frozen=True)
class JsonLinesSettings:
    """One JSON document a line.

    Attributes:
        path: The file; None for stdout.
        most_bytes: At this size the file is renamed to `<path>.1`; 0 lets it grow.
        files: How many renamed files are kept.
        fsync: Whether each line is on the disk before the next chunk is looked at.
    """

    path: Path | None = None
    most_bytes: int = 100_000_000
    files: int = 5
    fsync: bool = False


@dataclass(frozen=True)
class WebhookSettings:
    """One POST a chunk.

    Attributes:
        url: Where to.
        spool: The folder in which they wait until they are delivered.
        most_waiting: How many may wait; the oldest goes first.
        token: Sent as `authorization: Bearer <token>`.
    """

    url: str
    spool: Path
    most_waiting: int = 100_000
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class PageSettings:
    """The page, the text endpoint, the events and the metrics.

    Attributes:
        host: The address to bind to.
        port: The port.
        token: What every request must bring; needed unless the address is loopback.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse to show faces to everybody."""
        if not is_loopback(self.host) and len(self.token or "") < SHORTEST_PUBLIC_KEY:
            raise SettingsError(
                f"the page shows faces to whoever reaches {self.host}: give a token of at least "
                f"{SHORTEST_PUBLIC_KEY} characters with --token-file"
            )


@dataclass(frozen=True)
class BridgeSettings:
    """Everything.

    Attributes:
        streams: The streams.
        connection: Where the recogniser is and how it is asked about live streams.
        page: The page, if there is one.
        json_lines: JSON lines, if wanted.
        webhook: A webhook, if wanted.
    """

    streams: tuple[StreamSettings, ...]
    connection: Connection = field(default_factory=Connection)
    page: PageSettings | None = None
    json_lines: JsonLinesSettings | None = None
    webhook: WebhookSettings | None = None

    def __post_init__(self) -> None:
        """Refuse what streams cannot share."""
        if not self.streams:
            raise SettingsError("expected at least one stream: an address, --listen or --config")
        most = self.streams[0].limits.streams
        if len(self.streams) > most:
            raise SettingsError(f"expected at most {most} streams, came {len(self.streams)}")
        names = [stream.name for stream in self.streams]
        if twice := {name for name in names if names.count(name) > 1}:
            raise SettingsError(f"expected a name for each stream, twice came {sorted(twice)}")
        ports = [stream.endpoint[1] for stream in self.streams if stream.listen]
        if len(set(ports)) < len(ports):
            raise SettingsError("expected a port for each --listen; nginx can share one")


def is_live(address: str) -> bool:
    """Say whether an address is a live stream; files and web addresses are replayed."""
    return parts_of(address).scheme in LIVE_SCHEMES


def parts_of(address: str) -> SplitResult:
    """Take an address apart.

    Raises:
        SettingsError: It is none.
    """
    try:
        parts = urlsplit(address)
        _ = parts.port  # is only read when it is asked for
    except ValueError as error:
        raise SettingsError(f"an address cannot be used: {error}") from error
    return parts


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

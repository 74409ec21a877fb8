"""Half an hour of a live stream through every failure: `python -m benchmarks.soak`.

A server, the bridge and a publisher are started. While the publisher streams, it is killed and
started again, the server is stopped and started again, and the network between bridge and server
goes dead and comes back, evenly spread over the time. Each failure must be followed by results
again without help. At the end the account must add up, every chunk must be in the JSON lines once,
and the bridge must have no more threads, file descriptors and memory than at the beginning.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.live import (
    DEMO_CLIP,
    Publisher,
    RunningBridge,
    cpu_model,
    encode_clip,
    running_bridge,
    wait_for,
)
from rtmp_bridge.gate import free_port
from server import RunningServer, running_server

STREAM = "soak"
#: What is sampled counts as grown when it is beyond this at the end, against the beginning. In half
#: an hour, 20 kB left behind by each second would be more.
MORE_THREADS, MORE_FILES, MORE_BYTES = 2, 3, 32_000_000
#: Seconds without a publisher, as a person takes to start one again.
AWAY_S = 3.0
GIVE_UP_S = 120.0
BLOCK = 1 << 16


@dataclass(frozen=True)
class Plan:
    """What happens.

    Attributes:
        minutes: How long it goes on; longer when the failures need more.
        publisher_kills: How often the publisher is killed.
        server_restarts: How often the server is restarted.
        network_cuts: How often the network goes dead.
        cut_seconds: For how long.
    """

    minutes: float = 30.0
    publisher_kills: int = 10
    server_restarts: int = 2
    network_cuts: int = 1
    cut_seconds: float = 10.0

    def failures(self) -> list[tuple[float, str]]:
        """Return when, in seconds from the start, which failure happens."""
        counts = {
            "publisher": self.publisher_kills,
            "server": self.server_restarts,
            "network": self.network_cuts,
        }
        places = sorted(
            ((index + 0.5) / count, kind)
            for kind, count in counts.items()
            for index in range(count)
        )
        pause = self.minutes * 60 / (len(places) + 1)
        return [(pause * number, kind) for number, (_, kind) in enumerate(places, start=1)]


@dataclass(frozen=True)
class Sample:
    """What the bridge's processes hold."""

    threads: int
    files: int
    bytes: int


@dataclass
class Report:
    """What came of it.

    Attributes:
        recoveries: Seconds until the first result after each failure was over, by its kind.
        published: Seconds of media that the publishers say they have sent.
        received: Seconds of media in the JSON lines.
        account: The bridge's own account at the end.
        lines: JSON lines by kind.
        messages: What one of the lines without a result says, by reason.
        before, after: What the bridge's processes held at the beginning and at the end.
        faults: What must not be.
    """

    machine: str
    plan: dict[str, Any]
    recoveries: dict[str, list[float]] = field(default_factory=dict)
    published: float = 0.0
    received: float = 0.0
    account: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    before: Sample | None = None
    after: Sample | None = None
    faults: list[str] = field(default_factory=list)


class Soak:
    """One run."""

    def __init__(self, plan: Plan, clip: Path, folder: Path) -> None:
        """Prepare a run that writes into an empty folder."""
        self._plan = plan
        self._folder = folder
        self._clip = encode_clip(clip, folder)
        self._address = f"rtmp://127.0.0.1:{free_port()}/live/key"
        self._publishers: list[Publisher] = []
        self._samples: list[Sample] = []
        self._serving = ExitStack()

    def run(self) -> Report:
        """Go through the plan."""
        report = Report(cpu_model(), asdict(self._plan))
        with ExitStack() as stack:
            stack.enter_context(self._serving)
            server = self._serving.enter_context(running_server())
            network = stack.enter_context(Network(server.grpc_url).running())
            listen = ["--listen", f"{STREAM}={self._address}"]
            bridge = stack.enter_context(running_bridge(self._folder, network.url, listen))
            stack.callback(self._kill_publisher)
            self._publish()
            self._wait_for_result(bridge)
            begin = time.monotonic()
            for at, kind in self._plan.failures():
                self._sample_until(bridge, begin + at)
                self._fail(kind, network, server)
                try:
                    seconds = self._wait_for_result(bridge)
                except TimeoutError as error:
                    report.faults.append(f"{kind}: {error}")
                    continue
                report.recoveries.setdefault(kind, []).append(round(seconds, 1))
                sys.stderr.write(f"{kind:10} back after {seconds:.1f} s, {self._samples[-1]}\n")
            self._sample_until(bridge, begin + self._plan.minutes * 60)
            self._kill_publisher()
            wait_for(lambda: not pending(bridge), GIVE_UP_S, "the last result")
            self._close(report, bridge)
        return report

    def _fail(self, kind: str, network: Network, server: RunningServer) -> None:
        """Let something fail, and mend it again."""
        if kind == "publisher":
            self._kill_publisher()
            time.sleep(AWAY_S)
            self._publish()
        elif kind == "server":
            self._serving.close()
            ports = {"http": server.http_url, "grpc": server.grpc_url}
            flags = [f"--{name}-port={url.rpartition(':')[2]}" for name, url in ports.items()]
            self._serving.enter_context(running_server(*flags))
        else:
            with network.cut():
                time.sleep(self._plan.cut_seconds)

    def _publish(self) -> None:
        progress = self._folder / f"progress-{len(self._publishers)}"
        self._publishers.append(Publisher(self._clip, self._address, progress))

    def _kill_publisher(self) -> None:
        if self._publishers:
            self._publishers[-1].kill()

    def _wait_for_result(self, bridge: RunningBridge) -> float:
        """Wait for the result of a second that comes from now on; return how long it took."""
        following = account_of(bridge)["streamed"]

        def recognised() -> bool:
            new = bridge.read_lines()
            return any(line["kind"] == "result" and line["chunk"] >= following for line in new)

        return wait_for(recognised, GIVE_UP_S, "a result")

    def _sample_until(self, bridge: RunningBridge, end: float) -> None:
        """Take a sample every second, and at least one."""
        process = bridge.process
        while True:
            # What reads the stream is a process of its own, another one after each crash.
            family = [process, *process.children()]
            self._samples.append(
                Sample(
                    sum(one.num_threads() for one in family),
                    sum(one.num_fds() for one in family),
                    sum(one.memory_info().rss for one in family),
                )
            )
            if time.monotonic() >= end:
                return
            time.sleep(1.0)

    def _close(self, report: Report, bridge: RunningBridge) -> None:
        bridge.read_lines()
        lines = bridge.lines
        report.account = account_of(bridge)
        report.lines = dict(Counter(line["kind"] for line in lines))
        report.messages = {line["reason"]: line["message"] for line in lines if "reason" in line}
        report.published = round(sum(publisher.seconds() for publisher in self._publishers), 1)
        report.received = round(sum(line["stream_time"] - line["chunk"] for line in lines), 1)
        part = max(1, len(self._samples) // 5)
        report.before, report.after = typical(self._samples[:part]), typical(self._samples[-part:])
        report.faults += [*account_faults(report, lines), *growth_faults(report)]
        slack = len(self._publishers)  # what a killed one had sent since its last report, or held
        if abs(report.published - report.received) > slack:
            report.faults.append(
                f"{report.published} s were published, {report.received} s are accounted for"
            )


class Network:
    """A TCP relay to the server that can go dead: connections stay, and nothing passes."""

    def __init__(self, far: str) -> None:
        """Prepare a relay to host:port."""
        self._far = far
        self._loop = asyncio.new_event_loop()
        self._whole = asyncio.Event()
        self.url = f"127.0.0.1:{free_port()}"

    @contextmanager
    def running(self) -> Iterator[Network]:
        """Relay for the length of a `with` block, in a thread."""
        host, _, port = self.url.partition(":")
        self._whole.set()
        self._loop.run_until_complete(asyncio.start_server(self._relay, host, int(port)))
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Let nothing pass for the length of a `with` block."""
        self._loop.call_soon_threadsafe(self._whole.clear)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._whole.set)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await self._whole.wait()
            far_reader, far_writer = await asyncio.open_connection(*self._far.split(":"))
            ways = [self._pass_on(reader, far_writer), self._pass_on(far_reader, writer)]
            await asyncio.gather(*ways)
        writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(BLOCK):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


def account_of(bridge: RunningBridge) -> dict[str, Any]:
    """Return the stream's account."""
    (stream,) = bridge.streams()
    return stream["account"]


def pending(bridge: RunningBridge) -> bool:
    """Say whether the stream goes on, or some of its chunks are not accounted for yet."""
    (stream,) = bridge.streams()
    return stream["state"] == "streaming" or bool(stream["account"]["pending"])


def typical(samples: list[Sample]) -> Sample:
    """Return the median of what was sampled."""
    return Sample(*(int(median(figures)) for figures in zip(*map(astuple, samples), strict=True)))


def account_faults(report: Report, lines: list[dict[str, Any]]) -> list[str]:
    """Say where the account does not add up."""
    account = report.account
    ends = account["results"] + sum(account["errors"].values()) + sum(account["drops"].values())
    faults = []
    if ends != account["streamed"]:
        faults.append(f"{account['streamed']} chunks came, {ends} are accounted for")
    if sorted(line["chunk"] for line in lines) != list(range(account["streamed"])):
        faults.append(f"{account['streamed']} chunks came, {len(lines)} lines were written")
    return faults


def growth_faults(report: Report) -> list[str]:
    """Say what has grown."""
    before, after = report.before, report.after
    most = Sample(
        before.threads + MORE_THREADS, before.files + MORE_FILES, before.bytes + MORE_BYTES
    )
    return [
        f"{name} grew from {getattr(before, name)} to {getattr(after, name)}"
        for name in asdict(most)
        if getattr(after, name) > getattr(most, name)
    ]


def main() -> int:
    """Print the report as JSON; returns 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=Plan.minutes)
    parser.add_argument("--publisher-kills", type=int, default=Plan.publisher_kills)
    parser.add_argument("--server-restarts", type=int, default=Plan.server_restarts)
    parser.add_argument("--network-cuts", type=int, default=Plan.network_cuts)
    parser.add_argument("--cut-seconds", type=float, default=Plan.cut_seconds)
    parser.add_argument("--clip", type=Path, default=DEMO_CLIP, help="what is published")
    parser.add_argument("--out", type=Path, help="a file for the report")
    options = vars(parser.parse_args())
    clip, out = options.pop("clip"), options.pop("out")
    with TemporaryDirectory() as folder:
        report = Soak(Plan(**options), clip, Path(folder)).run()
    text = json.dumps(asdict(report), indent=2)
    sys.stdout.write(f"{text}\n")
    if out:
        out.write_text(f"{text}\n", encoding="utf-8")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())

"""Streams by way of a real nginx with its RTMP module, as `nginx.conf` sets it up."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

import rtmp_bridge
from clients import Backoff
from rtmp_bridge.settings import Patience, StreamSettings
from rtmp_bridge.state import State
from tests.rtmp_bridge.conftest import free_port, run_of, running
from tests.rtmp_bridge.publishing import publish

CONFIG = Path(rtmp_bridge.__file__).parent / "nginx.conf"
MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
QUICK = Patience(open=10.0, stall=0.5, silence=5.0, backoff=Backoff(first=0.05, longest=0.1))


@pytest.fixture
def nginx(tmp_path):
    """The address of an nginx with the project's own configuration, on a free port."""
    if NGINX is None or not MODULE.exists():
        pytest.skip("needs the Debian packages nginx and libnginx-mod-rtmp")
    endpoint = f"127.0.0.1:{free_port()}"
    config = tmp_path / "nginx.conf"
    config.write_text(CONFIG.read_text().replace("listen 127.0.0.1:1935", f"listen {endpoint}"))
    command = [NGINX, "-e", "stderr", "-p", str(tmp_path), "-c", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            started = any("start worker process " in line for line in process.stderr)
            assert started, "nginx did not start"
            yield f"rtmp://{endpoint}"
        finally:
            process.terminate()
            process.communicate()


def test_a_publisher_leaves_nginx_and_returns(fake, nginx):
    settings = StreamSettings("door", f"{nginx}/live/key", patience=QUICK)

    async def go():
        run = run_of(settings, fake.grpc)
        async with running(run):
            for times in range(1, 3):
                await publish(settings.address, 4.0, "--paced")
                await run.until(lambda run, times=times: connections(run) == times)
                await run.until(lambda run: run.states[-1] is State.RECONNECTING)
        return run

    run = asyncio.run(go())
    account = run.stream.account
    assert account.pending == 0
    assert account.results == account.streamed >= 4
    assert [outcome.chunk.index for outcome in run.outcomes] == list(range(account.streamed))
    assert sum(outcome.chunk.fresh for outcome in run.outcomes) == 2
    assert all(outcome.chunk.frames and outcome.chunk.sound for outcome in run.outcomes[:2])


def connections(run):
    return run.states.count(State.STREAMING)


def test_two_publishers_share_a_port_by_their_keys(fake, nginx):
    async def go():
        runs = [
            run_of(StreamSettings(name, f"{nginx}/live/{name}", patience=QUICK), fake.grpc)
            for name in ("front", "door")
        ]
        async with running(runs[0]), running(runs[1]):
            await asyncio.gather(
                *(publish(run.stream.settings.address, 4.0, "--paced") for run in runs)
            )
            for run in runs:
                await run.until(lambda run: run.stream.account.results >= 2)

    asyncio.run(go())

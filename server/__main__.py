"""Serve the model repositories: `python -m server [any flag of tritonserver]`.

Without flags it serves this project's two repositories on 127.0.0.1 (HTTP 8000, gRPC 8001,
metrics 8002). It prints a line that begins with `ready:` whenever the server is known to answer.
SIGINT and SIGTERM finish the requests in flight; a second one does not wait for them.

The launcher's own flags:

  --admin-key-file=FILE        Holds the key that the endpoints for loading models, shared memory,
                               traces and log settings, and inference over HTTP, ask for in the
                               header `admin-key` (on gRPC `triton-grpc-protocol-admin-key`). A file
                               that does not exist is made, with a random key. The environment
                               variable RECOGNISER_ADMIN_KEY may hold the key instead. Without
                               either nobody but the launcher knows it.
  --tls-certificate=PEM        Encrypts gRPC; with --tls-key=PEM. Triton's HTTP cannot be encrypted.
  --tls-client-ca=PEM          Lets in only clients with a certificate of this authority. The
                               launcher is one: --tls-probe-certificate=PEM, --tls-probe-key=PEM.
  --allow-plaintext-grpc       Accepts that gRPC elsewhere than on loopback is not encrypted.
  --allow-unsafe-http          Accepts that HTTP or metrics elsewhere than on loopback are neither
                               encrypted nor safe from requests that end the server.
  --allow-open-http-inference  Accepts inference over HTTP without the key: some requests end the
                               embedded server.
  --health-address=ADDRESS, --health-port=PORT, --allow-health=false
                               Where the launcher answers /live, /ready (with the reason when it is
                               not) and /metrics over HTTP; 127.0.0.1:8003 unless given.

Exit codes: 0 stopped by a signal, 1 the server failed, 2 it could not be started as asked.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from server.admin_key import VARIABLE as ADMIN_KEY_VARIABLE
from server.endpoints import check_ports
from server.errors import LauncherError
from server.flags import SECRET_FLAGS, Settings, parse_settings
from server.keep_private import hide
from server.launch import Launch, open_launch, reap_dead_launches
from server.runtime import (
    Runtime,
    build_backends,
    find_runtime,
    known_flags,
    server_environment,
)
from server.supervisor import Supervisor

logger = logging.getLogger("server")


def main(argv: list[str]) -> int:
    """Serve until a signal stops it.

    Returns:
        The exit code.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    try:
        runtime = find_runtime()
        if "--help" in argv:
            _show_help(runtime)
        settings = parse_settings(argv, known_flags(runtime), os.environ)
        for launch in reap_dead_launches():
            logger.warning("removed what an earlier launch had left behind (%s)", launch.name)
        check_ports(settings.endpoints)
        with open_launch() as launch:
            asyncio.run(_supervise(settings, runtime, launch))
    except LauncherError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


async def _supervise(settings: Settings, runtime: Runtime, launch: Launch) -> None:
    command, hidden = hide(_command(settings, runtime, launch), SECRET_FLAGS)
    environment = server_environment(runtime)
    environment.pop(ADMIN_KEY_VARIABLE, None)
    supervisor = Supervisor(
        settings,
        command,
        environment | hidden,
        launch,
        on_serving=lambda: _say_ready(settings),
    )
    await supervisor.run()


def _command(settings: Settings, runtime: Runtime, launch: Launch) -> list[str]:
    command = [str(runtime.server)]
    if runtime.parts:
        command.append(f"--cache-directory={runtime.parts.caches}")
    command += settings.arguments
    command.append(f"--backend-config=python,shm-region-prefix-name={launch.region_prefix}")
    if runtime.parts and settings.own_backends:
        command.append(f"--backend-directory={build_backends(runtime.parts, launch.folder)}")
    return command


def _say_ready(settings: Settings) -> None:
    places = (f"{endpoint.name.lower()} {endpoint.url}" for endpoint in settings.endpoints)
    sys.stdout.write(f"ready: {' '.join(places)}\n")
    sys.stdout.flush()


def _show_help(runtime: Runtime) -> None:
    sys.stdout.write(f"{__doc__}\nThe flags of tritonserver:\n\n")
    sys.stdout.flush()
    os.execve(runtime.server, [str(runtime.server), "--help"], server_environment(runtime))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A server that is installed as in the official container, here made of the wheel's files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton

from server import runtime
from server.errors import MissingRuntimeError
from server.flags import parse_settings
from server.runtime import Runtime, find_runtime, known_flags, server_environment
from tests.server.processes import free_ports
from tests.server.tiny_repository import write_repository

#: What the container's own start does: no wheel, and the server where it is installed.
LAUNCHER = """
import sys
from pathlib import Path
from server import runtime
from server.__main__ import main
runtime.INSTALLED = Path(sys.argv[1])
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the layout of /opt/tritonserver."""
    folder = tmp_path_factory.mktemp("opt") / "tritonserver"
    wheel = find_runtime()
    python = folder / "backends" / "python"
    python.mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin" / "tritonserver").symlink_to(wheel.server)
    for file in (*wheel.parts.backend.iterdir(), wheel.parts.stub):
        if file.is_file():
            shutil.copy2(file, python)
    return folder


def test_an_installed_server_comes_before_the_wheels(installed, monkeypatch):
    monkeypatch.setattr(runtime, "INSTALLED", installed)
    assert find_runtime() == Runtime(installed / "bin" / "tritonserver")


def test_an_installed_server_runs_with_its_own_backends(installed, tmp_path):
    repository = write_repository(tmp_path)
    for model in ("double", "lookup", "total", "branches"):
        # They need the onnxruntime backend, which only the container has.
        shutil.rmtree(repository / model)
    ports = free_ports("http", "grpc", "metrics")
    flags = [f"--{name}-port={port}" for name, port in ports.items()]
    # The binary's own default is /opt/tritonserver/backends.
    flags += [f"--model-repository={repository}", f"--backend-directory={installed / 'backends'}"]
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(installed), *flags],
        cwd=runtime.ROOT,
        env=os.environ | {"LD_LIBRARY_PATH": _library_path()},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline().startswith("ready:")
        text = triton.InferInput("TEXT", [1], "BYTES")
        text.set_data_from_numpy(np.array([b"hello"], np.object_))
        with triton.InferenceServerClient(f"127.0.0.1:{ports['grpc']}") as client:
            assert client.infer("recognize", [text]).as_numpy("RESULT")[0] == b"hello"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 0


def test_the_flags_of_the_release_are_those_of_its_help():
    flags = known_flags(find_runtime())
    assert {"http-restricted-api", "grpc-use-ssl-mutual", "trace-config"} <= flags
    settings = parse_settings([], known_flags=flags)
    assert {
        argument.partition("=")[0].removeprefix("--") for argument in settings.arguments
    } <= flags


def test_a_server_that_does_not_run_is_named(tmp_path):
    server = tmp_path / "tritonserver"
    server.write_text(
        "#!/bin/sh\necho libcuda.so.1: cannot open shared object file >&2\nexit 127\n"
    )
    server.chmod(0o700)
    with pytest.raises(MissingRuntimeError, match=r"does not run: libcuda\.so\.1"):
        known_flags(Runtime(server))


def _library_path() -> str:
    return server_environment(find_runtime())["LD_LIBRARY_PATH"]

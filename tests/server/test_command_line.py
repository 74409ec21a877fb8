"""What the launcher says when it cannot serve."""

from __future__ import annotations

import socket
from importlib.metadata import PackageNotFoundError

import pytest

from server import runtime
from server.__main__ import main
from server.errors import MissingRuntimeError
from server.perf_analyzer import find_perf_analyzer, link_libraries
from server.runtime import find_runtime


def test_a_taken_port_is_named_with_the_flag_that_changes_it(capsys, repository):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = main([f"--model-repository={repository}", f"--grpc-port={port}"])
    assert code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert f"gRPC port {port} on 127.0.0.1 is taken" in message
    assert "--grpc-port" in message


def test_two_front_ends_cannot_share_a_port(capsys, repository):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ports = [f"--http-port={port}", f"--grpc-port={port}"]
    assert main([f"--model-repository={repository}", *ports]) == 2
    assert f"port {port}" in capsys.readouterr().err


def test_a_missing_repository_is_named(capsys):
    assert main(["--model-repository=/no/such/folder"]) == 2
    assert "'/no/such/folder' is no folder" in capsys.readouterr().err


def test_an_old_glibc_is_named(monkeypatch):
    monkeypatch.setattr(runtime.platform, "libc_ver", lambda: ("glibc", "2.31"))
    with pytest.raises(MissingRuntimeError, match=r"needs glibc 2\.34 or newer, this is 2\.31"):
        find_runtime()


def test_another_libc_is_named(monkeypatch):
    monkeypatch.setattr(runtime.platform, "libc_ver", lambda: ("", ""))
    with pytest.raises(MissingRuntimeError, match="another libc"):
        find_runtime()


def test_a_missing_wheel_is_named(monkeypatch):
    def no_distribution(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(runtime, "distribution", no_distribution)
    with pytest.raises(MissingRuntimeError, match="package nvidia-pytriton is not installed"):
        find_runtime()


def test_a_python_without_a_shared_library_is_named(monkeypatch, tmp_path):
    def no_library(name):
        raise OSError(name)

    monkeypatch.setattr(runtime.sysconfig, "get_config_var", lambda name: str(tmp_path))
    monkeypatch.setattr(runtime.sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr(runtime.ctypes, "CDLL", no_library)
    with pytest.raises(MissingRuntimeError, match=r"libpython3\.\d+\.so\.1\.0 was not found"):
        find_runtime()


def test_a_python_without_a_stub_is_named(monkeypatch):
    monkeypatch.setattr(runtime, "_libpython_folder", lambda: runtime.ROOT)
    monkeypatch.setattr(runtime, "_python_version", lambda: "3.99")
    with pytest.raises(MissingRuntimeError, match=r"3\.11.*, this is 3\.99"):
        find_runtime()


def test_perf_analyzer_finds_its_libraries_under_the_names_that_it_asks_for(tmp_path):
    assert find_perf_analyzer().is_file()
    for _ in range(2):
        link_libraries(find_runtime().libraries[0], tmp_path)
    assert {link.name for link in tmp_path.iterdir()} == {"libb64.so.0d", "libcudart.so.12"}
    assert all(link.resolve().is_file() for link in tmp_path.iterdir())

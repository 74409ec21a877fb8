"""The documented proxy: TLS and client certificates in front of Triton's HTTP."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, Request, build_opener

import pytest

from server.runtime import ROOT
from tests.server.certificates import Identity, make_authority, make_identity
from tests.server.processes import free_ports

INFER = "/v2/models/recognize/infer"
BODY = json.dumps(
    {
        "inputs": [
            {"name": "TEXT", "shape": [1], "datatype": "BYTES", "data": ["나는 지금 너무 슬퍼"]}
        ]
    }
).encode()
START_S = 10.0


@dataclass(frozen=True)
class Proxy:
    """nginx with the documented configuration."""

    port: int
    authority: Identity
    client: Identity

    def ask(self, path: str, body: bytes | None = None, key: str = "", known: bool = True) -> bytes:
        context = ssl.create_default_context(cafile=self.authority.certificate)
        if known:
            context.load_cert_chain(self.client.certificate, self.client.key)
        request = Request(f"https://localhost:{self.port}{path}", body, {"admin-key": key})
        with build_opener(HTTPSHandler(context=context)).open(request, timeout=60) as answer:
            return answer.read()


@pytest.fixture(scope="module")
def proxy(triton, tmp_path_factory) -> Iterator[Proxy]:
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("nginx")
    port = free_ports("https")["https"]
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    text = text.replace("8443", str(port)).replace("127.0.0.1:8000", triton.http_url)
    (folder / "nginx.conf").write_text(text)
    authority = write_certificates(folder / "certificates")
    client = make_identity(folder, "client", authority, "DNS:client.example")
    # As root nginx would hand bodies to a user who may not enter the test's folder.
    user = "user root;" if os.geteuid() == 0 else ""
    options = f"daemon off; pid {folder}/pid; error_log stderr; {user}"
    process = subprocess.Popen(
        ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", options]
    )
    try:
        proxy = Proxy(port, authority, client)
        wait_until_listening(proxy, process)
        yield proxy
    finally:
        process.terminate()
        process.wait()


def write_certificates(folder: Path) -> Identity:
    """Write the files that the configuration names; one authority vouches for both sides."""
    folder.mkdir()
    authority = make_authority(folder, "authority")
    server = make_identity(folder, "proxy", authority, "DNS:localhost")
    shutil.copy(server.certificate, folder / "server.pem")
    shutil.copy(server.key, folder / "server.key")
    shutil.copy(authority.certificate, folder / "clients.pem")
    return authority


def wait_until_listening(proxy: Proxy, process: subprocess.Popen) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            proxy.ask("/v2/health/live")
            return
        except URLError:
            time.sleep(0.05)
    raise AssertionError("nginx does not answer")


def test_a_client_with_a_certificate_and_the_key_is_answered(proxy, triton):
    (result,) = (
        output["data"][0]
        for output in json.loads(proxy.ask(INFER, BODY, triton.admin_key))["outputs"]
        if output["name"] == "RESULT"
    )
    assert json.loads(result)["result"]["10006"] > 0.5


@pytest.mark.parametrize(
    ("path", "known", "status"),
    [(INFER, False, 400), (INFER, True, 403), ("/v2/repository/index", True, 404)],
    ids=["no certificate", "no key", "another endpoint"],
)
def test_others_are_refused(proxy, path, known, status):
    with pytest.raises(HTTPError) as refusal:
        proxy.ask(path, BODY, known=known)
    assert refusal.value.code == status

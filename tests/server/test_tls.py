"""gRPC with TLS and mutual TLS: what is served, how it is watched, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from clients.recogniser import Connection
from clients.recogniser import Tls as ClientTls
from server import running_server
from server.errors import FlagError
from server.flags import parse_settings
from server.tls import find_tls
from tests.server.certificates import Identity, make_authority, make_identity
from tests.server.processes import kill, stubs_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder) -> Identity:
    return make_authority(folder, "authority")


@pytest.fixture(scope="module")
def server_identity(folder, authority) -> Identity:
    return make_identity(folder, "server", authority, "DNS:recogniser.example, IP:127.0.0.1")


@pytest.fixture(scope="module")
def client_identity(folder, authority) -> Identity:
    return make_identity(folder, "client", authority, "DNS:client.example")


@pytest.fixture(scope="module")
def mutual_flags(authority, server_identity, client_identity) -> list[str]:
    return [
        f"--tls-certificate={server_identity.certificate}",
        f"--tls-key={server_identity.key}",
        f"--tls-client-ca={authority.certificate}",
        f"--tls-probe-certificate={client_identity.certificate}",
        f"--tls-probe-key={client_identity.key}",
    ]


@pytest.fixture(scope="module")
def mutual_server(repository, mutual_flags):
    with running_server(f"--model-repository={repository}", *mutual_flags) as server:
        yield server


def echo(server, tls: ClientTls | None) -> str:
    """Ask the tiny model as the client library connects."""
    text = triton.InferInput("TEXT", [1], "BYTES")
    text.set_data_from_numpy(np.array([b"hello"], np.object_))
    arguments = Connection(server.grpc_url, tls=tls).client_arguments()
    with triton.InferenceServerClient(**arguments) as client:
        return client.infer("recognize", [text]).as_numpy("RESULT")[0].decode()


def test_a_client_that_the_authority_vouches_for_is_answered(
    mutual_server, authority, client_identity
):
    tls = ClientTls(authority.certificate, client_identity.key, client_identity.certificate)
    assert echo(mutual_server, tls) == "hello"


def test_a_client_without_a_certificate_or_without_tls_is_not(mutual_server, authority):
    for tls in (ClientTls(authority.certificate), None):
        with pytest.raises(InferenceServerException, match="UNAVAILABLE"):
            echo(mutual_server, tls)


def test_the_probes_own_certificate_is_what_lets_them_in(
    mutual_server, authority, server_identity, client_identity, folder
):
    tls = tls_of(server_identity, authority, client_identity)
    with triton.InferenceServerClient(mutual_server.grpc_url, **tls.client_arguments()) as probe:
        assert probe.is_server_live(client_timeout=20.0)
    stranger = make_authority(folder, "stranger")
    unknown = replace(
        tls, client_ca=None, probe_certificate=stranger.certificate, probe_key=stranger.key
    )
    with (
        triton.InferenceServerClient(mutual_server.grpc_url, **unknown.client_arguments()) as probe,
        pytest.raises(InferenceServerException, match="UNAVAILABLE"),
    ):
        probe.is_server_live(client_timeout=20.0)


def test_a_killed_model_process_is_replaced_under_mutual_tls(
    mutual_server, authority, client_identity
):
    kill(next(stub for stub in stubs_of(mutual_server) if stub.model == "text"))
    mutual_server.wait_until_ready()
    tls = ClientTls(authority.certificate, client_identity.key, client_identity.certificate)
    assert echo(mutual_server, tls) == "hello"


def test_without_a_client_authority_any_client_is_answered_encrypted(
    repository, server_identity, authority
):
    flags = [
        f"--tls-certificate={server_identity.certificate}",
        f"--tls-key={server_identity.key}",
        "--grpc-address=0.0.0.0",
    ]
    with running_server(f"--model-repository={repository}", *flags) as server:
        assert echo(server, ClientTls(authority.certificate)) == "hello"


def tls_of(server: Identity, authority: Identity | None = None, probe: Identity | None = None):
    return find_tls(
        str(server.certificate),
        str(server.key),
        authority and str(authority.certificate),
        probe and str(probe.certificate),
        probe and str(probe.key),
    )


def test_the_probes_use_a_name_that_the_certificate_bears(server_identity, folder, authority):
    assert tls_of(server_identity).check() == "recogniser.example"
    by_address = make_identity(folder, "address", authority, "IP:192.0.2.7")
    assert tls_of(by_address).check() == "192.0.2.7"


def test_files_that_do_not_fit_are_refused_before_the_server_starts(
    server_identity, client_identity, authority, folder
):
    other_key = Identity(server_identity.certificate, client_identity.key)
    with pytest.raises(FlagError, match="no certificate with its key"):
        tls_of(other_key)
    no_certificate = Identity(client_identity.key, client_identity.key)
    with pytest.raises(FlagError, match="no certificate with its key"):
        tls_of(no_certificate)
    stranger = make_authority(folder, "another")
    with pytest.raises(FlagError, match="--tls-probe-certificate is not accepted"):
        tls_of(server_identity, stranger, client_identity)


def test_an_expired_certificate_is_refused(folder, authority):
    expired = make_identity(folder, "expired", authority, "DNS:old.example", ("-days", "-1"))
    with pytest.raises(
        FlagError, match="--tls-certificate is not accepted: certificate has expired"
    ):
        tls_of(expired)


def test_a_private_key_that_is_open_to_others_is_refused(server_identity, folder):
    key = folder / "open.key"
    key.write_bytes(server_identity.key.read_bytes())
    key.chmod(0o644)
    with pytest.raises(FlagError, match=r"--tls-key: .*open to every user"):
        tls_of(Identity(server_identity.certificate, key))


@pytest.mark.parametrize(
    "flags",
    [
        ["--tls-certificate=a"],
        ["--tls-key=a"],
        ["--tls-client-ca=a"],
        ["--tls-certificate=a", "--tls-key=b", "--tls-client-ca=c"],
        ["--tls-certificate=a", "--tls-key=b", "--tls-probe-key=c"],
    ],
)
def test_half_of_what_belongs_together_is_refused(flags):
    with pytest.raises(FlagError, match=r"go together|goes with"):
        parse_settings(flags)

"""The certificates of the gRPC front end, and how the supervisor's probes pass them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from server.admin_key import check_private
from server.errors import FlagError


@dataclass(frozen=True)
class Tls:
    """PEM files.

    Attributes:
        certificate: The server's certificate, with those between it and its authority.
        key: Its private key.
        client_ca: Who vouches for clients; None lets any client in.
        probe_certificate: The supervisor's own certificate where `client_ca` is given.
        probe_key: Its private key.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None
    probe_certificate: Path | None = None
    probe_key: Path | None = None

    def server_flags(self) -> list[tuple[str, str]]:
        """Return Triton's flags for these files."""
        files = [("grpc-server-cert", str(self.certificate)), ("grpc-server-key", str(self.key))]
        if self.client_ca is None:
            return [("grpc-use-ssl", "true"), *files]
        return [("grpc-use-ssl-mutual", "true"), *files, ("grpc-root-cert", str(self.client_ca))]

    def client_arguments(self) -> dict[str, Any]:
        """Return what a tritonclient is made with to reach the server on this machine.

        It trusts the served certificate alone, under the name that it bears.

        Raises:
            FlagError: The server and the supervisor could not shake hands with these files.
        """
        return {
            "creds": grpc.ssl_channel_credentials(
                self.certificate.read_bytes(),
                self.probe_key and self.probe_key.read_bytes(),
                self.probe_certificate and self.probe_certificate.read_bytes(),
            ),
            "channel_args": [("grpc.ssl_target_name_override", self.check())],
        }

    def check(self) -> str:
        """Let the server and the supervisor shake hands in memory.

        Returns:
            A name that the server's certificate bears.

        Raises:
            FlagError: Names the file and what is wrong with it.
        """
        check_private(self.key, "--tls-key")
        if self.probe_key:
            check_private(self.probe_key, "--tls-probe-key")
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        _load_identity(server, self.certificate, self.key, "tls")
        _load_authority(client, self.certificate, "--tls-certificate")
        if self.client_ca:
            server.verify_mode = ssl.CERT_REQUIRED
            _load_authority(server, self.client_ca, "--tls-client-ca")
            _load_identity(client, self.probe_certificate, self.probe_key, "tls-probe")
        return _name(_shake_hands(server, client))


def find_tls(
    certificate: str | None,
    key: str | None,
    client_ca: str | None,
    probe_certificate: str | None,
    probe_key: str | None,
) -> Tls | None:
    """Put the launcher's options together; without a certificate there is no TLS.

    Raises:
        FlagError: They do not fit together, or a file cannot be used.
    """
    if (certificate is None) != (key is None):
        raise FlagError("--tls-certificate and --tls-key go together")
    if client_ca and not certificate:
        raise FlagError("--tls-client-ca goes with --tls-certificate and --tls-key")
    if bool(client_ca) != bool(probe_certificate) or bool(client_ca) != bool(probe_key):
        raise FlagError(
            "--tls-client-ca, --tls-probe-certificate and --tls-probe-key go together: "
            "the supervisor is a client too"
        )
    if certificate is None:
        return None
    files = (certificate, key, client_ca, probe_certificate, probe_key)
    tls = Tls(*(file and Path(file) for file in files))
    tls.check()
    return tls


def _load_identity(context: ssl.SSLContext, certificate: Path, key: Path, flag: str) -> None:
    try:
        # A key that asks for a passphrase would stop the server for ever.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        raise FlagError(
            f"--{flag}-certificate {certificate} and --{flag}-key {key} "
            f"are no certificate with its key: {error}"
        ) from None


def _load_authority(context: ssl.SSLContext, file: Path, flag: str) -> None:
    try:
        context.load_verify_locations(file)
    except OSError as error:
        raise FlagError(f"{flag} {file} holds no certificate: {error}") from None


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, Any]:
    """Return the server's certificate as the client reads it."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(down, up), server.wrap_bio(up, down, server_side=True)]
    waiting = list(ends)
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                flag = "--tls-certificate" if end is ends[0] else "--tls-probe-certificate"
                raise FlagError(f"{flag} is not accepted: {error.verify_message}") from None
            except ssl.SSLError as error:
                raise FlagError(f"--tls-certificate cannot be used: {error}") from None
    return ends[0].getpeercert()


def _name(certificate: dict[str, Any]) -> str:
    for kind, name in certificate.get("subjectAltName", ()):
        if kind in ("DNS", "IP Address"):
            return name.replace("*", "any", 1)
    for ((kind, name),) in certificate.get("subject", ()):
        if kind == "commonName":
            return name
    raise FlagError("--tls-certificate names no host: expected a subjectAltName")

"""Certificates made by the openssl command."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_DAYS = ("-days", "2")


@dataclass(frozen=True)
class Identity:
    """A certificate with its key."""

    certificate: Path
    key: Path


def make_authority(folder: Path, name: str) -> Identity:
    """Make an authority that vouches for itself."""
    return _request(folder, name, "-x509", *_DAYS)


def make_identity(
    folder: Path, name: str, authority: Identity, alternatives: str, days: tuple[str, ...] = _DAYS
) -> Identity:
    """Make a certificate that the authority has signed, with these alternative names."""
    request = _request(folder, name)
    signed = folder / f"{name}.signed.pem"
    extensions = folder / f"{name}.extensions"
    extensions.write_text(f"subjectAltName={alternatives}\nbasicConstraints=CA:FALSE\n")
    _openssl(
        *("x509", "-req", "-in", request.certificate, "-out", signed, "-extfile", extensions),
        *("-CA", authority.certificate, "-CAkey", authority.key, "-CAcreateserial", *days),
    )
    return Identity(signed, request.key)


def _request(folder: Path, name: str, *options: str) -> Identity:
    identity = Identity(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl(
        *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-subj", f"/CN={name}", "-keyout", identity.key, "-out", identity.certificate, *options),
    )
    identity.key.chmod(0o600)
    return identity


def _openssl(*arguments: str | Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)

"""Where a server is asked: what an address must be, and why nobody may answer there."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

#: The variables in which gRPC looks for a proxy, the first that is set counts, and for exceptions.
PROXY_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")
DIRECT_VARIABLES = ("no_grpc_proxy", "no_proxy")
#: What gRPC says where a connection is made and no gRPC is spoken on it.
_NO_GRPC = ("HTTP/2", "http1", "Socket closed", "Connection reset")


def fault_of(url: object) -> str | None:
    """Return why something cannot be the address of a gRPC server, None if it can."""
    expected = "url: expected host:port of the gRPC endpoint, such as 127.0.0.1:8001"
    if not isinstance(url, str):
        return f"{expected}, came {type(url).__name__}"
    if found := re.match(r"(https?|grpcs?|tcp)://", url, re.IGNORECASE):
        encrypted = found[1].lower() in ("https", "grpcs")
        tls = " and ask for TLS (`tls=Tls()`, --tls)" if encrypted else ""
        return f"{expected}, came {url!r}: leave {found[0]!r} away{tls}; HTTP's port is another one"
    return None if ":" in url else f"{expected}, came {url!r} without a port"


def explanation(url: str, sentence: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return what may be wrong when nobody answers, to be put after a message; else nothing.

    Args:
        url: The server's host:port.
        sentence: What gRPC says.
        environment: Where a proxy may be named.
    """
    if proxied := proxy_for(url, environment):
        variable, proxy = proxied
        return (
            f" (the environment variable {variable} sends this through the proxy {proxy}; "
            f"no_grpc_proxy={_host(url)} has it go directly)"
        )
    if any(words in sentence for words in _NO_GRPC):
        return (
            " (what listens there may not speak gRPC: is it the port of HTTP or of metrics? "
            "gRPC has 8001 unless told otherwise; a server with TLS wants TLS)"
        )
    return ""


def proxy_for(url: str, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the variable that names a proxy for an address, and the proxy without its password."""
    name = next((name for name in PROXY_VARIABLES if environment.get(name)), None)
    if name is None or url.startswith(("unix:", "vsock:")):
        return None
    direct = next((environment[name] for name in DIRECT_VARIABLES if environment.get(name)), "")
    if any(_matches(_host(url), entry.strip()) for entry in direct.split(",")):
        return None
    proxy = urlsplit(environment[name])
    return name, proxy.netloc.rpartition("@")[2] or "that it names"


def _host(url: str) -> str:
    return url.rpartition("/")[2].rpartition(":")[0].strip("[]")


def _matches(host: str, entry: str) -> bool:
    """Tell whether an exception covers a host: by its ending, or as a network."""
    if not entry:
        return False
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return entry == "*" or host.endswith(entry)

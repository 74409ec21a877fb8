"""The addresses on which the server's front ends listen."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address

from server.errors import PortTakenError

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True)
class Endpoint:
    """Where one of the server's front ends listens.

    Attributes:
        name: "HTTP", "gRPC", "metrics" or "health".
        flag: The flag that sets the port.
        address: The address it is bound to.
        port: The port.
    """

    name: str
    flag: str
    address: str
    port: int

    @property
    def url(self) -> str:
        """host:port for a client on this machine."""
        host = _LOOPBACK.get(self.address, self.address)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it: 127.0.0.0/8, ::1 or localhost."""
        try:
            return ip_address(self.address).is_loopback
        except ValueError:
            return self.address.lower() == "localhost"


def check_ports(endpoints: Iterable[Endpoint]) -> None:
    """Find out before the server does that it could not listen.

    Raises:
        PortTakenError: Names the port, its flag and its front end.
    """
    with ExitStack() as stack:
        for endpoint in endpoints:
            family = socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET
            listener = stack.enter_context(socket.socket(family))
            # Connections of an earlier server that linger in TIME_WAIT are no obstacle.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((endpoint.address, endpoint.port))
                listener.listen()
            except (OSError, OverflowError) as error:
                cause = (
                    "is taken"
                    if getattr(error, "errno", None) == errno.EADDRINUSE
                    else f"cannot be used: {error}"
                )
                raise PortTakenError(
                    f"{endpoint.name} port {endpoint.port} on {endpoint.address} {cause}: "
                    f"choose another with {endpoint.flag}"
                ) from None

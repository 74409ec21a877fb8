"""What work in a process of its own may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """What one process, and one request in it, may use.

    Attributes:
        address_space: Bytes that the process may map.
        kept: Bytes that it may hold from one request to the next.
        seconds: Of wall clock that a request may take.
        cpu_seconds: Of CPU that a request may take whatever it is.
        cpu_seconds_a_second: Of CPU that it may take beyond that for each second of its media.
    """

    address_space: int
    kept: int
    seconds: float
    cpu_seconds: float
    cpu_seconds_a_second: float

    def cpu(self, reached: int) -> float:
        """Return the seconds of CPU for media that has been worked through for so many seconds."""
        return self.cpu_seconds + self.cpu_seconds_a_second * (reached + 1)

    @property
    def too_slow(self) -> str:
        """Say that a request needed too much CPU time."""
        return (
            f"needed more CPU time than {self.cpu_seconds:g} s and "
            f"{self.cpu_seconds_a_second:g} s for each second of the media"
        )

    @property
    def too_large(self) -> str:
        """Say that a request needed too much memory."""
        return f"needed more than {self.address_space >> 20} MiB of memory"

    @property
    def too_late(self) -> str:
        """Say that a request took too long."""
        return f"took more than {self.seconds:g} s"

"""What a process that decodes foreign bytes may use: the kernel ends it when it takes more.

Decoders crash, loop and swell on files that were made to do so. A process that calls `confine`
before it reads the first of them can do all of that without touching anyone else.
"""

from __future__ import annotations

import ctypes
import math
import resource
import signal
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def confine(address_space: int) -> None:
    """Limit this process for the rest of its life; call it once, after what it imports.

    It leaves no core file, is the first to go when the machine runs out of memory, and is killed
    when the thread that started it ends.

    Args:
        address_space: Bytes that it may map in all. Beyond them an allocation fails, so what asked
            for it sees a `MemoryError` or dies.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def allow_cpu(seconds: float) -> None:
    """Let this process use so many seconds of CPU from now on; then SIGXCPU ends it.

    Args:
        seconds: Of all its threads together. The kernel counts whole seconds, so it may get up to
            one more.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + seconds), hard))

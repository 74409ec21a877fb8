"""Become a server whose files and secrets only its owner reads: `keep_private.py COMMAND...`.

A program of its own, run between fork and exec, so it imports the standard library alone.

**Files.** The umask keeps new files to their owner, but the Python backend opens the memory that it
shares with a model's process to every user again (`fchmod` to 0644) right after it is made. A
seccomp filter, which the models' processes inherit, lets an `fchmod` that would open a file to
others do nothing.

**Arguments.** Everybody reads a process's arguments in /proc/PID/cmdline, and `tritonserver` takes
the keys of restricted endpoints in no other way. An argument that comes as `--name=(hidden)` stands
in full in the environment, which only the owner reads, under `HIDDEN_ARGUMENT_<position>`. When the
kernel has loaded the server and before it runs, a helper lets the argument point there; what
/proc/PID/cmdline shows is the place where the placeholder stays. Without that help the placeholder
is no valid flag and the server refuses to start.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PLACEHOLDER = "(hidden)"
VARIABLE = "HIDDEN_ARGUMENT_"

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_PTRACER = 0x59616D61
_PTRACE_CONT, _PTRACE_DETACH, _PTRACE_SEIZE = 7, 17, 0x4206
_PTRACE_O_TRACEEXEC = 0x10
_PTRACE_EVENT_EXEC, _PTRACE_EVENT_STOP = 4, 128
_WALL = 0x40000000

_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_SPEC_ALLOW = 1, 4
_SECCOMP_RET_ALLOW, _SECCOMP_RET_ERRNO = 0x7FFF0000, 0x00050000
_BPF_LOAD, _BPF_JUMP_IF_EQUAL, _BPF_JUMP_IF_ANY_BIT, _BPF_RETURN = 0x20, 0x15, 0x45, 0x06
#: Machine -> the kernel's number for the architecture, for `seccomp` and for `fchmod`.
_SYSTEM_CALLS = {"x86_64": (0xC000003E, 317, 91), "aarch64": (0xC00000B7, 277, 52)}
#: Offsets in what the filter is given: the call's number, the architecture, the second argument.
_NUMBER, _ARCHITECTURE, _MODE = 0, 4, 24
_OTHERS = 0o077

_POINTER = struct.Struct("P")
#: The field of /proc/PID/stat that is the address of the bottom of the stack; fields count from 1.
_START_OF_STACK = 28

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
_libc.syscall.restype = ctypes.c_long


class _Instruction(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_ushort),
        ("if_true", ctypes.c_ubyte),
        ("if_false", ctypes.c_ubyte),
        ("value", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction))]


def hide(command: Sequence[str], flags: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Take secrets out of a command line.

    Args:
        command: A program and its arguments.
        flags: The flags whose values are secret, as `--name`.

    Returns:
        The command, run through this program, and what its environment has to hold.
    """
    shown, hidden = list(command), {}
    for position, argument in enumerate(command):
        name, equals, _ = argument.partition("=")
        if equals and name in flags:
            shown[position] = f"{name}={PLACEHOLDER}"
            hidden[f"{VARIABLE}{position}"] = argument
    return [sys.executable, "-I", "-S", __file__, *shown], hidden


def main(command: list[str]) -> None:
    """Become the command; say on stderr what could not be kept private."""
    os.umask(_OTHERS)
    try:
        _keep_files_closed()
    except OSError as error:
        _warn(f"other users of this machine can read requests in /dev/shm ({error})")
    if any(argument.endswith(f"={PLACEHOLDER}") for argument in command):
        try:
            _start_helper()
        except OSError as error:
            _warn(f"other users of this machine can read the admin key in /proc ({error})")
            command = _in_full(command, os.environ)
    os.execv(command[0], command)


def _warn(sentence: str) -> None:
    sys.stderr.write(f"warning: {sentence}\n")


def _in_full(command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    return [environment.get(f"{VARIABLE}{place}", given) for place, given in enumerate(command)]


def _keep_files_closed() -> None:
    if platform.machine() not in _SYSTEM_CALLS:
        raise OSError(errno.ENOSYS, f"no filter for {platform.machine()}")
    architecture, seccomp, fchmod = _SYSTEM_CALLS[platform.machine()]
    steps = [
        _Instruction(_BPF_LOAD, 0, 0, _ARCHITECTURE),
        _Instruction(_BPF_JUMP_IF_EQUAL, 0, 4, architecture),
        _Instruction(_BPF_LOAD, 0, 0, _NUMBER),
        _Instruction(_BPF_JUMP_IF_EQUAL, 0, 2, fchmod),
        _Instruction(_BPF_LOAD, 0, 0, _MODE),
        _Instruction(_BPF_JUMP_IF_ANY_BIT, 1, 0, _OTHERS),
        _Instruction(_BPF_RETURN, 0, 0, _SECCOMP_RET_ALLOW),
        # Error number 0: the caller is told that it has succeeded.
        _Instruction(_BPF_RETURN, 0, 0, _SECCOMP_RET_ERRNO),
    ]
    program = _Program(len(steps), (_Instruction * len(steps))(*steps))
    # An unprivileged process may filter itself only if it gives up setuid programs.
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _check(
        _libc.syscall(
            ctypes.c_long(seccomp),
            ctypes.c_long(_SECCOMP_SET_MODE_FILTER),
            ctypes.c_long(_SECCOMP_FILTER_FLAG_SPEC_ALLOW),
            ctypes.byref(program),
        )
    )


def _start_helper() -> None:
    """Return when a helper waits for this process's exec.

    Raises:
        OSError: This process may not be traced.
    """
    server = os.getpid()
    from_helper, to_server = os.pipe()
    from_server, to_helper = os.pipe()
    between = os.fork()
    if between == 0:
        # The helper is nobody's child here, or the server would have to wait for it.
        if os.fork() == 0:
            os.close(from_helper)
            os.close(to_helper)
            _help(server, from_server, to_server)
        os._exit(0)
    os.waitpid(between, 0)
    os.close(to_server)
    os.close(from_server)
    with os.fdopen(from_helper, "rb") as reader, os.fdopen(to_helper, "wb") as writer:
        helper = int(reader.readline() or 0)
        _libc.prctl(_PR_SET_PTRACER, helper, 0, 0, 0)
        writer.write(b"attach\n")
        writer.flush()
        code = int(reader.readline() or errno.ECHILD)
    if code:
        raise OSError(code, os.strerror(code))


def _help(server: int, from_server: int, to_server: int) -> None:
    status = 1
    try:
        with os.fdopen(from_server, "rb") as reader, os.fdopen(to_server, "wb") as writer:
            writer.write(b"%d\n" % os.getpid())
            writer.flush()
            reader.readline()
            attached = _libc.ptrace(_PTRACE_SEIZE, server, None, _PTRACE_O_TRACEEXEC)
            writer.write(b"%d\n" % (ctypes.get_errno() if attached else 0))
        if attached == 0 and _wait_for_exec(server):
            _point_arguments_at_environment(server)
            _check(_libc.ptrace(_PTRACE_DETACH, server, None, None))
            status = 0
    finally:
        os._exit(status)


def _wait_for_exec(server: int) -> bool:
    while True:
        _, status = os.waitpid(server, _WALL)
        if not os.WIFSTOPPED(status):
            return False
        event, number = status >> 16, os.WSTOPSIG(status)
        if event == _PTRACE_EVENT_EXEC:
            return True
        passed_on = None if event == _PTRACE_EVENT_STOP or number == signal.SIGTRAP else number
        _check(_libc.ptrace(_PTRACE_CONT, server, None, passed_on))


def _point_arguments_at_environment(server: int) -> None:
    process = Path("/proc", str(server))
    # The second field, in brackets, may hold spaces.
    fields = (process / "stat").read_bytes().rpartition(b")")[2].split()
    start = int(fields[_START_OF_STACK - 3])
    with (process / "mem").open("r+b", buffering=0) as memory:
        # The stack begins with the count of arguments, their addresses, 0, the environment's, 0.
        count = _read_pointer(memory, start)
        arguments = start + _POINTER.size
        entry = arguments + (count + 1) * _POINTER.size
        prefix = VARIABLE.encode()
        while address := _read_pointer(memory, entry):
            name, equals, _ = _read(memory, address, len(prefix) + 8).partition(b"=")
            if equals and name.startswith(prefix):
                place = arguments + int(name.removeprefix(prefix)) * _POINTER.size
                memory.seek(place)
                memory.write(_POINTER.pack(address + len(name) + 1))
            entry += _POINTER.size


def _read(memory, address: int, count: int) -> bytes:
    memory.seek(address)
    return memory.read(count)


def _read_pointer(memory, address: int) -> int:
    return _POINTER.unpack(_read(memory, address, _POINTER.size))[0]


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main(sys.argv[1:])

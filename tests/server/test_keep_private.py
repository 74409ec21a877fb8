"""Commands whose files and secrets only their owner reads, where the machine allows it."""

from __future__ import annotations

import os
import subprocess
import sys

from server.keep_private import hide
from server.runtime import ROOT

SHOW = (
    "import os, sys; file = open(sys.argv[1], 'w'); os.fchmod(file.fileno(), 0o644);"
    "print(oct(os.fstat(file.fileno()).st_mode & 0o777), sys.argv[2:]);"
    "os.fchmod(file.fileno(), 0o500);"
    "print(oct(os.fstat(file.fileno()).st_mode & 0o777), open('/proc/self/cmdline').read())"
)
#: Where the kernel forbids both.
FORBIDDEN = """
import sys
from server import keep_private

def forbidden():
    raise PermissionError(1, "Operation not permitted")

keep_private._start_helper = keep_private._keep_files_closed = forbidden
keep_private.main(sys.argv[1:])
"""


def test_a_command_gets_its_secret_and_does_not_show_it(tmp_path):
    command = [sys.executable, "-c", SHOW, str(tmp_path / "file"), "--a=1", "--key=hush", "b"]
    wrapped, hidden = hide(command, ["--key"])
    assert "hush" not in " ".join(wrapped)
    first, second = run(wrapped, hidden).stdout.splitlines()
    assert first == "0o600 ['--a=1', '--key=hush', 'b']"
    assert second.startswith("0o500")
    assert second.split("\0")[-4:] == ["--a=1", "--key=(hidden)", "b", ""]


def test_where_neither_is_possible_the_command_runs_and_a_warning_says_what_is_exposed():
    wrapped, hidden = hide(["/bin/echo", "--key=hush"], ["--key"])
    answer = run([sys.executable, "-c", FORBIDDEN, *wrapped[4:]], hidden)
    assert answer.stdout == "--key=hush\n"
    assert "can read requests in /dev/shm ([Errno 1]" in answer.stderr
    assert "can read the admin key in /proc ([Errno 1]" in answer.stderr


def run(command: list[str], hidden: dict[str, str]) -> subprocess.CompletedProcess:
    environment = os.environ | hidden
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

"""Work that crashes, loops, swells or stands still costs its own request only."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bounded import BoundedError, BoundedProcess, GivenUpError
from budget import Budget
from handover import Handover, HandoverError, Message

WORKER = """
import ctypes, os, signal, sys, time
sys.path.insert(0, {folder!r})
import numpy as np
from bounded_worker import serve
from handover import Message

def work(request, leash):
    task = request.values["task"]
    if task == "crash":
        ctypes.string_at(0)
    elif task == "exit":
        os._exit(3)
    elif task == "loop":
        while True:
            pass
    elif task == "loop with a leash":
        while True:
            leash(0.5)
    elif task == "loop and go on":
        begin = time.process_time()
        leash(3)
        while time.process_time() - begin < 1.5:
            leash()
    elif task == "swell":
        np.ones(1 << 30, np.uint8)
    elif task == "sleep":
        time.sleep(60)
    elif task == "wait":
        while True:
            leash()
            time.sleep(0.01)
    elif task == "fail":
        raise KeyError("/a/path")
    elif task == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif task == "keep":
        global kept
        kept = np.ones(200 << 20, np.uint8)
    doubled = {{name: 2 * array for name, array in request.arrays.items()}}
    return Message({{"pid": os.getpid()}}, doubled)

if __name__ == "__main__":
    serve(lambda: work)
"""


BUDGET = Budget(
    address_space=800 << 20,
    kept=150 << 20,
    seconds=60.0,
    cpu_seconds=0.5,
    cpu_seconds_a_second=0.5,
)


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def script(tmp_path_factory, model_folder) -> Path:
    script = tmp_path_factory.mktemp("worker") / "worker.py"
    script.write_text(WORKER.format(folder=str(model_folder / "1")))
    return script


@pytest.fixture(scope="module")
def process(script):
    process = BoundedProcess(script, BUDGET)
    yield process
    process.close()


def ask(process: BoundedProcess, task: str = "", is_given_up=never, **arrays) -> Message:
    return process.ask(Message({"task": task}, arrays), is_given_up)


def test_arrays_of_any_shape_come_back_and_the_process_is_kept(process):
    arrays = {
        "empty": np.zeros((0, 7), np.float32),
        "bytes": np.arange(5 << 20, dtype=np.uint8),
        "numbers": np.arange(24.0).reshape(2, 3, 4)[:, ::2],
    }
    answer = ask(process, **arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(answer.arrays[name], 2 * array)
    assert ask(process).values["pid"] == answer.values["pid"]


@pytest.mark.parametrize(
    ("task", "cause"),
    [
        ("crash", "crashed (SIGSEGV)"),
        ("exit", "ended with exit code 3"),
        ("loop", "needed more CPU time than 0.5 s and 0.5 s for each second"),
        ("loop with a leash", "needed more CPU time than 0.5 s and 0.5 s for each second"),
        ("swell", "needed more than 800 MiB of memory"),
        ("fail", "failed (KeyError)"),
        ("stop", "was stopped"),
    ],
)
def test_what_goes_wrong_is_told_and_the_next_request_is_answered(process, task, cause):
    before = process.pid
    with pytest.raises(BoundedError) as caught:
        ask(process, task)
    assert cause in str(caught.value)
    assert ask(process).values["pid"] != before


def test_a_request_that_takes_too_long_is_ended(script):
    process = BoundedProcess(script, replace(BUDGET, seconds=0.5))
    with pytest.raises(BoundedError, match=r"took more than 0\.5 s"):
        ask(process, "sleep")
    process.close()


def test_the_longer_the_media_the_more_time_it_may_take(process):
    before = process.pid
    assert ask(process, "loop and go on").values["pid"] == before


@pytest.mark.parametrize(("task", "kept"), [("wait", True), ("sleep", False)])
def test_a_request_that_was_given_up_is_let_go(process, task, kept):
    before = process.pid
    with pytest.raises(GivenUpError):
        ask(process, task, is_given_up=lambda: True)
    assert (ask(process).values["pid"] == before) is kept


def test_a_process_that_died_in_between_costs_no_request(process):
    os.kill(process.pid, signal.SIGKILL)
    process._process.wait()
    assert ask(process).values


def test_a_process_that_keeps_too_much_is_replaced(process):
    before = process.pid
    assert ask(process, "keep").values["pid"] == before
    assert process.pid != before


def test_nothing_is_left_of_processes_that_were_replaced(process):
    before = sorted(Path("/proc/self/fd").iterdir())
    for _ in range(3):
        with pytest.raises(BoundedError):
            ask(process, "exit")
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_a_script_that_cannot_start_says_so(tmp_path: Path):
    script = tmp_path / "broken.py"
    script.write_text("import nothing_of_this_name")
    with pytest.raises(BoundedError, match=r"broken\.py ended with exit code 1"):
        BoundedProcess(script, BUDGET)


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON",
        b"[]",
        b'{"values": {}}',
        b'{"values": {}, "arrays": [["x", "|O", [1]]]}',
        b'{"values": {}, "arrays": [["x", "<f4", [-1, 2]]]}',
        b'{"values": {}, "arrays": [["x", "<f4", [1000000000000]]]}',
        b'{"values": {}, "arrays": [["x", "no type", [1]]]}',
    ],
)
def test_a_process_that_was_taken_over_can_only_be_wrong(line):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    end = Handover(ours, os.memfd_create("out"), os.memfd_create("in"))
    with theirs:
        theirs.send(line)
        with pytest.raises(HandoverError):
            end.receive()
    end.close()

"""A killed or stopped process of the full server is replaced, and nothing is left."""

from __future__ import annotations

import signal

import psutil
import pytest

from benchmarks.recovery import (
    SERVER,
    clips_under_way,
    demo_media,
    leftovers,
    processes,
    regions_of,
    seconds_to_recover,
)
from clients import Connection, Recogniser
from server import running_server


@pytest.fixture(scope="module")
def served():
    """Serve in a server of this module's own, and check that its end leaves nothing."""
    seen: set[psutil.Process] = set()
    regions: set[str] = set()
    with running_server() as server:
        with Recogniser(Connection(server.grpc_url)) as recogniser:
            expected = recogniser.recognise(demo_media())
        yield server, expected, seen, regions
        seen |= set(processes(server).values())
        regions |= regions_of(processes(server))
    assert leftovers(seen, regions) == []


@pytest.mark.parametrize(
    ("victim", "number"),
    [
        ("face_crop_0_0", signal.SIGSTOP),
        ("vgg_face_0_0", signal.SIGKILL),
        ("recognize_0_0", signal.SIGKILL),
        ("speech_frontend_0_0/sound_worker", signal.SIGKILL),
        (SERVER, signal.SIGKILL),
    ],
)
def test_clips_are_recognised_as_before_after_a_process_was_killed_or_stopped(
    served, victim, number
):
    server, expected, seen, regions = served
    well = processes(server)
    seen |= set(well.values())
    regions |= regions_of(well)
    with clips_under_way(server.grpc_url, 1):
        recovery = seconds_to_recover(server, well[victim], expected, len(well), number)
    assert recovery.reasons or "/" in victim, "the launcher has said nothing"
    assert processes(server).keys() == well.keys()
    assert processes(server)[victim].pid != well[victim].pid

"""The bridge recovers from every failure by itself, and its account adds up."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.soak import Plan, Report, Sample, account_faults, growth_faults

ROOT = Path(__file__).parents[2]
#: The plan of half an hour, in about a minute.
BRIEF = ["--minutes=0.5", "--publisher-kills=2", "--server-restarts=1", "--network-cuts=1"]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the Debian package ffmpeg")
def test_a_stream_survives_its_publisher_the_server_and_the_network():
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", *BRIEF],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(run.stdout)
    assert report["faults"] == []
    assert {kind: len(times) for kind, times in report["recoveries"].items()} == {
        "publisher": 2,
        "server": 1,
        "network": 1,
    }
    assert report["lines"]["result"] > 0
    assert run.returncode == 0


def test_failures_are_spread_over_the_time():
    failures = Plan(minutes=30.0).failures()
    assert len(failures) == 13
    times = [at for at, _ in failures]
    assert times == sorted(times)
    assert times[0] > 0 and times[-1] < 1800
    assert [kind for _, kind in failures].count("publisher") == 10
    assert failures[6][1] == "network"


def report_of(streamed, results, errors=0, drops=0):
    account = {
        "streamed": streamed,
        "results": results,
        "errors": {"timeout": errors},
        "drops": {"buffer_full": drops},
    }
    return Report("", {}, account=account)


def test_an_account_that_does_not_add_up_is_a_fault():
    lines = [{"chunk": index} for index in range(10)]
    assert account_faults(report_of(10, 7, 2, 1), lines) == []
    assert account_faults(report_of(10, 7, 2, 0), lines) == ["10 chunks came, 9 are accounted for"]


@pytest.mark.parametrize("numbers", [range(9), [*range(9), 8], range(1, 11)])
def test_a_line_that_is_missing_or_comes_twice_is_a_fault(numbers):
    (fault,) = account_faults(report_of(10, 10), [{"chunk": index} for index in numbers])
    assert fault.endswith("lines were written")


def test_what_has_grown_is_a_fault():
    report = Report("", {}, before=Sample(8, 20, 100_000_000), after=Sample(9, 40, 200_000_000))
    assert growth_faults(report) == [
        "files grew from 20 to 40",
        "bytes grew from 100000000 to 200000000",
    ]

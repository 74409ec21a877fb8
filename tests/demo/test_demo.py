"""The demo command is the first thing that a new user runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_last_line_of_the_demo_is_the_flat_result_and_nothing_is_left():
    run = subprocess.run(
        [sys.executable, "-m", "demo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout.splitlines()[-1])
    emotions = [result[f"1000{number}"] for number in range(1, 8)]
    assert abs(sum(emotions) - 1) < 1e-3
    assert 0 < result["20000"] < 110
    assert abs(result["30001"] + result["30002"] - 1) < 1e-3


def test_the_clip_is_small_enough_to_live_in_the_repository():
    assert (ROOT / "demo" / "clip.mp4").stat().st_size <= 400_000

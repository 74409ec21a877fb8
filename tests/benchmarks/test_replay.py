"""The documented comparison of a film read second by second with one call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demo_clip_second_by_second_ends_as_one_call(triton):
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.replay", "--url", triton.grpc_url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    (line,) = map(json.loads, run.stdout.splitlines())
    assert (line["file"], line["emotion"]) == ("clip.mp4", line["window_emotion"])
    assert 0 <= line["video_features"] <= 1e-3
    assert 0 <= line["speech_posterior"] <= 1

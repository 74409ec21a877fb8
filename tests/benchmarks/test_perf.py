"""The documented load commands start the real perf_analyzer with real media."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: A sample, not a measurement: two requests a window, whatever their spread. A window into which no
#: whole request falls is followed by others, up to perf_analyzer's own bound.
BRIEF = ["--measurement-request-count", "2", "--stability-percentage", "1000"]


@pytest.mark.parametrize("model", ["recognize", "multimodal", "vgg_face", "fusion"])
def test_perf_analyzer_measures(triton, model):
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.perf", model, "-u", triton.grpc_url, *BRIEF],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "throughput:" in run.stdout

"""Measurements of a running server; `python -m benchmarks.perf --help` is the place to start."""

"""Data to weights: one module a network, each run as `python -m training.<name> --data DIR`."""

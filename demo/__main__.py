"""Serve, recognise the demo clip with its sentence, print the result, stop: `python -m demo`."""

from __future__ import annotations

import sys
from pathlib import Path

from clients.recognition_client import main as recognise
from server import ServerFailedError, running_server

HERE = Path(__file__).parent


def main() -> int:
    """Run the demo; the last line on stdout is the flat dictionary as JSON.

    Returns:
        The client's exit code, or 1 when the server does not start.
    """
    sentence = (HERE / "sentence.txt").read_text(encoding="utf-8").strip()
    try:
        with running_server() as server:
            media = ["--input_text", sentence, "--input_video", str(HERE / "clip.mp4")]
            return recognise(["--url", server.grpc_url, "--strict", *media])
    except ServerFailedError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())

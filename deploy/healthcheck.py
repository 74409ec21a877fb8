"""Have one sentence recognised over the server's HTTP on this machine; exit 0 when it was.

It imports the standard library alone, and needs the admin key but no certificate.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from urllib.request import Request, urlopen

SENTENCE = "나는 지금 너무 슬퍼"


def recognise(url: str, key: str, timeout: float) -> dict[str, float]:
    """Return the flat result of a sentence.

    Raises:
        OSError: Nobody answers, or the answer is an error.
        ValueError, KeyError: The answer is no result.
    """
    tensor = {"name": "TEXT", "shape": [1], "datatype": "BYTES", "data": [SENTENCE]}
    body = json.dumps({"inputs": [tensor], "outputs": [{"name": "RESULT"}]}).encode()
    request = Request(f"http://{url}/v2/models/recognize/infer", body, {"admin-key": key})
    with urlopen(request, timeout=timeout) as answer:
        (output,) = json.load(answer)["outputs"]
    return json.loads(output["data"][0])["result"]


def main(argv: list[str]) -> int:
    """Ask once; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="127.0.0.1:8000", help="host:port (default %(default)s)")
    parser.add_argument("--admin-key-file", type=Path, required=True)
    parser.add_argument("--timeout", type=float, default=15.0, help="in seconds")
    options = parser.parse_args(argv)
    try:
        key = options.admin_key_file.read_text(encoding="ascii").strip()
        result = recognise(options.url, key, options.timeout)
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{json.dumps(result)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Milliseconds a face of a served VGG-Face, and the ratio to the bare onnxruntime call.

    python -m export.flagship.bench build/flagship build/flagship-int8

Both are taken in turn in one run: the model by the real server over gRPC, and the same file by
onnxruntime with as many threads in this process.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import tritonclient.grpc as triton

from server import running_server
from server.lint import read_config

MODEL = "vgg_face"


def main(arguments: list[str] | None = None) -> None:
    """Measure each repository in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repository", nargs="+", type=Path)
    parser.add_argument("--faces", type=int, default=8, help="of one request")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args(arguments)
    faces = np.random.default_rng(0).integers(0, 256, (options.faces, 224, 224, 3), np.uint8)
    for repository in options.repository:
        served, bare = measure(repository / MODEL, faces, options.rounds)
        sys.stdout.write(
            f"{repository}: {served:.1f} ms a face served, {bare:.1f} bare, "
            f"ratio {served / bare:.3f}\n"
        )


def measure(model: Path, faces: np.ndarray, rounds: int) -> tuple[float, float]:
    """Serve one model alone and measure it beside the bare call.

    Returns:
        Median milliseconds a face, served and bare.
    """
    with TemporaryDirectory() as folder:
        (Path(folder) / MODEL).symlink_to(model.resolve())
        with (
            running_server(f"--model-repository={folder}") as server,
            triton.InferenceServerClient(server.grpc_url) as client,
        ):
            calls = (_served_call(client, faces), _bare_call(model, faces))
            times = [[_seconds(call) for call in calls] for _ in range(rounds + 1)][1:]
    return tuple(statistics.median(each) / len(faces) * 1e3 for each in zip(*times, strict=True))


def _served_call(client: triton.InferenceServerClient, faces: np.ndarray) -> Callable[[], object]:
    tensor = triton.InferInput("CROPS", list(faces.shape), "UINT8")
    tensor.set_data_from_numpy(faces)
    return lambda: client.infer(MODEL, [tensor])


def _bare_call(model: Path, faces: np.ndarray) -> Callable[[], object]:
    config = read_config(model / "config.pbtxt")
    options = onnxruntime.SessionOptions()
    threads = config.parameters["intra_op_thread_count"].string_value
    options.intra_op_num_threads = int(threads or 0)
    session = onnxruntime.InferenceSession(
        str(model / "1" / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"CROPS": faces})


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

"""Sentences overtake clips, nobody works for a client that is gone, and operators see it all."""

from __future__ import annotations

import statistics
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from .hostile import RANDOM, SENTENCE, Inputs, file, text
from .media import film, frames
from .wire import Grpc

CLIENTS = 14


@pytest.fixture(scope="module")
def film_of_2_s(clip) -> bytes:
    return film(frames(clip)[:20])


@pytest.fixture(scope="module")
def crowd(triton, film_of_2_s) -> Iterator[None]:
    """Keep the clips of fourteen clients coming; at the end, all of them have been answered."""
    stopping = threading.Event()

    def keep_asking(_: int) -> None:
        wire = Grpc(triton)
        while not stopping.is_set():
            try:
                wire.infer("recognize", {"VIDEO": file(film_of_2_s)}, ("EMOTION",))
            except InferenceServerException as error:
                # A clip's turn comes too late where the machine is very slow.
                assert error.status() == "StatusCode.UNAVAILABLE"

    with ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(keep_asking, number) for number in range(CLIENTS)]
        try:
            _wait_until(lambda: metric(triton, "nv_inference_pending_request_count", "face_crop"))
            yield
        finally:
            stopping.set()
    for one in asking:
        one.result()


def metric(triton, family: str, *labels: str) -> float:
    """Sum a family's figures of which the labels hold all of these words."""
    with urllib.request.urlopen(f"http://{triton.metrics_url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.startswith(f"{family}{{") and all(f'="{label}"' in line for label in labels)
    )


def seconds_of(wire: Grpc, inputs: Inputs) -> float:
    began = time.monotonic()
    wire.infer("recognize", inputs, ("RESULT",))
    return time.monotonic() - began


def test_outcomes_and_statuses_are_counted(triton, clip):
    def counted() -> np.ndarray:
        return np.array(
            [
                metric(triton, "recogniser_refusals_total", "nothing usable"),
                metric(triton, "recogniser_requests_total", "invalid"),
                metric(triton, "recogniser_modalities_total", "text", "EMPTY"),
                metric(triton, "recogniser_modalities_total", "video", "OK"),
                metric(triton, "recogniser_faces_total", "recognize") > 0,
                metric(triton, "recogniser_stage_seconds_total", "face_crop") > 0,
            ]
        )

    before = counted()
    wire = Grpc(triton)
    wire.infer("recognize", {"VIDEO": file(clip)}, ("EMOTION",))
    with pytest.raises(InferenceServerException):
        wire.infer("recognize", {"TEXT": text(b" "), "AUDIO": file(RANDOM)}, ("EMOTION",))
    assert (counted() - before).tolist()[:4] == [1, 1, 1, 1]
    assert counted().tolist()[4:] == [1, 1]


@pytest.mark.usefixtures("crowd")
def test_a_sentence_overtakes_the_clips_of_fourteen_clients(triton):
    wire = Grpc(triton)
    waits = [seconds_of(wire, {"TEXT": text(SENTENCE)}) for _ in range(15)]
    assert statistics.median(waits) < 0.5


@pytest.mark.usefixtures("crowd")
def test_a_waiting_clip_ends_when_its_time_limit_or_its_client_does(triton, film_of_2_s):
    gone = metric(triton, "recogniser_requests_total", "cancelled")
    with pytest.raises(InferenceServerException, match=r"time limit of 0\.1 s") as caught:
        _clip(triton, film_of_2_s, timeout=100_000)
    assert caught.value.status() == "StatusCode.CANCELLED"
    with pytest.raises(InferenceServerException, match="Deadline"):
        _clip(triton, film_of_2_s, client_timeout=0.3)
    _wait_until(
        lambda: metric(triton, "recogniser_requests_total", "cancelled") == gone + 1, within=1.0
    )


def _clip(triton, clip: bytes, **options) -> None:
    data = np.frombuffer(clip, np.uint8)
    video = grpcclient.InferInput("VIDEO", [data.size], "UINT8")
    video.set_data_from_numpy(data)
    grpcclient.InferenceServerClient(triton.grpc_url).infer("recognize", [video], **options)


def _wait_until(holds, within: float = 30.0) -> None:
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)

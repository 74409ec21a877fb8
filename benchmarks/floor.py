"""The recogniser without a server: the same front ends, networks and fusion, on all cores.

What a clip costs here is what serving cannot beat. `python -m benchmarks.floor` searches the best
thread setting and prints what it costs.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnxruntime

from benchmarks.in_process import Arrays, PythonModel
from benchmarks.media import clip_of, demo_sentence
from training.serving_code import MODEL_REPOSITORY, front_end

NETWORKS = ("text_encoder", "speech_cnn", "vgg_face", "age_gender", "video_emotion", "fusion")
FRONT_ENDS = ("text_tokenizer", "speech_frontend", "face_crop")


@dataclass(frozen=True)
class Setting:
    """How the cores are used.

    Attributes:
        processes: Clips that are recognised at a time, each in a process of its own.
        side_by_side: Whether text, speech and video of a clip have a thread each.
        intra_op: Threads of a network.
    """

    processes: int
    side_by_side: bool
    intra_op: int

    def __str__(self) -> str:
        order = "side by side" if self.side_by_side else "in turn"
        return f"{self.processes} x modalities {order}, {self.intra_op} threads a network"


@dataclass(frozen=True)
class Cost:
    """What a clip cost.

    Attributes:
        result: The flat dictionary.
        cpu_seconds: Of all threads.
        stage_seconds: Processor seconds by model; empty when modalities are side by side, because
            threads cannot be told apart then.
    """

    result: dict[str, float]
    cpu_seconds: float
    stage_seconds: dict[str, float]


class Pipeline:
    """Every model of the repository in this process, wired as `recognize` wires them."""

    def __init__(self, setting: Setting) -> None:
        """Load all models."""
        self._side_by_side = setting.side_by_side
        self._sessions = {name: _open(name, setting.intra_op) for name in NETWORKS}
        self._front_ends = {name: PythonModel(name) for name in FRONT_ENDS}
        self._evidence = front_end("recognize", "evidence")
        self._result_json = front_end("recognize", "result").result_json
        self._stages: Counter[str] = Counter()

    def recognise(self, sentence: str, film: Path) -> Cost:
        """Recognise a film with its sound and a sentence."""
        self._stages.clear()
        cpu = time.process_time()
        text = np.array([sentence.encode()], np.object_)
        video = np.frombuffer(film.read_bytes(), np.uint8)
        branches = (lambda: self._read(text), lambda: self._hear(video), lambda: self._see(video))
        result = self._fuse(
            dict(zip(("text", "speech", "video"), self._run(branches), strict=True))
        )
        return Cost(result, time.process_time() - cpu, dict(self._stages))

    def _run(self, branches: tuple[Callable, ...]) -> list:
        if not self._side_by_side:
            return [branch() for branch in branches]
        with ThreadPoolExecutor(len(branches)) as pool:
            return [future.result() for future in [pool.submit(branch) for branch in branches]]

    def _read(self, text: np.ndarray):
        tokens = self._prepare("text_tokenizer", TEXT=text)
        outputs = self._infer("text_encoder", IDS=tokens["IDS"], GRAMS=tokens["GRAMS"])
        return self._evidence.from_text(tokens | outputs)

    def _hear(self, video: np.ndarray):
        windows = self._prepare("speech_frontend", VIDEO=video)
        return self._evidence.from_speech(windows | self._infer("speech_cnn", MELS=windows["MELS"]))

    def _see(self, video: np.ndarray):
        faces = self._prepare("face_crop", VIDEO=video)
        seen = self._infer("vgg_face", CROPS=faces["CROPS"])
        aged = self._infer("age_gender", CROPS=faces["AGE_CROPS"])
        whole = self._infer("video_emotion", FEATURES=seen["FEATURES"], COUNT=faces["COUNT"])
        video = self._evidence.from_video(faces | seen | aged)
        return replace(video, emotion=whole["EMOTION"])

    def _fuse(self, evidence: dict) -> dict[str, float]:
        fused = self._infer("fusion", **self._evidence.fusion_inputs(evidence))
        parts = (fused[name] for name in ("EMOTION", "AGE", "GENDER", "WEIGHTS"))
        return json.loads(self._result_json(evidence, *parts))["result"]

    def _prepare(self, model: str, **inputs: np.ndarray) -> Arrays:
        with self._timed(model):
            return self._front_ends[model].run(**inputs)

    def _infer(self, model: str, **inputs: np.ndarray) -> Arrays:
        session = self._sessions[model]
        names = [output.name for output in session.get_outputs()]
        with self._timed(model):
            return dict(zip(names, session.run(names, inputs), strict=True))

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        begin = time.process_time()
        yield
        if not self._side_by_side:
            self._stages[stage] += time.process_time() - begin


class Floor:
    """Pipelines in processes of their own; use it in a `with` statement, from any thread."""

    def __init__(self, setting: Setting) -> None:
        """Start the processes; they load at the first clip."""
        context = multiprocessing.get_context("spawn")
        self.setting = setting
        self._pool = ProcessPoolExecutor(setting.processes, context, _load, (setting,))

    def __enter__(self) -> Floor:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    def recognise(self, sentence: str, film: Path) -> Cost:
        """Recognise a film in the next process that is free."""
        return self._pool.submit(_recognise, sentence, film).result()

    def warm_up(self, sentence: str, film: Path) -> None:
        """Let every process load and recognise a film."""
        with ThreadPoolExecutor(self.setting.processes) as pool:
            list(
                pool.map(
                    lambda _: self.recognise(sentence, film), range(2 * self.setting.processes)
                )
            )


def settings(cores: int) -> list[Setting]:
    """List the settings that are tried: threads go to networks, modalities or clips."""
    threads = sorted({1, cores})
    one_clip = [Setting(1, order, count) for order in (False, True) for count in threads]
    return one_clip + [Setting(cores, order, 1) for order in (False, True) if cores > 1]


def latency(floor: Floor, sentence: str, film: Path, clips: int) -> float:
    """Return the median seconds of a clip when one is recognised at a time."""
    seconds = []
    for _ in range(clips):
        begin = time.perf_counter()
        floor.recognise(sentence, film)
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds))


def throughput(floor: Floor, sentence: str, film: Path, clips: int) -> float:
    """Return the clips a second when there is always another one waiting."""
    begin = time.perf_counter()
    with ThreadPoolExecutor(floor.setting.processes) as pool:
        list(pool.map(lambda _: floor.recognise(sentence, film), range(clips)))
    return clips / (time.perf_counter() - begin)


def search(sentence: str, film: Path, clips: int = 4) -> tuple[Setting, Setting]:
    """Return the setting of the least latency and that of the greatest throughput."""
    seconds, rates = {}, {}
    for setting in settings(os.cpu_count() or 1):
        with Floor(setting) as floor:
            floor.warm_up(sentence, film)
            rates[setting] = throughput(floor, sentence, film, clips)
            if setting.processes == 1:
                seconds[setting] = latency(floor, sentence, film, clips)
    return min(seconds, key=seconds.__getitem__), max(rates, key=rates.__getitem__)


def _open(model: str, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = MODEL_REPOSITORY / model / "1" / "model.onnx"
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


_pipeline: Pipeline | None = None


def _load(setting: Setting) -> None:
    global _pipeline
    _pipeline = Pipeline(setting)


def _recognise(sentence: str, film: Path) -> Cost:
    return _pipeline.recognise(sentence, film)


def main() -> int:
    """Print the best settings and what a clip costs with them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of the clip")
    options = parser.parse_args()
    sentence, film = demo_sentence(), clip_of(options.seconds)
    quickest, busiest = search(sentence, film)
    with Floor(quickest) as floor:
        floor.warm_up(sentence, film)
        milliseconds = 1000 * latency(floor, sentence, film, 5)
        sys.stdout.write(f"latency {milliseconds:.0f} ms: {quickest}\n")
    with Floor(busiest) as floor:
        floor.warm_up(sentence, film)
        rate = throughput(floor, sentence, film, 8)
        sys.stdout.write(f"throughput {rate:.2f} clips a second: {busiest}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

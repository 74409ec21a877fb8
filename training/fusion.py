"""Train the video and fusion networks on pseudo-clips: `python -m training.fusion --data DIR`.

Needs the data and a model repository, whose networks are asked as they are served, and no
checkpoints. Half of the people and sentences of `dev` make the clips that fusion is fitted on, the
other half those on which it is chosen from where on an emotion is named, and `test` those that the
report measures.
"""

from __future__ import annotations

import json
import logging
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from onnx import numpy_helper
from torch import Tensor

from training import command, metrics
from training.banks import Banks, build_banks
from training.contract import EMOTIONS, MODALITIES
from training.fit import Schedule, fit, here
from training.manifest import Manifest
from training.networks.fusion import FusionNet
from training.networks.video import VideoNet
from training.pictures import draw_confusions
from training.pseudo_clips import (
    Clips,
    Mix,
    Pool,
    draw_clips,
    draw_disagreeing,
    draw_sequences,
    interval,
    pools_of,
)
from training.serving_code import MODEL_REPOSITORY, network_file

log = logging.getLogger(__name__)

VIDEO_SCHEDULE = Schedule(epochs=3, batch=64, rate=1e-3, decay=0.05)
FUSION_SCHEDULE = Schedule(epochs=8, batch=1024, rate=0.1, decay=0.0)
#: Sequences, and clips, that are drawn for one epoch, and to measure each subset of modalities.
EPOCH_SEQUENCES, EPOCH_CLIPS, REPORT_CLIPS = 6_400, 20_480, 4_000
QUICK_CLIPS = 100
#: What fusion is fitted on, and in what shares: it is to know what it does not know of clips that
#: mislead, rather than be sure of those that do not.
LESSONS = (
    (0.05, Mix()),
    (0.25, Mix(misled=0.3, dependent=0.2)),
    (0.30, Mix(misled=0.8, dependent=0.2)),
    (0.35, Mix(plain=1.0)),
    (0.05, Mix(degraded=0.5)),
)
#: Whichever modalities there are, of the emotions that are named at most this share is wrong.
ERROR_RATE = 0.25
PLAIN_KINDS = ("plain words", "without them")
MATCHED_TITLES = (
    *("present", "fused, matched (95 % interval)", "best alone", "its error, times"),
    *("calibration error", "likelihood, nats"),
)
MISLED_TITLES = (
    *("present", "15 % misled", "calibration error", "wrong above .9"),
    *("30 % misled", "calibration error", "wrong above .9"),
    *("disagreeing: above .95", "nobody's choice", "with plain words", "without them"),
)
NAMED_TITLES = ("present", "named", "of these wrong")
#: Every choice of modalities but none, in the order of `MODALITIES`.
SUBSETS = [[bool(code & 1 << bit) for bit in range(3)] for code in range(1, 8)]
JOINT = [subset for subset in SUBSETS if sum(subset) > 1]


def last_layer(repository: Path = MODEL_REPOSITORY) -> tuple[np.ndarray, np.ndarray]:
    """Read from `vgg_face` what turns FEATURES into logits: weights [7,4096] and bias [7].

    Raises:
        ValueError: Its file has no such layer.
    """
    path = network_file("vgg_face", repository)
    graph = onnx.load(path).graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Gemm" and node.input[0] == "FEATURES":
            return tuple(weights[name].astype(np.float32) for name in node.input[1:])
    raise ValueError(f"{path}: expected a layer from FEATURES to the emotions' logits, found none")


def train_video(
    banks: Banks,
    layer: tuple[np.ndarray, np.ndarray],
    clips: int,
    schedule: Schedule,
    folder: Path,
) -> VideoNet:
    """Learn which faces of a sequence to trust, from `clips` sequences an epoch."""
    torch.manual_seed(schedule.seed)
    network = VideoNet()
    with torch.no_grad():
        for place, values in zip(network.emotion.parameters(), layer, strict=True):
            place.copy_(here(values))

    def loss(indices: Tensor) -> Tensor:
        random = _chance()
        items = random.integers(0, len(banks.face_emotions), len(indices))
        logits = network(*draw_sequences(banks, items, random))
        return F.cross_entropy(logits, here(banks.face_emotions[items]))

    fit(network, clips, loss, dict, schedule, folder)
    return network


def train_fusion(
    network: FusionNet, pools: Sequence[Pool], clips: int, schedule: Schedule, folder: Path
) -> None:
    """Learn how far to believe each modality beside others, from `clips` clips an epoch."""

    def loss(indices: Tensor) -> Tensor:
        drawn = draw_lessons(pools, len(indices), _chance())
        fused, _ = network.evidence(here(drawn.posteriors))
        return F.nll_loss(fused.clamp(min=1e-6).log(), here(drawn.emotions))

    fit(network, clips, loss, dict, schedule, folder)


def draw_lessons(pools: Sequence[Pool], count: int, random: np.random.Generator) -> Clips:
    """Draw clips of all kinds of `LESSONS` with two or three modalities, each choice as often."""
    present = np.array(JOINT)[random.integers(0, len(JOINT), count)]
    kinds = random.choice(len(LESSONS), count, p=[share for share, _ in LESSONS])
    parts = [
        draw_clips(pools, present[kinds == kind], mix, random)
        for kind, (_, mix) in enumerate(LESSONS)
        if (kinds == kind).any()
    ]
    names = ("posteriors", "present", "emotions", "items")
    return Clips(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _chance() -> np.random.Generator:
    """Draw from PyTorch's seeded state, so that a resumed training goes on as before."""
    return np.random.default_rng(int(torch.randint(0, 2**31, ())))


def fuse(network: FusionNet, clips: Clips) -> np.ndarray:
    """Return the fused posteriors [B,7]."""
    with torch.no_grad():
        return network.evidence(here(clips.posteriors))[0].numpy(force=True)


def least_confidence(truth: np.ndarray, posteriors: np.ndarray) -> float:
    """Find from where on, of the emotions that are named, `ERROR_RATE` is wrong at most."""
    confidence, wrong = posteriors.max(1), posteriors.argmax(1) != truth
    order = np.argsort(-confidence)
    rates = np.cumsum(wrong[order]) / np.arange(1, len(order) + 1)
    allowed = np.flatnonzero(rates <= ERROR_RATE)
    return float(confidence[order[allowed[-1]]]) if len(allowed) else 1.0


def mean_age(manifest: Manifest) -> float:
    """Return the mean age of the faces that networks learn from, or 0 without any."""
    ages = [row.age for row in manifest.having("face", "age") if row.split == "train"]
    return float(np.mean(ages)) if ages else 0.0


def emotion_report(network: FusionNet, pools: Sequence[Pool], count: int) -> dict[str, dict]:
    """Measure each subset of modalities on `count` clips of every kind."""
    report = {}
    for subset in SUBSETS:
        random = np.random.default_rng(0)
        present = np.tile(subset, (count, 1))
        names = [name for name, there in zip(MODALITIES, subset, strict=True) if there]
        row = {"matched": _figures(network, pools, draw_clips(pools, present, Mix(), random))}
        if len(names) > 1:
            for rate in (0.15, 0.3):
                clips = draw_clips(pools, present, Mix(misled=rate), random)
                row[f"{rate:.0%} misled"] = _figures(network, pools, clips)
            clips = draw_disagreeing(pools, present, random)
            row["disagreeing"] = _disagreement(fuse(network, clips), clips)
        if subset[0] and len(names) > 1:
            clips = draw_clips(pools, present, Mix(plain=1.0), random)
            row["plain words"] = _figures(network, pools, clips)
            row["without them"] = _figures(network, pools, clips.without(0))
        report["+".join(names)] = row
    return report


def _figures(network: FusionNet, pools: Sequence[Pool], clips: Clips) -> dict[str, object]:
    fused = fuse(network, clips)
    right = fused.argmax(1) == clips.emotions
    alone = (clips.posteriors.argmax(2) == clips.emotions[:, None])[:, clips.present[0]]
    sure = fused.max(1) > 0.9
    return {
        "accuracy": float(right.mean()),
        "interval": interval(right, pools, clips),
        "best_alone": float(alone.mean(0).max()),
        "likelihood": float(-np.log(fused[np.arange(len(right)), clips.emotions]).mean()),
        "calibration_error": metrics.calibration_error(clips.emotions, fused),
        "wrong_above_0.9": float((sure & ~right).mean()),
        "above_0.9": float(sure.mean()),
    }


def _disagreement(fused: np.ndarray, clips: Clips) -> dict[str, float]:
    leaders = np.where(clips.present, clips.posteriors.argmax(2), -1)
    return {
        "above_0.95": float((fused.max(1) > 0.95).mean()),
        "nobodys": float((leaders != fused.argmax(1)[:, None]).all(1).mean()),
        "mean_confidence": float(fused.max(1).mean()),
    }


def decision_report(
    network: FusionNet, pools: Sequence[Pool], count: int, least: float
) -> dict[str, dict[str, float]]:
    """Say of each subset of modalities how often an emotion is named, and how often wrongly."""
    report = {}
    for subset in SUBSETS:
        clips = _mixed(pools, subset, count)
        fused = fuse(network, clips)
        named = fused.max(1) >= least
        wrong = (fused.argmax(1) != clips.emotions)[named]
        names = [name for name, there in zip(MODALITIES, subset, strict=True) if there]
        report["+".join(names)] = {
            "named": float(named.mean()),
            "wrong": float(wrong.mean()) if len(wrong) else 0.0,
        }
    return report


def _mixed(pools: Sequence[Pool], subset: Sequence[bool], count: int) -> Clips:
    """Draw clips of one subset; where nothing can contradict it, a modality is not misled."""
    mix = Mix(misled=0.15) if sum(subset) > 1 else Mix()
    return draw_clips(pools, np.tile(subset, (count, 1)), mix, np.random.default_rng(1))


def main(arguments: list[str] | None = None) -> None:
    """Train both networks; write `decision.json`, and `report.json` about unseen people."""
    parser = command.parser(__doc__)
    parser.add_argument(
        "--repository", type=Path, default=MODEL_REPOSITORY, help="whose networks are asked"
    )
    options = command.start(parser, arguments)
    folder, manifest = options.out / "fusion", command.open_data(options)
    sequences, lessons, measured = (
        QUICK_CLIPS if options.quick else count
        for count in (EPOCH_SEQUENCES, EPOCH_CLIPS, REPORT_CLIPS)
    )
    dev, test = (_banks(options, manifest, split) for split in ("dev", "test"))
    halves = dev.halves()
    layer = last_layer(options.repository)
    schedule = command.scaled(VIDEO_SCHEDULE, options)
    video = train_video(halves[0], layer, sequences, schedule, folder / "video")
    random = np.random.default_rng(options.seed)
    fitted, chosen, unseen = (pools_of(banks, video, random) for banks in (*halves, test))
    network = FusionNet()
    network.people.mean_age.fill_(mean_age(manifest))
    schedule = command.scaled(FUSION_SCHEDULE, options)
    train_fusion(network, fitted, lessons, schedule, folder / "fusion")
    least = max(
        least_confidence(clips.emotions, fuse(network, clips))
        for clips in (_mixed(chosen, subset, measured) for subset in SUBSETS)
    )
    _write(folder / "decision.json", {"error_rate": ERROR_RATE, "confidence": round(least, 3)})
    report = {
        "parameters": {name: value.tolist() for name, value in network.state_dict().items()},
        "chosen on": emotion_report(network, chosen, measured),
        "test": emotion_report(network, unseen, measured),
        "decision": decision_report(network, unseen, measured, least),
    }
    _write(folder / "report.json", report)
    sys.stdout.write("\n".join(tables(report["test"], report["decision"])) + "\n")
    _draw(network, {"dev": chosen, "test": unseen}, measured, folder)


def tables(figures: dict[str, dict], decision: dict[str, dict]) -> Iterator[str]:
    """Yield what was measured on `test` as the rows of the model card's three tables."""
    yield from (_row(*MATCHED_TITLES), _row(*["---"] * len(MATCHED_TITLES)))
    for names, kinds in figures.items():
        one = kinds["matched"]
        bounds = one["interval"]
        between = "" if bounds is None else f" ({bounds[0]:.3f} to {bounds[1]:.3f})"
        left = 1 - one["best_alone"]
        yield _row(
            names,
            f"{one['accuracy']:.3f}{between}",
            f"{one['best_alone']:.3f}",
            f"{(1 - one['accuracy']) / left:.2f}" if left else "",
            f"{one['calibration_error']:.3f}",
            f"{one['likelihood']:.3f}",
        )
    yield from ("", _row(*MISLED_TITLES), _row(*["---"] * len(MISLED_TITLES)))
    for names, kinds in figures.items():
        if "disagreeing" in kinds:
            cells = []
            for kind in ("15% misled", "30% misled"):
                one = kinds[kind]
                cells += [f"{one[name]:.3f}" for name in ("accuracy", "calibration_error")]
                cells.append(f"{one['wrong_above_0.9']:.1%}")
            cells += [f"{kinds['disagreeing'][name]:.1%}" for name in ("above_0.95", "nobodys")]
            words = [f"{kinds[kind]['accuracy']:.3f}" for kind in PLAIN_KINDS if kind in kinds]
            yield _row(names, *cells, *(words or ["", ""]))
    yield from ("", _row(*NAMED_TITLES), _row(*["---"] * len(NAMED_TITLES)))
    for names, one in decision.items():
        yield _row(names, f"{one['named']:.0%}", f"{one['wrong']:.1%}")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _banks(options: Namespace, manifest: Manifest, split: str) -> Banks:
    folder = options.out / "fusion" / "banks"
    return build_banks(manifest, split, folder, options.repository, options.threads)


def _write(path: Path, document: dict) -> None:
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    log.info("wrote %s", path)


def _draw(network: FusionNet, pools: dict[str, Sequence[Pool]], count: int, folder: Path) -> None:
    """Draw whom the video network and fusion take for whom on matched clips."""
    seen, fused = {}, {}
    for split, parts in pools.items():
        clips = draw_clips(parts, np.ones((count, 3), bool), Mix(), np.random.default_rng(0))
        seen[split] = clips.emotions, clips.posteriors[:, 2].argmax(1)
        fused[split] = clips.emotions, fuse(network, clips).argmax(1)
    draw_confusions(folder / "video" / "confusion.png", seen, EMOTIONS)
    draw_confusions(folder / "fusion" / "confusion.png", fused, EMOTIONS)


if __name__ == "__main__":
    command.run(main)

"""What a storm came to: counts, causes, and what must not be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from benchmarks.hostile.storm import Outcome
from benchmarks.hostile.watch import FLAT, Death, Sample, Watch, growth

#: What a sample holds that must be flat over the last half of a storm.
HOLDINGS = ("memory_mb", "workers_mb", "shared_mb", "descriptors")
#: Growth that means nothing, in the holding's own unit: a page cache, a few sockets.
NEGLIGIBLE = {"memory_mb": 10.0, "workers_mb": 30.0, "shared_mb": 4.0, "descriptors": 8.0}
#: Words of a refusal behind which a fault of the server's may stand.
SUSPECT = ("INTERNAL", "UNKNOWN:", "did not answer", "not healthy", "failed: ", "Traceback")
SLOWEST = 20


@dataclass(frozen=True)
class Verdict:
    """What must not be; nothing, if all is well.

    Attributes:
        faults: One sentence each.
        growths: Each holding's growth over the last half as a part of its level; None where it was
            not watched long enough to tell.
    """

    faults: list[str]
    growths: dict[str, float | None]


def judge(outcomes: list[Outcome], watch: Watch | None) -> Verdict:
    """Find what must not be."""
    faults = []
    hung = [one for one in outcomes if one.fate == "hung"]
    if hung:
        faults.append(f"{len(hung)} requests had no answer: {_numbers(hung)}")
    wrong = [one for one in outcomes if one.fate == "wrong"]
    if wrong:
        faults.append(f"{len(wrong)} answers were wrong: {_numbers(wrong)}")
    growths: dict[str, float | None] = {}
    if watch:
        faults += [
            f"{death.name} ({death.role}) died at {death.after:.1f} to {death.before:.1f} s"
            for death in watch.noticed_deaths
        ]
        growths = {name: growth(_series(watch.samples, name)) for name in HOLDINGS}
        faults += [
            f"{name} grew by {part:.1%} over the last half"
            for name, part in growths.items()
            if part is not None and _matters(watch.samples, name, part)
        ]
    return Verdict(faults, growths)


def document(outcomes: list[Outcome], watch: Watch | None, seconds: float, settings: dict) -> dict:
    """Lay a storm out as JSON.

    Args:
        outcomes: What became of each request.
        watch: Who lived and what they held; None when the server could not be watched.
        seconds: How long it took.
        settings: What was asked for.
    """
    verdict = judge(outcomes, watch)
    return {
        "settings": settings,
        "seconds": round(seconds, 1),
        "requests": len(outcomes),
        "fates": dict(Counter(one.fate for one in outcomes).most_common()),
        "good": _good(outcomes),
        "faults": verdict.faults,
        "growth over the last half": verdict.growths,
        "refused by cause": _by_cause(outcomes, "refused"),
        "answered with a failed modality": _by_cause(outcomes, "answered"),
        "wrong by cause": _by_cause(outcomes, "wrong"),
        "suspect causes": {
            cause: [one.number for one in outcomes if one.cause == cause][:10]
            for cause in sorted({one.cause for one in outcomes if _is_suspect(one.cause)})
        },
        "slowest": [asdict(one) for one in _slowest(outcomes)],
        "deaths": [_death(death, outcomes) for death in watch.noticed_deaths] if watch else [],
        "workers ended": _workers(watch) if watch else {},
        "samples": [asdict(sample) for sample in watch.samples] if watch else [],
    }


def text(report: dict) -> str:
    """Write the gist of a report in lines."""
    lines = [
        f"{report['requests']} requests in {report['seconds']:.0f} s: "
        + ", ".join(f"{count} {fate}" for fate, count in report["fates"].items()),
        "good ones: {answered} of {sent} right, {busy} told to come back".format(**report["good"]),
        f"deaths a neighbour notices: {len(report['deaths'])}",
        "workers ended: "
        + (", ".join(f"{n} of {one}" for one, n in report["workers ended"].items()) or "none"),
    ]
    for name, part in report["growth over the last half"].items():
        values = [sample[name] for sample in report["samples"]]
        told = "not watched long enough" if part is None else f"{part:+.1%} over the last half"
        lines.append(f"{name}: {values[0]:.0f} to {values[-1]:.0f}, most {max(values):.0f}, {told}")
    lines += _grown(report["samples"])
    if report["wrong by cause"]:
        lines += ["", "wrong:"]
        lines += [f"{count:6} {cause}" for cause, count in report["wrong by cause"].items()]
    lines += ["", "refused by cause:"]
    lines += [f"{count:6} {cause}" for cause, count in report["refused by cause"].items()]
    lines += ["", "answered with a failed modality:"]
    answered = list(report["answered with a failed modality"].items())
    lines += [f"{count:6} {cause}" for cause, count in answered[:40]]
    if report["suspect causes"]:
        lines += ["", "suspect causes, and numbers of requests:"]
        lines += [f"{cause}: {numbers}" for cause, numbers in report["suspect causes"].items()]
    lines += ["", "slowest:"]
    lines += [
        f"{one['seconds']:6.1f} s  {one['number']:6} {one['kind']}"
        for one in report["slowest"][:10]
    ]
    lines += ["", "faults:", *(report["faults"] or ["none"])]
    return "\n".join(lines) + "\n"


def _grown(samples: list[dict]) -> list[str]:
    """Name the processes whose memory grew most from the middle of a storm to its end."""
    if not samples:
        return []
    middle, end = (sample["by_name_mb"] for sample in (samples[len(samples) // 2], samples[-1]))
    grown = sorted(end, key=lambda name: middle.get(name, 0) - end[name])[:5]
    return ["", "grew most since the middle:"] + [
        f"{end[name] - middle.get(name, 0):+6.0f} MB to {end[name]:.0f}  {name}" for name in grown
    ]


def _good(outcomes: list[Outcome]) -> dict[str, int]:
    good = [one for one in outcomes if one.kind.startswith("good ")]
    return {
        "sent": len(good),
        "answered": sum(one.fate == "answered" for one in good),
        "busy": sum(one.busy for one in good),
    }


def _by_cause(outcomes: Iterable[Outcome], fate: str) -> dict[str, int]:
    counts = Counter(one.cause for one in outcomes if one.fate == fate and one.cause)
    return dict(counts.most_common())


def _slowest(outcomes: list[Outcome]) -> list[Outcome]:
    return sorted(outcomes, key=lambda one: -one.seconds)[:SLOWEST]


def _death(death: Death, outcomes: list[Outcome]) -> dict:
    """Tell of a death, with the requests that were under way."""
    under_way = [
        {"number": one.number, "kind": one.kind}
        for one in outcomes
        if one.begin <= death.before and one.begin + one.seconds >= death.after
    ]
    return {**asdict(death), "under way": under_way}


def _workers(watch: Watch) -> dict[str, int]:
    ended = Counter(death.name for death in watch.deaths if death.role == "worker")
    return dict(ended.most_common())


def _matters(samples: list[Sample], name: str, part: float) -> bool:
    values = sorted(_series(samples, name))
    return part > FLAT and part * values[len(values) // 2] > NEGLIGIBLE[name]


def _series(samples: list[Sample], name: str) -> list[float]:
    return [float(getattr(sample, name)) for sample in samples]


def _is_suspect(cause: str) -> bool:
    return any(words in cause for words in SUSPECT)


def _numbers(outcomes: list[Outcome]) -> str:
    return ", ".join(str(one.number) for one in outcomes[:20])

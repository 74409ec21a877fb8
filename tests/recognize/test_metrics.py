"""Counting, with a stand-in for Triton's custom metrics."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from metrics import FAMILIES, Counters


class TritonModelException(Exception):  # noqa: N818
    pass


def fake_pb_utils(counted: Counter) -> SimpleNamespace:
    class Metric:
        def __init__(self, family: str, labels: dict) -> None:
            self._key = (family, *sorted(labels.items()))

        def increment(self, value: float) -> None:
            if value < 0:
                raise TritonModelException("not monotonic")
            counted[self._key] += value

    class MetricFamily:
        COUNTER = "counter"

        def __init__(self, name: str, description: str, kind: str) -> None:
            self._name = name

        def Metric(self, labels: dict) -> Metric:  # noqa: N802
            return Metric(self._name, labels)

    return SimpleNamespace(MetricFamily=MetricFamily, TritonModelException=TritonModelException)


def test_every_combination_of_labels_is_counted_by_itself():
    counted = Counter()
    counters = Counters(fake_pb_utils(counted), "recognize")
    counters.add("requests", outcome="ok")
    counters.add("requests", outcome="ok")
    counters.add("requests", outcome="invalid")
    counters.add("faces", 12)
    model = ("model", "recognize")
    assert counted == {
        ("recogniser_requests_total", model, ("outcome", "ok")): 2,
        ("recogniser_requests_total", model, ("outcome", "invalid")): 1,
        ("recogniser_faces_total", model): 12,
    }


def test_a_server_without_custom_metrics_or_a_refused_figure_fails_no_request():
    Counters(SimpleNamespace(), "recognize").add("requests", outcome="ok")
    Counters(fake_pb_utils(Counter()), "recognize").add("faces", -1)


def test_only_known_families_can_be_counted():
    with pytest.raises(KeyError):
        Counters(fake_pb_utils(Counter()), "recognize").add("requsts")
    assert all(name.endswith("_total") and text for name, text in FAMILIES.values())

"""Counters of a Python model on Triton's own metrics port.

Every process of every model counts into the same families; Triton adds up what bears the same
labels, and keeps the sums when a process is replaced.
"""

from __future__ import annotations

from contextlib import suppress
from types import ModuleType

#: What can be counted: a short name to the family's name and help.
FAMILIES = {
    "requests": ("recogniser_requests_total", "Requests by outcome"),
    "modalities": ("recogniser_modalities_total", "Modalities of requests by modality and status"),
    "refusals": ("recogniser_refusals_total", "Refused requests and modalities by reason"),
    "stage_seconds": ("recogniser_stage_seconds_total", "Seconds spent by stage"),
    "faces": ("recogniser_faces_total", "Faces that were judged"),
    "clip_seconds": ("recogniser_clip_seconds_total", "Seconds of media that were read"),
}


class Counters:
    """One model's counters.

    Counting never fails a request: where the server offers no custom metrics, nothing is counted.

    Args:
        pb_utils: `triton_python_backend_utils`.
        model: The model's name, a label of all that it counts.
    """

    def __init__(self, pb_utils: ModuleType, model: str) -> None:
        self._pb_utils = pb_utils
        self._model = model
        self._families: dict = {}
        self._metrics: dict = {}

    def add(self, name: str, value: float = 1.0, **labels: str) -> None:
        """Count.

        Args:
            name: A key of `FAMILIES`.
            value: What to add, at least 0.
            labels: Of few different values; each combination is kept for ever.
        """
        if not hasattr(self._pb_utils, "MetricFamily"):
            return
        with suppress(self._pb_utils.TritonModelException):
            self._metric(name, labels).increment(value)

    def _metric(self, name: str, labels: dict[str, str]):
        key = (name, *sorted(labels.items()))
        if key not in self._metrics:
            self._metrics[key] = self._family(name).Metric(labels={"model": self._model} | labels)
        return self._metrics[key]

    def _family(self, name: str):
        if name not in self._families:
            family, description = FAMILIES[name]
            self._families[name] = self._pb_utils.MetricFamily(
                name=family, description=description, kind=self._pb_utils.MetricFamily.COUNTER
            )
        return self._families[name]

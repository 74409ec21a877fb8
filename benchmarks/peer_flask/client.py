"""The peer's client: three modalities side by side, then their fusion."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests


@dataclass(frozen=True)
class Peer:
    """Where each module listens, and what it runs in.

    Attributes:
        urls: By the module's name.
        pids: The modules' processes.
    """

    urls: Mapping[str, str]
    pids: Sequence[int]

    def recognise(self, sentence: str, film: Path) -> dict[str, float]:
        """Recognise a film with its sound and a sentence.

        Returns:
            The flat dictionary by code.

        Raises:
            requests.RequestException: A module failed.
        """
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(3) as pool:
            out = {"output_path": folder}
            branches = [
                pool.submit(self._post, "text", out | {"input_text": sentence}),
                pool.submit(self._post, "speech", out | {"input_speech": str(film)}),
                pool.submit(self._see, folder, film),
            ]
            for branch in branches:
                branch.result()
            return self._post("multimodal", {"input_path": folder})

    def _see(self, folder: str, film: Path) -> dict:
        self._post("preprocessing", {"input_video": str(film), "output_path": folder})
        return self._post("video", {"input_path": folder})

    def _post(self, module: str, form: Mapping[str, str]) -> dict:
        response = requests.post(self.urls[module], data=form, timeout=600)
        response.raise_for_status()
        return response.json()

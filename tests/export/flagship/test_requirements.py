"""What only converting needs stays out of serving."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
ONLY_FLAGSHIP = {"tensorflow-cpu", "keras", "tf2onnx", "h5py", "torch", "konlpy", "gensim"}


def packages(file: Path) -> set[str]:
    """Read the packages of a requirements file and of those that it includes."""
    found = set()
    for line in file.read_text("utf-8").splitlines():
        if line.startswith("-r "):
            found |= packages(file.parent / line[3:])
        elif line and not line.startswith("#"):
            found.add(re.split(r"[=<>;\s]", line)[0].lower())
    return found


def test_serving_and_the_clients_need_none_of_it():
    serving = packages(ROOT / "requirements.txt") | packages(ROOT / "requirements" / "models.txt")
    assert serving and not serving & ONLY_FLAGSHIP


def test_one_file_installs_all_that_converting_and_its_tests_need():
    assert packages(ROOT / "requirements" / "flagship.txt") >= ONLY_FLAGSHIP


def test_the_front_ends_need_neither_a_framework_nor_gensim():
    extra = packages(ROOT / "requirements" / "flagship-models.txt")
    assert extra == {"konlpy", "jpype1", "webrtcvad-wheels"}

"""The word that a request was given up, between processes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import abandonment
import pytest
from abandonment import abandon, forget, is_abandoned, new_id


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(abandonment, "SHARED_MEMORY", tmp_path)
    return tmp_path / f"multimodal-abandoned-{os.geteuid()}"


def test_work_is_abandoned_from_when_it_is_given_up_until_it_is_forgotten():
    work, other = new_id(), new_id()
    assert not is_abandoned(work)
    abandon(work)
    assert is_abandoned(work) and not is_abandoned(other)
    forget(work)
    assert not is_abandoned(work)


def test_another_process_of_the_user_learns_of_it(monkeypatch):
    monkeypatch.undo()
    work = new_id()
    source = Path(abandonment.__file__).parent
    code = f"from abandonment import abandon; abandon({work!r})"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True)
    assert is_abandoned(work)
    forget(work)


@pytest.mark.parametrize("work", ["", ".", "..", "/etc/passwd", "../" * 10, "a" * 5_000, "\0", "é"])
def test_an_id_that_a_client_made_up_is_never_abandoned(work, folder):
    folder.mkdir()
    assert not is_abandoned(work)


def test_nobody_else_sees_or_makes_markers(folder):
    abandon(new_id())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (marker,) = folder.iterdir()
    marker.unlink()
    folder.rmdir()
    folder.symlink_to("/tmp")
    with pytest.raises(PermissionError):
        abandon(new_id())


def test_what_a_dead_process_left_is_cleared_away(folder):
    old = new_id()
    abandon(old)
    os.utime(folder / old, (0, 0))
    abandon(new_id())
    assert not is_abandoned(old)

"""The Dockerfile, as far as it can be checked without a container, and its health check."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.healthcheck import main as healthcheck
from server.errors import FlagError
from server.flags import parse_settings
from server.runtime import ROOT

DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, without comments."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def arguments_of(name: str) -> list[str]:
    return [arguments for instruction, arguments in instructions() if instruction == name]


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    """What the COPY instructions put into the image's working folder."""
    folder = tmp_path_factory.mktemp("image")
    for arguments in arguments_of("COPY"):
        *sources, target = shlex.split(arguments)
        for source in sources:
            if source.endswith("/"):
                shutil.copytree(ROOT / source, folder / target, symlinks=True)
            else:
                (folder / target).mkdir(exist_ok=True)
                shutil.copy2(ROOT / source, folder / target)
    return folder


def test_what_is_copied_is_all_that_the_launcher_the_clients_and_the_models_need(image):
    command = "import server.__main__, clients.recognition_client, server, clients; \
        print(server.__file__, clients.__file__)"
    answer = subprocess.run(
        [sys.executable, "-c", command], cwd=image, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == [
        f"{image}/{name}/__init__.py" for name in ("server", "clients")
    ]
    links = [path for path in image.rglob("*") if path.is_symlink()]
    assert links
    assert [link for link in links if not link.exists()] == []


def test_what_is_copied_is_let_into_the_build():
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    sources = {
        source.rstrip("/")
        for arguments in arguments_of("COPY")
        for source in shlex.split(arguments)[:-1]
    }
    assert sources == allowed


def test_the_server_runs_as_a_user_without_rights_of_a_pinned_release():
    assert arguments_of("ARG") == ["TRITON=26.09-py3"]
    order = [instruction for instruction, _ in instructions()]
    assert arguments_of("USER") == ["triton-server"]
    assert "RUN" not in order[order.index("USER") :]
    assert order.index("USER") < order.index("ENTRYPOINT")


def test_the_container_does_not_start_with_grpc_in_the_clear_unless_told_so(tmp_path):
    (entry,) = arguments_of("ENTRYPOINT")
    flags = [flag for flag in json.loads(entry)[3:] if not flag.startswith("--admin-key-file")]
    assert flags == ["--grpc-address=0.0.0.0"]
    with pytest.raises(FlagError, match="--tls-certificate"):
        parse_settings(flags)
    settings = parse_settings([*flags, "--allow-plaintext-grpc"])
    assert settings.http.is_loopback
    assert settings.metrics.is_loopback


def test_the_health_check_has_a_sentence_recognised(triton, capsys):
    key = f"--admin-key-file={triton.admin_key_file}"
    assert healthcheck([f"--url={triton.http_url}", key]) == 0
    assert json.loads(capsys.readouterr().out)["10006"] > 0.5


def test_the_health_check_fails_without_the_key(triton, tmp_path, capsys):
    (tmp_path / "key").write_text("a-wrong-key-of-that-length")
    assert healthcheck([f"--url={triton.http_url}", f"--admin-key-file={tmp_path / 'key'}"]) == 1
    assert "403" in capsys.readouterr().err

"""The command line and the YAML file: what they mean and what they refuse."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rtmp_bridge.command import USAGE, main, parse
from rtmp_bridge.errors import SettingsError
from rtmp_bridge.settings import Buffering, Limits
from tests.rtmp_bridge.conftest import free_port

ROOT = Path(__file__).parents[2]
DOOR = "rtmp://127.0.0.1:1936/live/door"


def streams_of(*arguments):
    return parse(arguments)[0].streams


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "bridge.yaml"
        path.write_text(text)
        return f"--config={path}"

    return write


def test_streams_are_called_by_their_name_or_the_last_part_of_their_address():
    streams = streams_of("rtmp://host/live/front", "side=clip.mp4", "--listen", f"back={DOOR}")
    assert [(one.name, one.listen, one.live) for one in streams] == [
        ("front", False, True),
        ("side", False, False),
        ("back", True, True),
    ]
    assert streams[2].address == DOOR


def test_live_streams_drop_the_oldest_and_files_wait_unless_told_otherwise():
    live, file = streams_of("rtmp://host/live/front", "clip.mp4")
    assert (live.buffering, file.buffering) == (Buffering.DROP_OLDEST, Buffering.WAIT)
    (file,) = streams_of("clip.mp4", "--buffering", "drop_oldest")
    assert file.buffering is Buffering.DROP_OLDEST


def test_options_reach_every_stream():
    (stream,) = streams_of(
        *(DOOR, "--hop=2", "--window=8", "--attempts=3"),
        *("--max-pixels=100", "--max-bitrate=200", "--max-cores=0.5", "--max-streams=3"),
    )
    assert (stream.hop, stream.window, stream.patience.attempts) == (2, 8, 3)
    assert stream.limits == Limits(pixels=100, bits_per_second=200, cores=0.5, streams=3)


def test_outputs_are_what_was_asked_for(tmp_path):
    (tmp_path / "token").write_text("a-token-for-the-tests\n")
    settings, options = parse(
        [
            DOOR,
            "--url=server:9001",
            f"--jsonl={tmp_path}/out.jsonl",
            "--jsonl-bytes=1000",
            "--jsonl-files=2",
            "--jsonl-fsync",
            "--webhook=https://receiver/hook",
            f"--spool={tmp_path}",
            "--page=0.0.0.0:80",
            f"--token-file={tmp_path}/token",
            "--log-format=json",
        ]
    )
    assert settings.connection.url == "server:9001"
    lines = settings.json_lines
    assert (lines.path, lines.fsync) == (tmp_path / "out.jsonl", True)
    assert (lines.most_bytes, lines.files) == (1000, 2)
    assert (settings.webhook.url, settings.webhook.spool) == ("https://receiver/hook", tmp_path)
    page = settings.page
    assert (page.host, page.port, page.token) == ("0.0.0.0", 80, "a-token-for-the-tests")
    assert options.log_format == "json"


def test_without_a_word_there_is_a_page_on_loopback_and_nothing_else():
    settings, _ = parse([DOOR])
    assert (settings.page.host, settings.page.port) == ("127.0.0.1", 8080)
    assert (settings.json_lines, settings.webhook) == (None, None)
    assert parse([DOOR, "--page=none"])[0].page is None
    assert parse([DOOR, "--jsonl=-"])[0].json_lines.path is None


def test_a_yaml_file_names_streams_and_options(config):
    file = config(
        """
        window: 4
        jsonl-fsync: true
        jsonl: out.jsonl
        streams:
          - address: rtmp://127.0.0.1/live/front
          - {name: door, listen: "rtmp://127.0.0.1:1936/live/KEY", buffering: wait}
        """
    )
    settings, _ = parse([file, "third=clip.mp4"])
    assert [(one.name, one.listen) for one in settings.streams] == [
        ("front", False),
        ("door", True),
        ("third", False),
    ]
    assert settings.streams[1].buffering is Buffering.WAIT
    assert all(one.window == 4 for one in settings.streams)
    assert settings.json_lines.fsync


def test_the_command_line_overrules_the_yaml_file(config):
    file = config("{window: 4, streams: [{address: clip.mp4}]}")
    assert streams_of(file, "--window=5")[0].window == 5


def test_each_stream_of_the_yaml_file_has_its_own_subtitles(config):
    file = config("streams: [{address: a.mp4, subtitles: a.srt}, {address: b.mp4}]")
    assert [one.subtitles for one in streams_of(file)] == [Path("a.srt"), None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "expected options and a list of streams"),
        ("streams: 1", "expected options and a list of streams"),
        ("streams: [1]", "expected names with texts, came 1"),
        ("streams: [{}]", "expected an address or listen"),
        ("streams: [{address: a, listen: b}]", "expected an address or listen"),
        ("streams: [{address: a, colour: red}]", "unknown are colour"),
        ("streams: [{address: a, buffering: hope}]", "buffering: expected one of wait"),
        ("colour: red", "unknown in the YAML file: colour"),
        ("listen: rtmp://127.0.0.1/live/a", "unknown in the YAML file: listen"),
        ("jsonl-fsync: perhaps", "jsonl-fsync: came 'perhaps'"),
        ("log-level: loud", "log-level: came 'loud'"),
        ("a: [", "cannot read"),
    ],
)
def test_a_yaml_file_that_makes_no_sense_is_refused_with_its_reason(config, text, message):
    with pytest.raises(SettingsError, match=message):
        parse([config(text)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "at least one stream"),
        (["a.mp4", "a.mp4"], "twice came"),
        (["a.mp4", "b.mp4", "--subtitles=a.srt"], "--subtitles goes with one stream"),
        (["a.mp4", "--page=8080"], "--page: expected HOST:PORT"),
        (["a.mp4", "--page=0.0.0.0:8080"], "token"),
        (["a.mp4", "--token-file=/nowhere/token"], "cannot read /nowhere/token"),
        (["a.mp4", "--webhook=ftp://receiver"], "begins with http"),
        (["a.mp4", "--webhook=http://receiver"], "--spool"),
        (["a.mp4", "--hop=7"], "1 <= hop <= window"),
        (["--listen=rtmp://127.0.0.1/key"], "rtmp://HOST:PORT/APP/KEY"),
        ([f"--listen={DOOR}", f"--listen=b={DOOR}"], "a port for each"),
        (["--listen=rtmp://127.0.0.1:99999/live/key"], "an address cannot be used: Port"),
        (["rtmp://[::1/live/key"], "an address cannot be used: Invalid IPv6"),
        (["a.mp4", "--webhook=http://[::1", "--spool=."], "an address cannot be used"),
        (["?=a.mp4", "rtmp://host/a b"], "expected a name of letters"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(arguments, message):
    with pytest.raises(SettingsError, match=message):
        parse(arguments)


def test_a_refusal_is_one_line_and_an_exit_code(capsys):
    assert main([]) == USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: expected at least one stream")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_bridge_in_order(number):
    listen = f"--listen=rtmp://127.0.0.1:{free_port()}/live/key"
    command = [sys.executable, "-m", "rtmp_bridge", listen, "--page=none"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as bridge:
        assert "connecting" in bridge.stderr.readline()
        os.kill(bridge.pid, number)
        assert "the bridge was stopped" in bridge.stderr.read()
    assert bridge.returncode == 0


def test_a_stream_that_fails_is_told_by_the_exit_code(tmp_path):
    command = [sys.executable, "-m", "rtmp_bridge", "clip.mp4", "--page=none"]
    bridge = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert bridge.returncode == 1
    assert "cannot be opened" in bridge.stderr

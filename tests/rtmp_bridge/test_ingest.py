"""Reading in a process of its own: what comes to harm there costs one stream, which goes on."""

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

import psutil
import pytest

from rtmp_bridge import ingest
from rtmp_bridge.settings import Limits, Patience
from rtmp_bridge.state import State
from tests.clients.fake_triton import wait_for
from tests.clients.media_files import encoded_sound, noise, wav
from tests.rtmp_bridge.conftest import (
    adds_up,
    disconnection,
    film,
    listening,
    lost_times,
    replayed,
    run_of,
    running,
)
from tests.rtmp_bridge.live_media import write_stream
from tests.rtmp_bridge.publishing import publish

#: A reading process in which the encoder of pictures does what decoders do on hostile files.
BROKEN = """
import os, signal, time
from rtmp_bridge import assembler, reader
def encode(encoder, frame):
    {}
assembler.JpegEncoder.encode = encode
reader.main()
"""
SLOW = """begin = time.process_time()
    while time.process_time() < begin + 0.1: pass
    return b"a picture"
"""


def readers():
    """Return the reading processes of this one."""
    return {
        child.pid
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE and child.cmdline()[1:3] == ["-m", READER]
    }


READER = "rtmp_bridge.reader"


@pytest.fixture
def reading_by(monkeypatch):
    """Let a program of the test's own read."""
    return lambda program: monkeypatch.setattr(ingest, "COMMAND", (sys.executable, "-c", program))


def replay(settings, fake):
    run = run_of(settings, fake.grpc)
    asyncio.run(run.stream.run())
    return run


def ending(run):
    return run.changes[-1].after, run.changes[-1].reason


@pytest.mark.parametrize(
    ("number", "reason"),
    [(signal.SIGKILL, "crashed"), (signal.SIGSTOP, "hung"), (signal.SIGXCPU, "limit")],
)
def test_a_stream_whose_process_is_gone_is_connected_again_and_no_other_stream_notices(
    fake, number, reason
):
    async def go():
        harmed = run_of(listening(), fake.grpc)
        well = run_of(listening(patience=Patience()), fake.grpc)
        async with running(harmed):
            await publish(harmed.stream.settings.address, 1.0)
            await harmed.until(lost_times(1))
            (pid,) = readers()
            async with running(well):
                publishers = [
                    asyncio.create_task(publish(run.stream.settings.address, 60.0, "--paced"))
                    for run in (harmed, well)
                ]
                for run in (harmed, well):
                    await run.until(lambda run: run.stream.account.results >= 2)
                os.kill(pid, number)
                await harmed.until(lost_times(2))
                had, again = well.stream.account.results, harmed.stream.account.results
                publishers += [
                    asyncio.create_task(publish(harmed.stream.settings.address, 60.0, "--paced"))
                ]
                await harmed.until(lambda run: run.stream.account.results > again)
                await well.until(lambda run: run.stream.account.results > had)
                for publisher in publishers:
                    publisher.cancel()
        assert not readers()
        return harmed, well

    harmed, well = asyncio.run(go())
    lost = [change for change in harmed.changes if change.after is State.RECONNECTING]
    assert [change.reason for change in lost][:2] == ["lost", reason]
    assert State.RECONNECTING not in well.states
    assert adds_up(harmed) and adds_up(well)


def test_one_process_reads_all_that_publishers_bring_and_its_command_line_has_no_key(fake):
    async def go():
        run = run_of(listening(), fake.grpc)
        seen = set()
        async with running(run):
            for times in range(1, 4):
                await publish(run.stream.settings.address, 1.0)
                await run.until(lost_times(times))
                (pid,) = readers()
                seen.add(pid)
                told = psutil.Process(pid).cmdline(), psutil.Process(pid).environ()
                assert run.stream.settings.address not in str(told)
        assert not readers()
        return seen

    assert len(asyncio.run(go())) == 1


def test_a_file_whose_process_is_killed_has_failed(fake, tmp_path):
    go_on = threading.Event()
    fake.script = [wait_for(go_on)]

    async def go():
        run = run_of(film(tmp_path, 20.0), fake.grpc)
        async with running(run):
            await run.until(lambda run: State.STREAMING in run.states)
            (pid,) = readers()
            os.kill(pid, signal.SIGKILL)
            go_on.set()
            await run.until(lambda run: run.stream.state.final)
        return run

    run = asyncio.run(go())
    assert ending(run) == (State.FAILED, "crashed")
    assert "SIGKILL" in run.changes[-1].message


@pytest.mark.parametrize(
    ("fault", "reason", "message"),
    [
        ("os.abort()", "crashed", "SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed", "SIGSEGV"),
        ("os._exit(3)", "crashed", "exit code 3"),
        ("return bytes(1 << 40)", "limit", "MiB of memory"),
        ("return bytes(1 << 22)", "crashed", "went astray: frames"),
        ("raise KeyError('never seen before')", "failed", "KeyError"),
    ],
)
def test_what_pictures_provoke_costs_their_own_stream(
    fake, tmp_path, reading_by, fault, reason, message
):
    reading_by(BROKEN.format(fault))
    run = replay(film(tmp_path), fake)
    assert ending(run) == (State.FAILED, reason)
    assert message in run.changes[-1].message
    assert run.stream.account.streamed == 0


def test_reading_that_never_ends_is_ended(fake, tmp_path, reading_by, monkeypatch):
    monkeypatch.setattr(ingest, "FILE_CPU", 1)
    reading_by(BROKEN.format("while True: pass"))
    run = replay(film(tmp_path), fake)
    assert ending(run) == (State.FAILED, "limit")
    assert "1 s of processor time" in run.changes[-1].message


def test_a_live_stream_that_takes_too_much_processor_time_is_disconnected(fake, reading_by):
    reading_by(BROKEN.format(SLOW))
    run = run_of(listening(limits=Limits(cores=0.1)), fake.grpc)
    change = disconnection(run, 10.0)
    assert change.reason == "limit"
    assert "processor time for 10 s" in change.message


def test_what_is_no_message_is_not_believed(fake, tmp_path, reading_by):
    reading_by("import sys; sys.stdin.readline(); sys.stdout.write('x' * 100)")
    assert ending(replay(film(tmp_path), fake)) == (State.FAILED, "crashed")


def test_a_stream_with_7_1_sound_is_recognised(fake, tmp_path):
    path = tmp_path / "film.aac"
    path.write_bytes(encoded_sound("aac", 48_000, "7.1", 3, "adts"))
    run = replay(replayed(path), fake)
    assert ending(run) == (State.ENDED, "")
    assert run.stream.account.results == 3
    assert all("AUDIO" in fake.sent(index) for index in range(3))


@pytest.mark.parametrize("channels", [9, 64])
def test_sound_of_many_channels_is_recognised(fake, tmp_path, channels):
    path = tmp_path / "array.wav"
    path.write_bytes(wav(noise(3, channels=channels)))
    assert replay(replayed(path), fake).stream.account.results == 3


def test_sound_at_a_rate_that_nothing_has_is_refused_before_it_is_resampled(fake, tmp_path):
    path = tmp_path / "slow.mka"
    path.write_bytes(encoded_sound("flac", 1, "mono", 12_000, "matroska"))
    run = replay(replayed(path), fake)
    assert ending(run) == (State.FAILED, "limit")
    assert "1 samples a second" in run.changes[-1].message


def test_sound_that_changes_its_channels_goes_on(fake, tmp_path):
    path = tmp_path / "changing.aac"
    parts = (encoded_sound("aac", 16_000, layout, 2, "adts") for layout in ("mono", "stereo"))
    path.write_bytes(b"".join(parts))
    run = replay(replayed(path), fake)
    assert ending(run) == (State.ENDED, "")
    assert run.stream.account.results == 4


def test_a_playlist_opens_nothing(fake, tmp_path):
    write_stream(str(tmp_path / "part.ts"), 2.0, container="mpegts")
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\npart.ts\n#EXT-X-ENDLIST\n")
    assert ending(replay(replayed(path), fake)) == (State.FAILED, "unreadable")


def test_the_process_reads_from_any_folder(fake, tmp_path, monkeypatch):
    settings = film(tmp_path, 2.0)
    monkeypatch.chdir(tmp_path)
    assert replay(replayed(Path(settings.address).name), fake).stream.account.results == 2

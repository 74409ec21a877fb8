"""A stream against a scripted recogniser: every second ends as a result, an error or a drop."""

import asyncio
import contextlib
import os
import socket
import threading

import grpc
import pytest

from clients import Backoff
from clients.contract import VIDEO_ROW
from rtmp_bridge.settings import Buffering, Limits, Patience, StreamSettings
from rtmp_bridge.state import NEXT_STATES, State, StateMachine
from tests.clients.fake_triton import refuse, wait_for
from tests.rtmp_bridge.conftest import free_port, run_of, running
from tests.rtmp_bridge.live_media import write_stream
from tests.rtmp_bridge.publishing import publish

QUICK = Patience(open=10.0, stall=0.5, silence=1.5, backoff=Backoff(first=0.05, longest=0.1))


def film(tmp_path, seconds=4.0, **what):
    path = tmp_path / "clip.flv"
    write_stream(str(path), seconds, **what)
    return StreamSettings("clip", str(path), buffering=Buffering.WAIT)


def listening(**what):
    address = f"rtmp://127.0.0.1:{free_port()}/live/key"
    given = {"buffered": 100, "patience": QUICK} | what
    return StreamSettings("door", address, listen=True, **given)


def lost_times(count):
    return lambda run: run.states.count(State.RECONNECTING) == count


def adds_up(run):
    account = run.stream.account
    return account.pending == 0 and account.streamed == len(run.outcomes)


def test_a_file_ends_with_a_result_for_every_second(fake, tmp_path):
    run = run_of(film(tmp_path, 4.0), fake.grpc)
    asyncio.run(run.stream.run())
    assert run.states == [State.CONNECTING, State.STREAMING, State.ENDED]
    assert [outcome.record()["stream_time"] for outcome in run.outcomes] == [1.0, 2.0, 3.0, 4.0]
    assert run.outcomes[0].record()["result"] == fake.document["result"]
    assert run.stream.account.results == 4
    assert adds_up(run)


def test_each_second_is_sent_once_with_the_rows_of_those_before_it(fake, tmp_path):
    run = run_of(film(tmp_path, 8.0), fake.grpc)
    asyncio.run(run.stream.run())
    rows = [fake.sent(index).get("PAST_VIDEO") for index in range(8)]
    assert [0 if one is None else len(one) for one in rows] == [0, 3, 6, 9, 12, 15, 15, 15]
    assert rows[-1].shape == (15, VIDEO_ROW)
    windows = [fake.sent(index).get("PAST_SPEECH") for index in range(8)]
    # The first second alone is shorter than a window: its row is not the stream's.
    assert [0 if one is None else len(one) for one in windows] == [0, 0, 3, 6, 9, 12, 15, 15]


@pytest.mark.parametrize("missing", ["pictures", "sound"])
def test_a_stream_may_lack_pictures_or_sound(fake, tmp_path, missing):
    run = run_of(film(tmp_path, 3.0, **{missing: False}), fake.grpc)
    asyncio.run(run.stream.run())
    tensor = {"pictures": "FRAMES", "sound": "AUDIO"}[missing]
    assert run.stream.account.results == 3
    assert all(tensor not in fake.sent(index) for index in range(3))


def test_a_second_that_the_server_fails_is_a_reported_error(fake, tmp_path):
    fake.script = [
        refuse(grpc.StatusCode.INVALID_ARGUMENT, "no modality can be used"),
        refuse(grpc.StatusCode.UNAVAILABLE, "busy"),
        refuse(grpc.StatusCode.INTERNAL, "broken"),
    ]
    run = run_of(film(tmp_path, 4.0), fake.grpc)
    asyncio.run(run.stream.run())
    assert dict(run.stream.account.errors) == {"refused": 1, "unavailable": 1, "failed": 1}
    assert "no modality can be used" in run.outcomes[0].record()["message"]
    assert run.stream.account.results == 1
    assert adds_up(run)


def test_a_sentence_is_sent_while_it_is_in_the_window(fake, tmp_path):
    run = run_of(film(tmp_path, 8.0), fake.grpc)
    run.stream.say("나는 지금 너무 행복해", 1.5)
    asyncio.run(run.stream.run())
    assert [outcome.text for outcome in run.outcomes] == [
        None,
        *["나는 지금 너무 행복해"] * 6,
        None,
    ]
    assert ["TEXT" in fake.sent(index) for index in range(8)] == [False, *[True] * 6, False]


def test_a_file_that_is_none_fails_and_says_why(fake, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(os.urandom(10_000))
    run = run_of(StreamSettings("clip", str(path), buffering=Buffering.WAIT), fake.grpc)
    asyncio.run(run.stream.run())
    assert run.changes[-1].after is State.FAILED
    assert run.changes[-1].reason == "unreadable"


def test_a_publisher_that_comes_back_is_taken_again(fake):
    async def go():
        run = run_of(listening(), fake.grpc)
        async with running(run):
            for times in range(1, 4):
                await publish(run.stream.settings.address)
                await run.until(lost_times(times))
            await run.until(adds_up)
        return run

    run = asyncio.run(go())
    assert run.states[:4] == [
        State.CONNECTING,
        State.STREAMING,
        State.RECONNECTING,
        State.CONNECTING,
    ]
    assert run.stream.account.results >= 9
    assert [outcome.chunk.index for outcome in run.outcomes] == list(range(len(run.outcomes)))
    fresh = [index for index, one in enumerate(run.outcomes) if one.chunk.fresh]
    assert len(fresh) == 3
    assert all("PAST_VIDEO" not in fake.sent(index) for index in fresh)


def test_no_thread_is_left_when_publishers_come_and_go(fake):
    async def go():
        run = run_of(listening(), fake.grpc)
        counts = []
        async with running(run):
            for times in range(1, 6):
                await publish(run.stream.settings.address, 1.0)
                await run.until(lost_times(times))
                await run.until(lambda run: run.states[-1] is State.CONNECTING)
                counts.append(
                    sum(thread.name.startswith("ingest") for thread in threading.enumerate())
                )
        return counts

    assert max(asyncio.run(go())) <= 1


@pytest.mark.parametrize("address", ["live/wrong", "other/wrong"])
def test_a_publisher_without_the_key_is_sent_away(fake, address):
    async def go():
        run = run_of(listening(), fake.grpc)
        async with running(run):
            host = run.stream.settings.address.rsplit("/", 2)[0]
            await publish(f"{host}/{address}")
            await run.until(lambda run: State.RECONNECTING in run.states)
        return run

    run = asyncio.run(go())
    (change,) = [one for one in run.changes if one.after is State.RECONNECTING]
    assert change.reason == "key"
    assert run.stream.account.streamed == 0
    assert "wrong" in change.message and "live/" not in change.message


def test_garbage_costs_nobody_else_anything(fake):
    async def go():
        attacked, well = run_of(listening(), fake.grpc), run_of(listening(), fake.grpc)
        async with running(attacked), running(well):
            await asyncio.to_thread(throw_garbage, attacked.stream.settings.endpoint)
            await publish(well.stream.settings.address)
            await well.until(lambda run: run.stream.account.results >= 3)
            await attacked.until(lambda run: State.RECONNECTING in run.states)
            await publish(attacked.stream.settings.address)
            await attacked.until(lambda run: run.stream.account.results >= 3)
        return attacked, well

    for run in asyncio.run(go()):
        assert adds_up(run)


def throw_garbage(endpoint):
    with socket.create_connection(endpoint) as attacker, contextlib.suppress(OSError):
        attacker.sendall(os.urandom(1_000_000))


def test_pictures_that_are_too_large_end_the_connection(fake):
    async def go():
        run = run_of(listening(limits=Limits(pixels=64 * 64)), fake.grpc)
        async with running(run):
            await publish(run.stream.settings.address, 2.0)
            await run.until(lambda run: State.RECONNECTING in run.states)
        return run

    run = asyncio.run(go())
    (change,) = [one for one in run.changes if one.after is State.RECONNECTING]
    assert change.reason in ("limit", "unreachable")
    assert not any(outcome.chunk.frames for outcome in run.outcomes)


def test_too_many_bits_end_the_connection(fake):
    async def go():
        run = run_of(listening(limits=Limits(bits_per_second=1_000)), fake.grpc)
        async with running(run):
            await publish(run.stream.settings.address, 10.0)
            await run.until(lambda run: State.RECONNECTING in run.states)
        return run

    run = asyncio.run(go())
    (change,) = [one for one in run.changes if one.after is State.RECONNECTING]
    assert change.reason == "limit"
    assert "bits a second" in change.message


def test_a_slow_server_costs_the_oldest_seconds_of_a_live_stream(fake):
    go_on = threading.Event()
    fake.script = [wait_for(go_on)]

    async def go():
        run = run_of(listening(buffered=2), fake.grpc)
        async with running(run):
            await publish(run.stream.settings.address, 8.0)
            await run.until(lambda run: State.RECONNECTING in run.states)
            go_on.set()
            await run.until(adds_up)
        return run

    run = asyncio.run(go())
    account = run.stream.account
    assert account.drops["buffer_full"] == account.streamed - 3
    assert account.results == 3
    last = [outcome.chunk.index for outcome in run.outcomes if outcome.document]
    assert last == [0, account.streamed - 2, account.streamed - 1]


def test_what_waits_when_the_bridge_is_stopped_is_counted(fake):
    go_on = threading.Event()
    fake.script = [wait_for(go_on)]

    async def go():
        run = run_of(listening(), fake.grpc)
        async with running(run):
            await publish(run.stream.settings.address, 3.0)
            await run.until(lambda run: State.RECONNECTING in run.states)
        go_on.set()
        return run

    run = asyncio.run(go())
    assert run.stream.account.drops["stopping"] == run.stream.account.streamed >= 3
    assert adds_up(run)
    assert run.states[-1] is State.ENDED


def test_a_publisher_that_falls_silent_is_stalled_and_then_given_up(fake):
    async def go():
        run = run_of(listening(), fake.grpc)
        async with running(run), holding_relay(run.stream.settings.endpoint) as address:
            await publish(address)
            await run.until(lambda run: State.STALLED in run.states)
            await run.until(lambda run: State.RECONNECTING in run.states)
        return run

    run = asyncio.run(go())
    assert run.states[:4] == [
        State.CONNECTING,
        State.STREAMING,
        State.STALLED,
        State.RECONNECTING,
    ]


@contextlib.asynccontextmanager
async def holding_relay(endpoint):
    """Pass a publisher on, and keep its connection when it has gone, without sending anything."""
    held = []

    async def take(reader, writer):
        far_reader, far_writer = await asyncio.open_connection(*endpoint)
        held.append(far_writer)
        back = asyncio.create_task(pump(far_reader, writer))
        await pump(reader, far_writer)
        back.cancel()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"rtmp://127.0.0.1:{port}/live/key"
    finally:
        server.close()
        for writer in held:
            writer.close()


async def pump(reader, writer):
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


def test_a_stream_that_never_comes_fails_when_it_may(fake):
    patience = Patience(open=2.0, backoff=Backoff(first=0.01, longest=0.02), attempts=3)
    settings = StreamSettings("away", f"rtmp://127.0.0.1:{free_port()}/live/x", patience=patience)
    run = run_of(settings, fake.grpc)
    asyncio.run(run.stream.run())
    assert run.states.count(State.RECONNECTING) == 2
    assert run.changes[-1].after is State.FAILED
    assert "gave up after 3 attempts" in run.changes[-1].message


def test_states_follow_each_other_only_as_told():
    for before, following in NEXT_STATES.items():
        for after in State:
            machine = StateMachine("door", lambda change: None)
            for step in path_to(before):
                machine.to(step)
            if after in following:
                machine.to(after)
                assert machine.state is after
            else:
                with pytest.raises(ValueError, match=f"{after.name} may not follow {before.name}"):
                    machine.to(after)


def path_to(state):
    return {
        State.CONNECTING: [],
        State.STREAMING: [State.STREAMING],
        State.STALLED: [State.STREAMING, State.STALLED],
        State.RECONNECTING: [State.RECONNECTING],
        State.ENDED: [State.ENDED],
        State.FAILED: [State.FAILED],
    }[state]

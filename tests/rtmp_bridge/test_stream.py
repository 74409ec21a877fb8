"""A stream against a scripted recogniser: every second ends as a result, an error or a drop."""

import asyncio
import contextlib
import io
import os
import socket
import threading
from dataclasses import replace

import grpc
import pytest
from PIL import Image

from clients import Backoff
from clients.contract import VIDEO_ROW
from rtmp_bridge import gate
from rtmp_bridge.buffer import ChunkBuffer
from rtmp_bridge.outcomes import Kind
from rtmp_bridge.settings import Buffering, Limits, Patience, StreamSettings
from rtmp_bridge.state import NEXT_STATES, State, StateMachine
from tests.clients.fake_triton import refuse, wait_for
from tests.rtmp_bridge.conftest import (
    PATIENCE,
    adds_up,
    disconnection,
    film,
    free_port,
    listening,
    lost_times,
    run_of,
    running,
)
from tests.rtmp_bridge.live_media import write_stream
from tests.rtmp_bridge.publishing import publish


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


def throw_garbage(attacker):
    attacker.sendall(os.urandom(1_000_000))


def send_endless_headers(attacker):
    """Shake hands as RTMP asks, then go on setting the size of packets."""
    attacker.sendall(b"\x03" + bytes(1536))
    answer = b""
    while len(answer) < 1537:
        answer += attacker.recv(4096)
    attacker.sendall(answer[1:1537])
    while True:
        attacker.sendall(bytes.fromhex("02000000 000004 01 00000000 00001000"))


def say_nothing(attacker):
    assert attacker.recv(4096) == b""


@pytest.mark.parametrize("attack", [throw_garbage, send_endless_headers, say_nothing])
def test_a_hostile_publisher_costs_nobody_else_anything(fake, monkeypatch, attack):
    monkeypatch.setattr(gate, "KEY_PATIENCE", 3.0)

    async def go():
        attacked, well = run_of(listening(), fake.grpc), run_of(listening(), fake.grpc)
        async with running(attacked), running(well):
            await asyncio.to_thread(attack_endpoint, attack, attacked.stream.settings.endpoint)
            await publish(well.stream.settings.address)
            await well.until(lambda run: run.stream.account.results >= 3)
            await attacked.until(lambda run: State.RECONNECTING in run.states)
            await publish(attacked.stream.settings.address)
            await attacked.until(lambda run: run.stream.account.results >= 3)
        return attacked, well

    for run in asyncio.run(go()):
        assert adds_up(run)


def attack_endpoint(attack, endpoint):
    """Go on until the bridge ends the connection."""
    with socket.create_connection(endpoint) as attacker, contextlib.suppress(OSError):
        attack(attacker)


@pytest.mark.parametrize(
    ("size", "limits"), [((128, 96), Limits(pixels=64 * 64)), ((7680, 4320), Limits())]
)
def test_pictures_that_are_too_large_end_the_connection(fake, size, limits):
    run = run_of(listening(limits=limits), fake.grpc)
    change = disconnection(run, 1.0, "--size", *map(str, size))
    assert change.reason in ("limit", "unreachable")
    assert not any(outcome.chunk.frames for outcome in run.outcomes)


def test_too_many_bits_end_the_connection(fake):
    run = run_of(listening(limits=Limits(bits_per_second=1_000)), fake.grpc)
    change = disconnection(run, 10.0)
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


def test_what_of_a_file_found_no_room_when_the_bridge_is_stopped_has_not_come(
    fake, tmp_path, monkeypatch
):
    go_on = threading.Event()
    fake.script = [wait_for(go_on)]
    put = ChunkBuffer.put

    async def go():
        fourth = asyncio.Event()

        async def tell_and_put(buffer, chunk):
            if chunk.index == 3:
                fourth.set()
            return await put(buffer, chunk)

        monkeypatch.setattr(ChunkBuffer, "put", tell_and_put)
        run = run_of(replace(film(tmp_path, 8.0), buffered=2), fake.grpc)
        async with running(run):
            # One is being recognised and two wait: the next finds no room, which nobody announces.
            await asyncio.wait_for(fourth.wait(), PATIENCE)
            assert run.stream.account.streamed == 3
        go_on.set()
        return run

    run = asyncio.run(go())
    assert run.stream.account.drops == {"stopping": 3}
    assert adds_up(run)


def test_pictures_of_another_size_and_time_go_on(fake, tmp_path):
    path = tmp_path / "joined.ts"
    for size in ((128, 96), (256, 192)):
        part = tmp_path / "part.ts"
        write_stream(str(part), 3.0, size=size, container="mpegts")
        with path.open("ab") as joined:
            joined.write(part.read_bytes())
    run = run_of(StreamSettings("joined", str(path), buffering=Buffering.WAIT), fake.grpc)
    asyncio.run(run.stream.run())
    assert run.states[-1] is State.ENDED
    sizes = [Image.open(io.BytesIO(one.chunk.frames[-1])).size for one in run.outcomes]
    assert sizes[0] == (128, 96) and sizes[-1] == (256, 192)
    assert 6 <= run.stream.account.results <= 7
    assert adds_up(run)


def test_a_codec_that_changes_costs_its_own_track_until_the_next_connection(fake, tmp_path):
    first, second, path = (tmp_path / f"{name}.flv" for name in ("first", "second", "joined"))
    write_stream(str(first), 3.0, sound=False)
    write_stream(str(second), 3.0, sound=False, codec="flv1")
    header = 13  # of an FLV file
    path.write_bytes(first.read_bytes() + second.read_bytes()[header:])
    run = run_of(StreamSettings("joined", str(path), buffering=Buffering.WAIT), fake.grpc)
    asyncio.run(run.stream.run())
    assert run.states[-1] is State.ENDED
    assert run.stream.account.results == 3


def test_a_chunk_that_nobody_expected_to_fail_is_a_reported_error(fake, tmp_path):
    fake.script = [answer_nonsense(fake)]
    run = run_of(film(tmp_path, 3.0), fake.grpc)
    asyncio.run(run.stream.run())
    assert [outcome.kind for outcome in run.outcomes] == [Kind.ERROR, Kind.RESULT, Kind.RESULT]
    assert adds_up(run)


def answer_nonsense(fake):
    """Return a step that answers with what is no result, once."""
    well = fake.document

    def step(request, context):
        fake.document = ["nonsense"]
        fake.script = [lambda request, context: setattr(fake, "document", well)]

    return step


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

"""Outputs: each outcome is written, shown, counted and delivered."""

import asyncio
import json
from dataclasses import replace

import httpx

from rtmp_bridge.chunks import Chunk
from rtmp_bridge.outcomes import Kind, Outcome
from rtmp_bridge.outputs import Events, Hub, JsonLines, Metrics, Output, Webhook
from rtmp_bridge.outputs.events import HISTORY
from rtmp_bridge.settings import JsonLinesSettings, WebhookSettings


def outcome(index=0, kind=Kind.RESULT, reason=""):
    chunk = Chunk(index, float(index), 1.0, (b"",) * 10, None, 0, False, 1e9)
    document = {"result": {"10001": 0.5}} if kind is Kind.RESULT else None
    return Outcome("door", chunk, kind, 1e9 + 0.25, document, reason=reason, message=reason)


def written(path):
    return [json.loads(line)["chunk"] for line in path.read_text().splitlines()]


def test_lines_have_time_latency_and_result(tmp_path):
    async def go():
        async with JsonLines(JsonLinesSettings(tmp_path / "out.jsonl", fsync=True)) as output:
            await output.publish(outcome(3))

    asyncio.run(go())
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {
        "stream": "door",
        "kind": "result",
        "chunk": 3,
        "stream_time": 4.0,
        "wall_time": "2001-09-09T01:46:40.250Z",
        "latency": 0.25,
        "text": None,
        "result": {"10001": 0.5},
    }


def test_a_file_of_lines_is_rotated_and_continued(tmp_path):
    path = tmp_path / "out.jsonl"

    async def go(indices):
        async with JsonLines(JsonLinesSettings(path, most_bytes=400, files=2)) as output:
            for index in indices:
                await output.publish(outcome(index))

    asyncio.run(go(range(1)))
    asyncio.run(go(range(1, 7)))
    older = [written(tmp_path / f"out.jsonl{suffix}") for suffix in (".2", ".1", "")]
    assert [index for file in older for index in file] == list(range(7))[-sum(map(len, older)) :]
    assert not (tmp_path / "out.jsonl.3").exists()


def test_watchers_get_the_last_minute_and_what_comes():
    async def go():
        events = Events()
        await events.publish(outcome(0))
        watching = events.watch("door")
        first = await anext(watching)
        await events.publish(outcome(1, Kind.DROP, "gap"))
        second = await anext(watching)
        await watching.aclose()
        return first, second

    first, second = asyncio.run(go())
    assert first.startswith('event: chunk\ndata: {"stream": "door", "kind": "result"')
    assert '"reason": "gap"' in second


def test_watchers_get_the_last_minute_of_many_streams_and_an_end():
    async def go():
        events = Events()
        for stream in map(str, range(16)):
            for index in range(HISTORY):
                await events.publish(replace(outcome(index), stream=stream))
        watching = events.watch()
        first = await anext(watching)
        events.close()
        return 1 + len([event async for event in watching]), first

    count, first = asyncio.run(go())
    assert count == 16 * HISTORY
    assert '"stream": "0"' in first


def test_metrics_count_chunks_frames_and_reasons():
    async def go():
        metrics = Metrics()
        await metrics.publish(outcome(0))
        await metrics.publish(outcome(1, Kind.DROP, "gap"))
        return metrics.text().decode()

    text = asyncio.run(go())
    for line in (
        'rtmp_bridge_frames_total{stream="door"} 20.0',
        'rtmp_bridge_chunks_total{kind="result",stream="door"} 1.0',
        'rtmp_bridge_drops_total{reason="gap",stream="door"} 1.0',
        'rtmp_bridge_latency_seconds_sum{stream="door"} 0.25',
    ):
        assert line in text


def test_a_webhook_delivers_in_order_after_a_failure_and_a_restart(tmp_path):
    settings = WebhookSettings("http://127.0.0.1/hook", tmp_path / "spool", token="secret")
    came = []
    answers = [httpx.Response(500), httpx.ConnectError("away")]

    def refuse(request):
        raise httpx.ConnectError("away")

    def receive(request):
        answer = answers.pop(0) if answers else httpx.Response(204)
        if isinstance(answer, Exception):
            raise answer
        if answer.is_success:
            assert request.headers["authorization"] == "Bearer secret"
            came.append(json.loads(request.content)["chunk"])
        return answer

    async def publish(handler, indices):
        async with Webhook(settings, httpx.MockTransport(handler)) as webhook:
            for index in indices:
                await webhook.publish(outcome(index))

    asyncio.run(publish(refuse, [0, 1]))
    assert len(list(settings.spool.iterdir())) == 2
    asyncio.run(publish(receive, [2]))
    assert came == [0, 1, 2]
    assert not list(settings.spool.iterdir())


def test_what_a_receiver_never_takes_is_counted_and_does_not_block(tmp_path):
    settings = WebhookSettings("http://127.0.0.1/hook", tmp_path / "spool")

    async def go():
        transport = httpx.MockTransport(lambda request: httpx.Response(400))
        async with Webhook(settings, transport) as webhook:
            await webhook.publish(outcome(0))
        return webhook

    assert asyncio.run(go()).refused == 1
    assert not list(settings.spool.iterdir())


def test_an_output_that_fails_does_not_stop_the_others():
    class Broken(Output):
        async def publish(self, outcome):
            raise OSError("disk full")

    metrics = Metrics()
    asyncio.run(Hub([Broken(), metrics]).publish(outcome()))
    assert b'kind="result",stream="door"} 1.0' in metrics.text()

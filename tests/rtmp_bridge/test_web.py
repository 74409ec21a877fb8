"""The page's addresses: who may come in, what they say, and what they take."""

import asyncio
import sys

import grpc
import httpx
import pytest
from starlette.testclient import TestClient

from clients import Connection
from rtmp_bridge import trial
from rtmp_bridge.errors import SettingsError
from rtmp_bridge.outputs import Events, Metrics
from rtmp_bridge.settings import PageSettings, StreamSettings
from rtmp_bridge.web import Web
from tests.clients.fake_triton import refuse
from tests.rtmp_bridge.conftest import run_of

HOME = "http://127.0.0.1:8080"
TOKEN = "a-token-for-the-tests"


@pytest.fixture
def stream(fake):
    return run_of(StreamSettings("door", "rtmp://127.0.0.1/live/door"), fake.grpc).stream


@pytest.fixture
def open_page(fake, stream):
    def open_page(page=PageSettings(), home=HOME):  # noqa: B008
        web = Web([stream], Events(), Metrics(), Connection(fake.grpc))
        return TestClient(web.application(page), home, follow_redirects=False)

    return open_page


def test_streams_and_their_account_are_listed(open_page):
    (record,) = open_page().get("/streams").json()
    assert (record["stream"], record["state"]) == ("door", "connecting")
    assert record["account"] == {
        "streamed": 0,
        "results": 0,
        "errors": {},
        "drops": {},
        "pending": 0,
    }


def test_a_sentence_is_taken(open_page, stream):
    answer = open_page().post("/streams/door/text", json={"text": "기뻐", "start": 2, "end": 3})
    assert (answer.status_code, answer.json()) == (202, {"start": 2, "end": 3})
    assert stream.sentences.within(0, 6) == "기뻐"


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"text": 1}', '{"text": ""}', '{"text": "a", "start": "b"}', "{"]
)
def test_what_is_no_sentence_is_refused_with_a_sentence(open_page, body):
    answer = open_page().post("/streams/door/text", content=body)
    assert answer.status_code == 422
    assert "expected" in answer.json()["error"]


def test_too_much_is_refused_before_it_is_read(open_page):
    assert open_page().post("/streams/door/text", content=b" " * 20_000).status_code == 413


def test_a_stream_that_is_not_there_is_not_found(open_page):
    page = open_page()
    assert page.get("/streams/other").status_code == 404
    assert page.get("/streams/door/picture").status_code == 404


def test_a_visitors_clip_and_sentence_are_recognised(open_page, fake):
    answer = open_page().post("/recognise", params={"text": "기뻐"}, content=b"a clip")
    assert answer.json() == fake.document
    assert fake.sent(0)["VIDEO"].tobytes() == b"a clip"
    assert open_page().post("/recognise").status_code == 422


def test_the_page_and_its_files_are_served_without_anything_from_elsewhere(open_page):
    page = open_page()
    answer = page.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert page.get("/page/page.js").status_code == page.get("/page/page.css").status_code == 200


@pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1.elsewhere.example", "[", ""])
def test_a_page_on_loopback_answers_to_no_other_name(open_page, host):
    assert open_page().get("/streams", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080"])
def test_a_page_on_loopback_answers_to_each_of_its_names(open_page, host):
    assert open_page().get("/streams", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://elsewhere.example"},
        {"origin": "http://127.0.0.1:9090"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate"},
    ],
)
@pytest.mark.parametrize("address", ["/streams/door/text", "/recognise"])
def test_what_another_site_sends_is_not_taken(open_page, stream, headers, address):
    answer = open_page().post(address, json={"text": "기뻐"}, headers=headers)
    assert answer.status_code == 403
    assert stream.sentences.within(0, 6) is None


def test_another_site_may_link_to_the_page_but_show_nothing_of_it(open_page):
    elsewhere = {"sec-fetch-site": "cross-site"}
    link, image = {"sec-fetch-mode": "navigate"}, {"sec-fetch-mode": "no-cors"}
    assert open_page().get("/", headers=elsewhere | link).status_code == 200
    assert open_page().get("/events", headers=elsewhere | image).status_code == 403


def test_a_clip_that_does_not_come_is_not_waited_for(open_page, monkeypatch):
    async def nothing(request, most):
        await asyncio.Event().wait()

    monkeypatch.setattr("rtmp_bridge.web._read_body", nothing)
    monkeypatch.setattr("rtmp_bridge.web.UPLOAD_PATIENCE", 0.01)
    assert open_page().post("/recognise", content=b"a clip").status_code == 408


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 422),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504),
        (grpc.StatusCode.INTERNAL, 502),
    ],
)
def test_why_a_clip_is_not_recognised_is_said(open_page, fake, code, status):
    fake.script = [refuse(code, "no modality can be used")]
    answer = open_page().post("/recognise", params={"text": "기뻐"})
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("os.abort()", "SIGABRT"),
        ("bytes(1 << 40)", "MiB of memory"),
        ("os.write(1, bytes(100))", "has harmed"),
    ],
)
def test_a_clip_that_harms_what_reads_it_is_refused(open_page, monkeypatch, fault, told):
    program = f"import os\nfrom rtmp_bridge import trial\ntrial.media_of = lambda *_: {fault}\n"
    monkeypatch.setattr(trial, "COMMAND", (sys.executable, "-c", f"{program}trial.main()"))
    answer = open_page().post("/recognise", content=b"a clip")
    assert answer.status_code in (422, 502)
    assert told in answer.json()["error"]


def test_with_a_token_only_those_who_bring_it_come_in(open_page):
    page = open_page(PageSettings("0.0.0.0", 8080, TOKEN), "http://camera.example")
    assert page.get("/streams").status_code == 401
    assert page.get("/streams", headers={"authorization": "Bearer wrong"}).status_code == 401
    right = {"authorization": f"Bearer {TOKEN}"}
    assert page.get("/streams", headers=right).status_code == 200
    answer = page.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert page.get("/streams").status_code == 200


@pytest.mark.parametrize("token", [None, "short"])
def test_a_page_for_others_needs_a_token(token):
    with pytest.raises(SettingsError, match="token"):
        PageSettings("0.0.0.0", 8080, token)


def test_a_token_does_not_let_other_sites_in(open_page):
    page = open_page(PageSettings("0.0.0.0", 8080, TOKEN), "http://camera.example")
    page.get("/", params={"token": TOKEN})
    answer = page.post("/streams/door/text", headers={"origin": "http://elsewhere.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/", "/page/page.js", "/metrics", "/events", "/health"])
def test_nothing_is_shown_without_the_token(open_page, path):
    page = open_page(PageSettings("0.0.0.0", 8080, TOKEN), "http://camera.example")
    assert page.get(path, params={"token": "wrong"}).status_code == 401


def test_metrics_are_in_prometheus_format(open_page):
    answer = open_page().get("/metrics")
    assert isinstance(answer, httpx.Response)
    assert "rtmp_bridge_latency_seconds" in answer.text

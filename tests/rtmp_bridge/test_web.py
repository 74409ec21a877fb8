"""The page's addresses: who may come in, what they say, and what they take."""

import httpx
import pytest
from starlette.testclient import TestClient

from clients import Connection
from rtmp_bridge.errors import SettingsError
from rtmp_bridge.outputs import Events, Metrics
from rtmp_bridge.settings import PageSettings, StreamSettings
from rtmp_bridge.web import Web
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
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "//" not in answer.text
    assert page.get("/page/page.js").status_code == page.get("/page/page.css").status_code == 200


def test_a_site_elsewhere_cannot_reach_a_page_on_loopback(open_page):
    assert open_page(home="http://elsewhere.example").get("/streams").status_code == 403
    answer = open_page().post("/streams/door/text", headers={"origin": "http://elsewhere.example"})
    assert answer.status_code == 403


def test_with_a_token_only_those_who_bring_it_come_in(open_page):
    page = open_page(PageSettings("0.0.0.0", 8080, TOKEN), "http://camera.example")
    assert page.get("/streams").status_code == 401
    assert page.get("/streams", headers={"authorization": "Bearer wrong"}).status_code == 401
    right = {"authorization": f"Bearer {TOKEN}"}
    assert page.get("/streams", headers=right).status_code == 200
    answer = page.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert page.get("/streams").status_code == 200


@pytest.mark.parametrize("token", [None, "short"])
def test_a_page_for_others_needs_a_token(token):
    with pytest.raises(SettingsError, match="token"):
        PageSettings("0.0.0.0", 8080, token)


def test_metrics_are_in_prometheus_format(open_page):
    answer = open_page().get("/metrics")
    assert isinstance(answer, httpx.Response)
    assert "rtmp_bridge_latency_seconds" in answer.text

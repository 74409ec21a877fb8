"""Chromium keeps the page to itself, and others out of it."""

import contextlib
import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.rtmp_bridge.conftest import free_port
from tests.rtmp_bridge.page.bridge_process import BridgeProcess, listening
from tests.rtmp_bridge.page.shown import shown

TOKEN = "a-token-for-the-tests"
TRY_ALL = """async (address) => {
  const outcome = (asked) => asked.then((answer) => answer.type, () => "refused");
  const loads = (tag) => new Promise((resolve) => {
    const element = document.createElement(tag);
    element.onload = () => resolve("shown");
    element.onerror = () => resolve("refused");
    element.src = `${address}/streams/replay/picture`;
    document.body.append(element);
  });
  const body = JSON.stringify({ text: "elsewhere" });
  const sending = { method: "POST", mode: "no-cors", body };
  return {
    read: await outcome(fetch(`${address}/streams`)),
    sent: await outcome(fetch(`${address}/streams/door/text`, sending)),
    picture: await loads("img"),
  };
}"""


@contextlib.contextmanager
def site(folder: Path, text: str = "elsewhere") -> Iterator[str]:
    """Serve a page of another site."""
    (folder / "index.html").write_text(f"<!doctype html><body>{text}</body>")
    handler = functools.partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *message: object) -> None:
        """Say nothing."""


@pytest.fixture
def guarded(tmp_path) -> Iterator[BridgeProcess]:
    """A bridge that asks for a token; its recogniser is away."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    nobody = f"127.0.0.1:{free_port()}"
    options = ("--token-file", str(file))
    with BridgeProcess(tmp_path, nobody, [listening("door")], options) as bridge:
        yield bridge


def test_nothing_is_asked_of_anybody_but_the_bridge(open_page, bridge):
    page = open_page("about:blank")
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{bridge.address}/#replay")
    shown(page, 3)
    page.locator("#picture").wait_for(state="visible")
    assert len(asked) > 5
    assert [address for address in asked if not address.startswith(bridge.address)] == []
    assert complaints == []


def test_another_site_reads_sends_and_shows_nothing(open_page, bridge, tmp_path):
    with site(tmp_path) as elsewhere:
        tried = open_page(elsewhere).evaluate(TRY_ALL, bridge.address)
    assert set(tried.values()) == {"refused"}
    page = open_page(f"{bridge.address}/#door")
    shown(page, shown(page)["chunk"] + 2)
    assert not any(
        "elsewhere" in (line.get("text") or "") for line in bridge.lines("door").values()
    )


def test_another_site_cannot_frame_the_page(open_page, bridge, tmp_path):
    with site(tmp_path, f'<iframe src="{bridge.address}/"></iframe>') as elsewhere:
        page = open_page(elsewhere)
        page.wait_for_load_state()
        assert all("Live recognition" not in frame.content() for frame in page.frames)


def test_a_name_that_is_made_to_lead_to_loopback_leads_nowhere(open_page, bridge):
    page = open_page(f"http://bridge.example:{bridge.port}/")
    assert "expected a loopback address" in page.content()


def test_the_page_asks_for_its_token_once(open_page, guarded):
    address = f"http://bridge.example:{guarded.port}/"
    page = open_page(address)
    assert "expected a token" in page.content()
    page.goto(f"{address}?token={TOKEN}")
    page.locator("#link", has_text="live").wait_for()
    assert TOKEN not in page.url
    assert TOKEN not in page.evaluate("() => document.cookie")
    page.goto(address)
    page.locator("#link", has_text="live").wait_for()


def test_a_link_elsewhere_leads_to_the_page_with_its_token(open_page, guarded, tmp_path):
    link = f'<a href="http://bridge.example:{guarded.port}/?token={TOKEN}">page</a>'
    with site(tmp_path, link) as elsewhere:
        page = open_page(elsewhere)
        page.get_by_text("page").click()
        page.locator("#link", has_text="live").wait_for()


def test_a_page_that_is_neither_local_nor_encrypted_says_why_it_cannot_record(open_page, guarded):
    page = open_page(f"http://bridge.example:{guarded.port}/?token={TOKEN}")
    page.get_by_role("button", name="Record microphone").click()
    page.locator("#trial-status", has_text="https").wait_for()
    assert "https" in page.locator("#trial-status [lang=ko]").inner_text()

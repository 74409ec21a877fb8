"""The page in a real Chromium, on the real bridge and the real server."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.rtmp_bridge.page import media
from tests.rtmp_bridge.page.bridge_process import BridgeProcess, listening

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
#: Seconds: five streams at once keep a small machine busy.
PAGE_PATIENCE = 180
DESKTOP = {"width": 1200, "height": 860}


@pytest.fixture(scope="package")
def ffmpeg() -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg on PATH: Debian's package ffmpeg has it")


@pytest.fixture(scope="package")
def camera_and_microphone(ffmpeg, tmp_path_factory) -> list[str]:
    """Return the options that show the demo clip to Chromium's camera and microphone."""
    folder = tmp_path_factory.mktemp("devices")
    return [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={media.pictures(folder)}",
        f"--use-file-for-fake-audio-capture={media.sound(folder)}",
    ]


@pytest.fixture(scope="package")
def chromium() -> str:
    """Return where Chromium is."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip("no Chromium on PATH: Debian's package chromium has it")
    return path


@pytest.fixture(scope="package")
def browser(chromium, camera_and_microphone) -> Iterator:
    """A headless Chromium of the system, which can also reach the page as bridge.example."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: requirements/dev.txt has it"
    )
    names = "--host-resolver-rules=MAP bridge.example 127.0.0.1"
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, args=[*camera_and_microphone, names, "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser) -> Iterator[Callable]:
    """Open the page as a visitor of one's own; whatever its scripts complain about is an error."""
    visitors, complaints = [], []

    def open_page(address: str, **visitor):
        visitors.append(browser.new_context(**{"viewport": DESKTOP} | visitor))
        visitors[-1].set_default_timeout(PAGE_PATIENCE * 1000)
        page = visitors[-1].new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield open_page
    for visitor in visitors:
        visitor.close()
    assert complaints == []


@pytest.fixture(scope="package")
def bridge(triton, ffmpeg, tmp_path_factory) -> Iterator[BridgeProcess]:
    """A bridge with one stream that is published and four files that end."""
    folder = tmp_path_factory.mktemp("bridge")
    hurried = {"buffering": "drop_oldest", "address": str(media.looped(folder, 5))}
    door = listening("door")
    streams = [
        door,
        {"name": "replay", "address": str(media.CLIP)},
        {"name": "faceless", "address": str(media.faceless(folder))},
        {"name": "silent", "address": str(media.silent(folder))},
        {"name": "hurried", **hurried},
    ]
    with (
        BridgeProcess(folder, triton.grpc_url, streams) as bridge,
        media.publishing(door["listen"]),
    ):
        yield bridge

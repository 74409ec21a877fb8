"""The page shows what the JSON lines say, as it happens."""

import io
from collections import Counter

import av
import httpx
import numpy as np
import pytest
from PIL import Image

from clients.contract import EMOTION_CODES
from rtmp_bridge.pictures import SIDE, square_around
from tests.rtmp_bridge.page import media
from tests.rtmp_bridge.page.bridge_process import BridgeProcess, listening
from tests.rtmp_bridge.page.shown import fused_lines, result_shown, shown, shown_in

REFRESHED = """(count) => document.getElementById('streamed').textContent === String(count)
    && document.getElementById('pending').textContent === '0'"""


@pytest.fixture
def open_stream(open_page, bridge):
    """Open the page at a stream."""
    return lambda name: open_page(f"{bridge.address}/#{name}")


@pytest.fixture
def ended(open_stream, bridge):
    """Return what is shown in the end of a stream that has ended, and its last JSON line."""

    def ended(name):
        page = open_stream(name)
        shown_in(page, "ended")
        # What has been read of it may still be on its way to the recogniser.
        streamed = httpx.get(f"{bridge.address}/streams/{name}").json()["account"]["streamed"]
        line = bridge.line(name, streamed - 1)
        page.wait_for_function(REFRESHED, arg=streamed)
        return shown(page, streamed - 1), line

    return ended


def texts_of(result):
    return [f"{result[code]:.4f}" for code in EMOTION_CODES]


def assert_person(text, result):
    age, male, female = (float(part.split()[1]) for part in text.split(", "))
    assert age == pytest.approx(result["20000"], abs=0.051)
    assert (male, female) == (result["30001"], result["30002"])


def assert_shows(reading, line):
    """Compare a reading with the JSON line of the result that it shows."""
    top = max(EMOTION_CODES, key=line["result"].get)
    leading, probability = EMOTION_CODES[top], f"{line['confidence']:.4f}"
    named = (reading["emotion"], reading["undecided"], reading["probability"])
    if line["undecided"]:
        assert named == ("undecided", "판단 보류", f"{leading} {probability}")
    else:
        assert named == (leading, "", probability)
    assert reading["conflict"] == f"conflict {line['conflict']:.4f}"
    assert reading["stream-time"] == f"{line['stream_time']:.1f} s"
    milliseconds = float(reading["latency"].removesuffix(" ms"))
    assert milliseconds == pytest.approx(line["latency"] * 1000, abs=0.51)
    assert_person(reading["person"], line["result"])
    assert reading["panels"]["fused"]["values"] == texts_of(line["result"])
    for modality, report in line["modalities"].items():
        assert_panel_shows(reading["panels"][modality], report, line["weights"][modality])
    if reading["chunk"] == reading["result"]:
        video = line["modalities"]["video"]
        assert reading["notice"] == [video["message"], video["message_ko"]]


def assert_panel_shows(panel, report, weight):
    assert panel["weight"] == f"weight {weight:.4f}"
    assert panel["count"].endswith(f": {report['count']}")
    if "result" in report:
        assert panel["values"] == texts_of(report["result"])
    if "20000" in report.get("result", {}):
        assert_person(panel["person"], report["result"])
    problem = [f"{report['error_code']}: {report['message']}", report["message_ko"]]
    assert panel["notice"] == (problem if report["error_code"] else ["", ""])


def assert_shows_results(page, bridge, name, chunk=3):
    """Compare what is shown with the JSON line of its result; return that."""
    reading = result_shown(page, chunk)
    line = bridge.line(name, reading["result"])
    assert_shows(reading, line)
    return line


def test_a_running_stream_is_shown_with_the_values_of_its_json_lines(open_stream, bridge):
    page = open_stream("door")
    shown_in(page, "streaming")
    assert_shows_results(page, bridge, "door")


def test_the_charts_move_to_the_left_as_seconds_pass(open_stream, bridge):
    page = open_stream("door")
    result_shown(page, 3)
    before = fused_lines(page)
    first = result_shown(page)["result"]
    result_shown(page, first + 3)
    for old, new in zip(before, fused_lines(page), strict=True):
        x, y = old[-1]
        assert any(height == y and position <= x - 3 for position, height in new)


def test_a_line_ends_at_the_value_beside_it(ended, open_stream):
    reading, line = ended("replay")
    page = open_stream("replay")
    shown(page, reading["chunk"])
    ends = [points[-1] for points in fused_lines(page)]
    assert ends == [(60.0, pytest.approx(1 - line["result"][code])) for code in EMOTION_CODES]


def test_the_face_that_was_looked_at_last_is_shown(ended, open_stream, bridge):
    _, line = ended("replay")
    page = open_stream("replay")
    picture = page.locator("#picture")
    picture.wait_for(state="visible")
    address = picture.evaluate("picture => picture.src")
    assert picture.evaluate("picture => picture.naturalWidth") == SIDE
    face = Image.open(io.BytesIO(page.request.get(address).body()))
    seen = line["modalities"]["video"]["faces"][-1]
    expected = picture_of_clip(line["chunk"] + seen["time"])
    expected = expected.crop(square_around(seen["box"])).resize((SIDE, SIDE))
    difference = np.abs(np.asarray(face, float) - np.asarray(expected, float))
    assert difference.mean() < 8


def picture_of_clip(seconds):
    with av.open(str(media.CLIP)) as container:
        frames = (frame for frame in container.decode(video=0) if frame.time >= seconds)
        return next(frames).to_image()


def test_what_is_wrong_with_the_picture_is_said_in_korean_and_english(ended):
    reading, line = ended("faceless")
    assert line["modalities"]["video"]["error_code"] == 6
    assert_shows(reading, line)
    assert "face" in reading["notice"][0] and "얼굴" in reading["notice"][1]


def test_a_second_without_a_result_is_said_in_korean_and_english(ended):
    reading, line = ended("silent")
    assert line["kind"] == "error"
    assert reading["notice"][0] == f"error: {line['message']}"
    assert "소리" in reading["notice"][1] and "얼굴" in reading["notice"][1]
    assert reading["emotion"] == "no result yet"


@pytest.mark.parametrize("name", ["hurried", "silent"])
def test_errors_and_drops_are_counted_by_reason(ended, bridge, name):
    reading, _ = ended(name)
    lines = bridge.lines(name).values()
    kinds = Counter(line["kind"] for line in lines)
    reasons = Counter(line["reason"] for line in lines if line["kind"] != "result")
    (reason,) = reasons
    counts = [reading[name] for name in ("results", "errors", "drops", "pending")]
    told = f"{reasons[reason]} ({reasons[reason]} {reason})"
    expected = {"error": ["0", told, "0", "0"], "drop": [str(kinds["result"]), "0", told, "0"]}
    assert counts == expected["drop" if kinds["drop"] else "error"]


def test_several_streams_are_listed_and_can_be_looked_at_in_turn(open_stream, bridge):
    page = open_stream("door")
    shown_in(page, "streaming")
    for name in ("replay", "door"):
        page.get_by_role("button", name=f"{name}: ").click()
        page.wait_for_function(
            "(name) => document.getElementById('name').textContent === name", arg=name
        )
        assert_shows_results(page, bridge, name)
    states = [button.split(": ") for button in page.locator("#streams button").all_inner_texts()]
    assert dict(states)["door"] == "streaming" and dict(states)["replay"] == "ended"
    assert page.locator("#streams [aria-pressed=true]").inner_text() == "door: streaming"


def test_a_sentence_that_is_sent_counts_in_the_next_seconds(open_stream, bridge, sentence):
    page = open_stream("door")
    shown(page, 3)
    page.get_by_label("Say something in this stream").fill(sentence)
    page.get_by_role("button", name="Send").click()
    page.locator("#panels [data-modality=text] .said", has_text=sentence).wait_for()
    line = assert_shows_results(page, bridge, "door")
    assert line["text"] == sentence and line["weights"]["text"] > 0
    assert page.locator("#say-status").inner_text().startswith("said at ")


def test_a_sentence_that_cannot_be_used_is_answered_in_korean_and_english(open_stream):
    page = open_stream("door")
    shown(page)
    page.get_by_label("Say something in this stream").fill(" ")
    page.get_by_role("button", name="Send").click()
    page.locator("#say-status p", has_text="expected a sentence").wait_for()
    assert "사용할 수 없습니다" in page.locator("#say-status [lang=ko]").inner_text()


def test_a_publisher_that_leaves_and_comes_back_is_shown(open_page, triton, tmp_path, ffmpeg):
    door = listening("door")
    with BridgeProcess(tmp_path, triton.grpc_url, [door]) as bridge:
        page = open_page(bridge.address)
        shown_in(page, "connecting")
        with media.publishing(door["listen"]):
            shown_in(page, "streaming")
            before = result_shown(page, 1)["result"]
        shown_in(page, "connecting")
        with media.publishing(door["listen"]):
            shown_in(page, "streaming")
            assert_shows_results(page, bridge, "door", before + 1)
        page.locator("#reconnects", has_text="1").wait_for()


def test_a_bridge_that_is_started_again_is_followed_again(open_page, triton, tmp_path, ffmpeg):
    door = listening("door")
    with BridgeProcess(tmp_path, triton.grpc_url, [door]) as bridge:
        page = open_page(bridge.address)
        with media.publishing(door["listen"]):
            result_shown(page, 1)
        bridge.stop()
        page.get_by_text("the bridge does not answer, trying again").wait_for()
        bridge.streams.append({"name": "replay", "address": str(media.CLIP)})
        bridge.start()
        page.locator("#link", has_text="live").wait_for()
        page.get_by_role("button", name="replay: ").click()
        assert_shows_results(page, bridge, "replay", 6)
        page.get_by_role("button", name="door: ").click()
        with media.publishing(door["listen"]):
            shown_in(page, "streaming")

"""The page is readable on a phone, in light and dark, by keyboard and by a screen reader."""

import pytest

from clients.contract import EMOTION_CODES
from tests.rtmp_bridge.page.shown import shown

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
SCHEMES = ("light", "dark")

#: Every visible element that has text of its own: its colours from itself outwards, its size.
TEXTS = """() => [...document.querySelectorAll("body *")].flatMap((element) => {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility({ visibilityProperty: true })) return [];
  const backgrounds = [];
  for (let one = element; one; one = one.parentElement) {
    backgrounds.push(getComputedStyle(one).backgroundColor);
  }
  const { color, fontSize } = getComputedStyle(element);
  return [{ text: element.textContent.trim(), color, backgrounds, size: parseFloat(fontSize) }];
})"""
LINES = """() => {
  const panel = document.querySelector("#panels [data-modality=fused]");
  const backgrounds = [getComputedStyle(panel).backgroundColor];
  const lines = [...panel.querySelectorAll(".line")];
  return lines.map((line) => ({ color: getComputedStyle(line).stroke, backgrounds }));
}"""
FOCUSED = """() => {
  const { id, tagName, textContent } = document.activeElement;
  const { outlineStyle: style, outlineWidth } = getComputedStyle(document.activeElement);
  return { name: id || textContent.trim() || tagName, style, width: parseFloat(outlineWidth) };
}"""


@pytest.fixture
def open_stream(open_page, bridge):
    """Open the page at a stream that has ended, with all that can be shown in it."""

    def open_stream(name="faceless", **visitor):
        page = open_page(f"{bridge.address}/#{name}", **visitor)
        shown(page, 3)
        page.get_by_text("The last minute as a table").click()
        return page

    return open_stream


def channels(color):
    """Return red, green, blue of 0 to 1, and opacity."""
    kind, _, figures = color.rstrip(")").partition("(")
    assert kind in ("rgb", "rgba"), color
    *colour, opacity = [*map(float, figures.split(",")), 1.0][:4]
    return [value / 255 for value in colour], opacity


def luminance(colour):
    """Return the relative luminance of WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(entry):
    """Return the contrast of WCAG 2 with the nearest opaque background."""
    behind = next(colour for colour, opacity in map(channels, entry["backgrounds"]) if opacity == 1)
    colour, opacity = channels(entry["color"])
    assert opacity == 1
    dark, light = sorted((luminance(colour), luminance(behind)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("stream", ["faceless", "silent", "door"])
def test_all_text_stands_out_from_its_background(open_stream, scheme, stream):
    texts = open_stream(stream, color_scheme=scheme).evaluate(TEXTS)
    assert len(texts) > 50
    assert {entry["text"]: contrast(entry) for entry in texts if contrast(entry) < 4.5} == {}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_lines_of_the_charts_stand_out(open_stream, scheme):
    lines = open_stream(color_scheme=scheme).evaluate(LINES)
    assert len({line["color"] for line in lines}) == len(EMOTION_CODES)
    assert min(map(contrast, lines)) >= 3


def test_light_and_dark_follow_the_system(open_stream):
    papers = [
        channels(
            open_stream(color_scheme=scheme).evaluate(
                "() => getComputedStyle(document.body).backgroundColor"
            )
        )[0]
        for scheme in SCHEMES
    ]
    assert luminance(papers[0]) > 0.8 and luminance(papers[1]) < 0.05


@pytest.mark.parametrize("stream", ["faceless", "silent", "door"])
def test_a_phone_shows_everything_without_scrolling_sideways(open_stream, stream):
    page = open_stream(stream, **PHONE)
    assert page.evaluate("() => document.scrollingElement.scrollWidth") == 390
    assert min(entry["size"] for entry in page.evaluate(TEXTS)) >= 13
    for control in page.locator("button:visible, input:visible").all():
        box = control.bounding_box()
        assert box["height"] >= 44 and box["x"] >= 0 and box["x"] + box["width"] <= 390


def test_everything_is_reached_by_keyboard_in_reading_order_and_seen(open_page, bridge):
    page = open_page(f"{bridge.address}/#faceless")
    shown(page)
    expected = [
        "Skip to the stream",
        *page.locator("#streams button").all_inner_texts(),
        "The last minute as a table",
        *("sentence", "Send"),
        *("trial-text", "trial-clip", "recognise", "record-camera", "record-microphone"),
    ]
    for name in expected:
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        assert focused["name"].partition(":")[0] == name.partition(":")[0]
        assert focused["style"] == "solid" and focused["width"] >= 2, focused


def test_a_stream_is_chosen_and_a_sentence_sent_by_keyboard(open_page, bridge):
    page = open_page(f"{bridge.address}/#replay")
    shown(page, 3)
    page.get_by_role("button", name="door: ").focus()
    page.keyboard.press("Enter")
    page.locator("#name", has_text="door").wait_for()
    page.get_by_label("Say something in this stream").focus()
    page.keyboard.type("안녕하세요")
    page.keyboard.press("Enter")
    page.locator("#say-status", has_text="said at").wait_for()


def test_the_charts_are_described_and_their_values_are_in_a_table(open_stream, bridge):
    page = open_stream("replay")
    reading = shown(page, max(bridge.lines("replay")))
    for panel in reading["panels"].values():
        assert panel["description"].startswith(f"{panel['title']}: ")
    fused = reading["panels"]["fused"]["description"]
    leading = reading["probability"].split()[0] if reading["undecided"] else reading["emotion"]
    assert f"last {leading} {reading['probability'].split()[-1]}" in fused
    rows = page.locator("#history tbody tr").all_inner_texts()
    lines = bridge.lines("replay")
    assert len(rows) == len(lines)
    for row, line in zip(reversed(rows), lines.values(), strict=True):
        assert row.startswith(f"{line['stream_time']:.1f} s")
        assert all(f"{line['result'][code]:.4f}" in row for code in EMOTION_CODES)
        assert f"{line['conflict']:.4f}" in row and line["undecided"] == ("undecided" in row)


def test_only_news_are_read_out_and_politely(open_stream):
    page = open_stream()
    spoken = page.locator("[role=status], [role=alert], [aria-live], output")
    assert {one.get_attribute("id") for one in spoken.all()} == {
        *("link", "notice", "say-status", "trial-status"),
    }
    assert spoken.locator("xpath=self::*[@role='alert' or @aria-live='assertive']").count() == 0


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_bars_glide_only_for_those_who_like_it(open_stream, motion):
    bar = open_stream(reduced_motion=motion).locator("#panels .bar").first
    duration = bar.evaluate("bar => getComputedStyle(bar).transitionDuration")
    assert (duration == "0s") == (motion == "reduce")

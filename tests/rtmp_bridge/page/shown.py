"""What the page shows at one moment, read all at once: the next second may change it."""

from __future__ import annotations

from typing import Any

READ = """() => {
  const text = (place, selector) => place.querySelector(selector).textContent;
  const lines = (place, selector) =>
    [...place.querySelectorAll(selector)].map((one) => one.textContent);
  const panel = (place) => ({
    title: text(place, "h3"),
    weight: text(place, ".weight"),
    values: lines(place, ".value"),
    person: text(place, ".person"),
    count: text(place, ".count"),
    said: text(place, ".said"),
    notice: lines(place, ".notice p"),
    description: place.querySelector(".chart").getAttribute("aria-label"),
  });
  const panels = [...document.querySelectorAll("#panels > article")].map(panel);
  const texts = Object.fromEntries(
    [...document.querySelectorAll("#stream .now [id]")].map((one) => [one.id, one.textContent]),
  );
  return {
    ...texts,
    chunk: Number(document.getElementById("stream").dataset.chunk),
    result: Number(document.getElementById("stream").dataset.result),
    notice: lines(document, "#notice p"),
    panels: Object.fromEntries(panels.map((one) => [one.title, one])),
  };
}"""
IS_AT = "(chunk) => Number(document.getElementById('stream').dataset.chunk || -1) >= chunk"
SHOWS = "(chunk) => Number(document.getElementById('stream').dataset.result || -1) >= chunk"
IS_IN = "(state) => document.getElementById('state').textContent === state"
LINES = """() => [...document.querySelectorAll("#panels [data-modality='fused'] .line")]
  .map((line) => line.getAttribute("d"))"""


def shown(page, chunk: int = 0) -> dict[str, Any]:
    """Return what is shown once a chunk, or a later one, is."""
    page.wait_for_function(IS_AT, arg=chunk)
    return page.evaluate(READ)


def result_shown(page, chunk: int = 0) -> dict[str, Any]:
    """Return what is shown once the result of a chunk, or of a later one, is."""
    page.wait_for_function(SHOWS, arg=chunk)
    return page.evaluate(READ)


def shown_in(page, state: str) -> dict[str, Any]:
    """Return what is shown once the stream is in a state."""
    page.wait_for_function(IS_IN, arg=state)
    return page.evaluate(READ)


def fused_lines(page) -> list[list[tuple[float, float]]]:
    """Return the points of each emotion's line in the fused chart, in its 60 x 1."""
    return [points(path) for path in page.evaluate(LINES)]


def points(path: str) -> list[tuple[float, float]]:
    """Return the points of a line: M x y h0 L x y ..., with an M after each gap."""
    pairs = path.replace("h0", "").replace("M", "L").split("L")
    return [tuple(map(float, pair.split())) for pair in pairs if pair]

// The seven probabilities over the last minute, as lines.

import { codes, emotionOf, leading, resultOf } from "./reading.js";

export const SPAN = 60; // seconds
const SVG = "http://www.w3.org/2000/svg";

export function addLines(chart) {
  for (const code of codes()) {
    const line = document.createElementNS(SVG, "path");
    line.classList.add("line");
    line.dataset.code = code;
    chart.append(line);
  }
}

// Draw one modality of chunks, the oldest first.
export function drawChart(chart, modality, chunks) {
  const end = chunks.at(-1)?.stream_time ?? 0;
  const points = chunks
    .filter((chunk) => end - chunk.stream_time < SPAN)
    .map((chunk) => ({
      x: SPAN - (end - chunk.stream_time),
      result: resultOf(chunk, modality),
      missed: chunk.kind !== "result",
    }));
  const last = points.findLast((point) => point.result)?.result;
  const top = last && leading(last);
  for (const line of chart.querySelectorAll(".line")) {
    line.setAttribute("d", lineOf(points, line.dataset.code));
    line.classList.toggle("leading", line.dataset.code === top);
  }
  const missed = points.filter((point) => point.missed);
  chart.querySelector(".missed").setAttribute("d", missed.map(({ x }) => `M${x} .94V1`).join(""));
  chart.setAttribute("aria-label", description(modality, points));
}

function lineOf(points, code) {
  let path = "";
  let drawing = false;
  for (const { x, result } of points) {
    if (result) path += `${drawing ? "L" : "M"}${x.toFixed(2)} ${(1 - result[code]).toFixed(4)}`;
    if (result && !drawing) path += "h0"; // a point alone shows as well
    drawing = Boolean(result);
  }
  return path;
}

function description(modality, points) {
  const known = points.filter((point) => point.result);
  if (known.length === 0) return `${modality}: nothing in the last minute`;
  const ago = (point) => `${Math.round(SPAN - point.x)} s ago ${emotionOf(point.result)}`;
  const middle = known[Math.floor(known.length / 2)];
  return `${modality}: last ${emotionOf(known.at(-1).result)}, ${ago(middle)}, ${ago(known[0])}`;
}

// The last minute as a table: what the charts show, for whoever cannot see them.

import { setText } from "./notice.js";
import { codes, nameOf, namedIn, personOf } from "./reading.js";

// Draw the chunks of a stream, the newest first; a closed table is left as it is.
export function drawHistory(details, chunks) {
  details.ontoggle = () => drawHistory(details, chunks);
  if (!details.open) return;
  const titles = ["stream time", ...codes().map(nameOf), "named", "conflict", "person", "latency"];
  details.querySelector("thead tr").replaceChildren(...titles.map((title) => cell("th", title)));
  details.querySelector("tbody").replaceChildren(...chunks.toReversed().map(row));
}

function row(chunk) {
  const row = document.createElement("tr");
  row.append(cell("th", `${chunk.stream_time.toFixed(1)} s`), ...fused(chunk));
  row.append(cell("td", `${Math.round(chunk.latency * 1000)} ms`));
  return row;
}

function fused(chunk) {
  const { kind, message, result } = chunk;
  if (kind === "result") {
    const values = codes().map((code) => result[code].toFixed(4));
    const [emotion] = namedIn(chunk);
    return [...values, emotion, chunk.conflict.toFixed(4), personOf(result)].map((value) =>
      cell("td", value),
    );
  }
  const missed = cell("td", `${kind}: ${message}`);
  missed.colSpan = codes().length + 3;
  return [missed];
}

function cell(kind, text) {
  const cell = document.createElement(kind);
  if (kind === "th") cell.scope = text.endsWith(" s") ? "row" : "col";
  setText(cell, text);
  return cell;
}

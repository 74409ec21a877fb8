// The last minute as a table: what the charts show, for whoever cannot see them.

import { setText } from "./notice.js";
import { codes, nameOf, personOf } from "./reading.js";

// Draw the chunks of a stream, the newest first; a closed table is left as it is.
export function drawHistory(details, chunks) {
  details.ontoggle = () => drawHistory(details, chunks);
  if (!details.open) return;
  const titles = ["stream time", ...codes().map(nameOf), "person", "latency"];
  details.querySelector("thead tr").replaceChildren(...titles.map((title) => cell("th", title)));
  details.querySelector("tbody").replaceChildren(...chunks.toReversed().map(row));
}

function row(chunk) {
  const row = document.createElement("tr");
  row.append(cell("th", `${chunk.stream_time.toFixed(1)} s`), ...fused(chunk));
  row.append(cell("td", `${Math.round(chunk.latency * 1000)} ms`));
  return row;
}

function fused({ kind, message, result }) {
  if (kind === "result") {
    const values = codes().map((code) => cell("td", result[code].toFixed(4)));
    return [...values, cell("td", personOf(result))];
  }
  const missed = cell("td", `${kind}: ${message}`);
  missed.colSpan = codes().length + 1;
  return [missed];
}

function cell(kind, text) {
  const cell = document.createElement(kind);
  if (kind === "th") cell.scope = text.endsWith(" s") ? "row" : "col";
  setText(cell, text);
  return cell;
}

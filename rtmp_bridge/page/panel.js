// One modality, or all fused: weight, chart, probabilities, age and gender, and what went wrong.

import { addLines, drawChart } from "./chart.js";
import { CHANGED } from "./korean.js";
import { notify, setText } from "./notice.js";
import { codes, leading, nameOf, personOf, resultOf } from "./reading.js";

const UNITS = { text: "sentences", speech: "windows of sound", video: "pictures of the face" };

export function addPanel(place, modality) {
  const template = document.getElementById("panel").content.firstElementChild;
  const panel = template.cloneNode(true);
  panel.dataset.modality = modality;
  panel.querySelector("h3").textContent = modality;
  addLines(panel.querySelector(".chart"));
  panel.querySelector("tbody").append(...codes().map(row));
  place.append(panel);
  return panel;
}

function row(code) {
  const row = document.createElement("tr");
  row.dataset.code = code;
  row.innerHTML =
    '<th scope="row"></th><td class="track" aria-hidden="true"><div class="bar"></div></td>' +
    '<td class="value"></td>';
  row.firstChild.textContent = nameOf(code);
  return row;
}

// Draw what a document (a chunk's result, or a trial's) says.
export function drawPanel(panel, document) {
  const { modality } = panel.dataset;
  const result = resultOf(document, modality);
  const top = result && leading(result);
  for (const row of panel.querySelectorAll("tr")) {
    const value = result?.[row.dataset.code];
    row.classList.toggle("leading", row.dataset.code === top);
    row.querySelector(".bar").hidden = value === undefined;
    row.querySelector(".value").textContent = value === undefined ? "–" : value.toFixed(4);
    row.querySelector(".bar").style.width = `${100 * (value ?? 0)}%`;
  }
  setText(panel.querySelector(".person"), personOf(result));
  if (modality !== "fused") drawReport(panel, document, modality);
}

export function drawPanelChart(panel, chunks) {
  drawChart(panel.querySelector(".chart"), panel.dataset.modality, chunks);
}

function drawReport(panel, document, modality) {
  const weight = document?.weights[modality];
  const report = document?.modalities[modality];
  setText(panel.querySelector(".weight"), weight === undefined ? "" : `weight ${weight.toFixed(4)}`);
  setText(panel.querySelector(".count"), document ? counted(modality, report) : "");
  setText(panel.querySelector(".said"), modality === "text" ? (document?.text ?? "") : "");
  const problem = report?.error_code && [`${report.error_code}: ${report.message}`, report.message_ko];
  const change = report?.person_changed ? CHANGED : undefined;
  notify(panel.querySelector(".notice"), problem || change);
}

function counted(modality, report) {
  const seen = report?.people_seen;
  const people = seen > 1 ? `, people: ${seen}` : "";
  return `${UNITS[modality]}: ${report?.count ?? 0}${people}`;
}

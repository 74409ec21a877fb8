// The page of the bridge: follows the server's events and shows what they say. No libraries.

import { ask, pathOf } from "./bridge.js";
import { drawHistory } from "./history.js";
import * as korean from "./korean.js";
import { notify, setText } from "./notice.js";
import { addPanel, drawPanel, drawPanelChart } from "./panel.js";
import * as reading from "./reading.js";
import { prepareTrial } from "./trial.js";

const HISTORY = 60; // chunks that are kept
const REFRESH_MS = 2000;
const RETRY_MS = 3000;
const NOTHING_YET = ["no result yet", "", ""];

const byId = (id) => document.getElementById(id);
const streams = new Map(); // name -> {record, chunks}
let chosen = null;
let drawing = false;

const contract = await ask("contract");
reading.learn(contract.emotions);
korean.learn(contract.messages);
const panels = reading.MODALITIES.map((name) => addPanel(byId("panels"), name));
prepareTrial(contract.clip_bytes);
follow();
setInterval(() => document.hidden || refresh(), REFRESH_MS);

// --- what comes ---

function follow() {
  const events = new EventSource("events");
  events.onopen = () => {
    setLink(true);
    for (const stream of streams.values()) stream.chunks = []; // the last minute comes again
    refresh();
  };
  events.onerror = () => {
    setLink(false);
    // The browser tries again by itself unless it was refused.
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, RETRY_MS);
  };
  events.addEventListener("chunk", (event) => takeChunk(JSON.parse(event.data)));
  events.addEventListener("state", refresh);
}

function setLink(live) {
  byId("link").dataset.live = live;
  setText(byId("link"), live ? "live" : "the bridge does not answer, trying again");
}

function takeChunk(chunk) {
  const { chunks } = streamOf(chunk.stream);
  chunks.push(chunk);
  chunks.sort((one, other) => one.chunk - other.chunk); // a drop may overtake a result
  if (chunks.length > HISTORY) chunks.shift();
  if (chunk.stream === chosen) drawSoon();
}

async function refresh() {
  try {
    takeRecords(await ask("streams"));
  } catch {
    // the events' end says that the bridge does not answer
  }
}

function takeRecords(records) {
  for (const record of records) streamOf(record.stream).record = record;
  const names = new Set(records.map((record) => record.stream));
  for (const name of streams.keys()) if (!names.has(name)) streams.delete(name);
  listStreams();
  if (streams.has(chosen)) drawRecord();
  else choose(decodeURIComponent(location.hash.slice(1)));
}

function streamOf(name) {
  if (!streams.has(name)) streams.set(name, { record: null, chunks: [] });
  return streams.get(name);
}

// --- streams ---

function listStreams() {
  const list = byId("streams");
  for (const button of list.querySelectorAll("button")) {
    if (!streams.has(button.dataset.stream)) button.parentElement.remove();
  }
  for (const [name, { record }] of streams) {
    const button = buttonOf(list, name);
    button.dataset.state = record?.state;
    button.setAttribute("aria-pressed", String(name === chosen));
    setText(button, record ? `${name}: ${record.state}` : name);
  }
}

function buttonOf(list, name) {
  const known = list.querySelector(`button[data-stream="${CSS.escape(name)}"]`);
  if (known) return known;
  const button = document.createElement("button");
  button.dataset.stream = name;
  button.addEventListener("click", () => choose(name));
  const item = document.createElement("li");
  item.append(button);
  list.append(item);
  return button;
}

function choose(name) {
  chosen = streams.has(name) ? name : (streams.keys().next().value ?? null);
  if (chosen === null) return;
  history.replaceState(null, "", `#${encodeURIComponent(chosen)}`);
  byId("picture").hidden = true;
  byId("picture").removeAttribute("src");
  listStreams();
  drawRecord();
  drawSoon();
}

function drawRecord() {
  const { record } = streams.get(chosen);
  if (record === null) return;
  setText(byId("name"), chosen);
  setText(byId("state"), record.state);
  byId("stream").dataset.state = record.state;
  setText(byId("reason"), record.message);
  const { account, latency } = record;
  const figures = {
    streamed: account.streamed,
    results: account.results,
    errors: total(account.errors),
    drops: total(account.drops),
    pending: account.pending,
    reconnects: record.reconnects,
    p50: milliseconds(latency.p50),
    p95: milliseconds(latency.p95),
  };
  for (const [id, figure] of Object.entries(figures)) setText(byId(id), String(figure));
}

function total(reasons) {
  const sum = Object.values(reasons).reduce((all, count) => all + count, 0);
  const parts = Object.entries(reasons).map(([reason, count]) => `${count} ${reason}`);
  return sum ? `${sum} (${parts.join(", ")})` : "0";
}

const milliseconds = (seconds) => (seconds === null ? "–" : `${Math.round(seconds * 1000)} ms`);

// --- the chosen stream ---

function drawSoon() {
  if (drawing) return;
  drawing = true; // many chunks may come at once, one picture of them is enough
  requestAnimationFrame(() => {
    drawing = false;
    drawStream();
  });
}

function drawStream() {
  const { chunks } = streams.get(chosen) ?? { chunks: [] };
  const last = chunks.at(-1);
  const result = chunks.findLast((chunk) => chunk.kind === "result");
  byId("stream").dataset.chunk = last?.chunk ?? "";
  byId("stream").dataset.result = result?.chunk ?? "";
  drawNow(last, result);
  for (const panel of panels) {
    drawPanel(panel, result);
    drawPanelChart(panel, chunks);
  }
  drawHistory(byId("history"), chunks);
}

function drawNow(last, result) {
  setText(byId("stream-time"), result ? `${result.stream_time.toFixed(1)} s` : "–");
  setText(byId("latency"), result ? milliseconds(result.latency) : "–");
  drawReading(result);
  notify(byId("notice"), sentencesOf(last));
  if (result?.modalities.video) showPicture(result.chunk);
  else byId("picture").hidden = true;
}

function drawReading(document) {
  const [emotion, undecided, probability] = document ? reading.namedIn(document) : NOTHING_YET;
  setText(byId("emotion"), emotion);
  setText(byId("undecided"), undecided);
  setText(byId("probability"), probability);
  setText(byId("conflict"), document ? reading.conflictIn(document) : "");
  const person = document && (reading.personOf(document.result) || "age and gender unknown");
  setText(byId("person"), person ?? "");
}

// What the person being filmed is told: about the chunk, or else about the picture.
function sentencesOf(last) {
  if (last && last.kind !== "result") return korean.ofChunk(last);
  const { message, message_ko } = last?.modalities.video ?? {};
  return [message ?? "", message_ko ?? ""];
}

function showPicture(chunk) {
  const picture = byId("picture");
  const address = `${pathOf(chosen)}/picture?chunk=${chunk}`;
  if (picture.getAttribute("src") === address) return;
  picture.onload = () => (picture.hidden = false);
  picture.onerror = () => (picture.hidden = true);
  picture.src = address;
}

// --- sentences ---

byId("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (chosen === null) return;
  const body = JSON.stringify({ text: byId("sentence").value });
  try {
    const headers = { "content-type": "application/json" };
    const { start } = await ask(`${pathOf(chosen)}/text`, { method: "POST", headers, body });
    byId("sentence").value = "";
    notify(byId("say-status"), [`said at ${start} s`, `${start}초에 말한 문장입니다`], "done");
  } catch (problem) {
    notify(byId("say-status"), problem.sentences);
  }
});

// The page of the bridge: follows the server's events and draws what they say. No libraries.

const MODALITIES = ["fused", "text", "speech", "video"];
const HISTORY = 60; // chunks that a chart shows
const RECORD_MS = 4000;

const byId = (id) => document.getElementById(id);
const streams = new Map(); // name -> {record, chunks}
let chosen = null;
let emotions = {};

const { emotions: labels } = await (await fetch("labels")).json();
emotions = labels;
const panels = new Map(MODALITIES.map((name) => [name, addPanel(byId("charts"), name)]));
for (const record of await (await fetch("streams")).json()) {
  streams.set(record.stream, { record, chunks: [] });
}
listStreams();
choose(decodeURIComponent(location.hash.slice(1)));
follow();
setInterval(refresh, 2000);

// --- events ---

function follow() {
  const events = new EventSource("events");
  events.onopen = () => {
    byId("link").textContent = "live";
    for (const stream of streams.values()) stream.chunks = []; // the last minute comes again
  };
  events.onerror = () => (byId("link").textContent = "the bridge does not answer, trying again");
  events.addEventListener("chunk", (event) => takeChunk(JSON.parse(event.data)));
  events.addEventListener("state", (event) => takeState(JSON.parse(event.data)));
}

function takeChunk(chunk) {
  const stream = streams.get(chunk.stream);
  stream.chunks.push(chunk);
  if (stream.chunks.length > HISTORY) stream.chunks.shift();
  if (chunk.stream === chosen) {
    drawStream();
    if (chunk.kind === "result") showPicture(chunk.chunk);
  }
}

function takeState(change) {
  const { record } = streams.get(change.stream);
  Object.assign(record, { state: change.state, reason: change.reason, message: change.message });
  listStreams();
  if (change.stream === chosen) drawRecord();
}

async function refresh() {
  if (chosen === null) return;
  try {
    const answer = await fetch(`streams/${encodeURIComponent(chosen)}`);
    const record = await answer.json();
    streams.get(record.stream).record = record;
    if (record.stream === chosen) drawRecord();
  } catch {
    // the event source says that the bridge does not answer
  }
}

// --- streams ---

function listStreams() {
  const list = byId("streams");
  for (const [name, { record }] of streams) {
    let button = list.querySelector(`button[data-stream="${CSS.escape(name)}"]`);
    if (button === null) {
      button = document.createElement("button");
      button.dataset.stream = name;
      button.addEventListener("click", () => choose(name));
      list.append(document.createElement("li"));
      list.lastChild.append(button);
    }
    button.textContent = `${name}: ${record.state}`;
    button.setAttribute("aria-pressed", String(name === chosen));
  }
}

function choose(name) {
  chosen = streams.has(name) ? name : (streams.keys().next().value ?? null);
  if (chosen === null) return;
  history.replaceState(null, "", `#${encodeURIComponent(chosen)}`);
  byId("picture").hidden = true;
  listStreams();
  drawRecord();
  drawStream();
  const last = streams.get(chosen).chunks.at(-1);
  if (last?.kind === "result") showPicture(last.chunk);
}

function drawRecord() {
  const { record } = streams.get(chosen);
  byId("name").textContent = chosen;
  const state = byId("state");
  state.dataset.state = record.state;
  state.textContent = record.message ? `${record.state}: ${record.message}` : record.state;
  byId("results").textContent = record.account.results;
  byId("errors").textContent = total(record.account.errors);
  byId("drops").textContent = total(record.account.drops);
  byId("reconnects").textContent = record.reconnects;
}

function total(reasons) {
  const sum = Object.values(reasons).reduce((all, count) => all + count, 0);
  const parts = Object.entries(reasons).map(([reason, count]) => `${count} ${reason}`);
  return sum ? `${sum} (${parts.join(", ")})` : "0";
}

function drawStream() {
  const { chunks } = streams.get(chosen);
  const last = chunks.at(-1);
  const results = chunks.filter((chunk) => chunk.kind === "result");
  drawNow(results.at(-1), last);
  for (const name of MODALITIES) {
    drawPanel(panels.get(name), name, results.at(-1));
    drawLines(panels.get(name).querySelector("canvas"), chunks.map((one) => resultOf(one, name)));
  }
}

function drawNow(result, last) {
  byId("stream-time").textContent = last ? `${last.stream_time} s` : "–";
  byId("latency").textContent = last ? `${Math.round(last.latency * 1000)} ms` : "–";
  const video = result?.modalities.video;
  const failed = last && last.kind !== "result" ? `${last.kind}: ${last.message}` : "";
  setText("message", failed || video?.message || "");
  setText("message-ko", failed ? "" : (video?.message_ko ?? ""));
  setText("said", result?.text ?? "");
  const { emotion, probability, person } = summary(result?.result);
  setText("emotion", emotion);
  setText("probability", probability);
  setText("person", person);
}

function summary(result) {
  if (!result) return { emotion: "no result yet", probability: "", person: "" };
  const code = Object.keys(emotions).reduce((best, one) => (result[one] > result[best] ? one : best));
  const person =
    "20000" in result
      ? `age ${result["20000"].toFixed(1)}, male ${result["30001"].toFixed(2)}, female ${result["30002"].toFixed(2)}`
      : "age and gender unknown";
  return { emotion: emotions[code], probability: result[code].toFixed(2), person };
}

function showPicture(chunk) {
  const picture = byId("picture");
  picture.onload = () => (picture.hidden = false);
  picture.onerror = () => (picture.hidden = true);
  picture.src = `streams/${encodeURIComponent(chosen)}/picture?chunk=${chunk}`;
}

function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text; // or it would be read out again
}

// --- charts ---

function addPanel(place, name) {
  const panel = byId("panel").content.firstElementChild.cloneNode(true);
  panel.dataset.modality = name;
  panel.querySelector(".title").textContent = name;
  for (const [code, label] of Object.entries(emotions)) {
    const row = document.createElement("li");
    row.innerHTML = '<span></span><span class="track"><span class="bar"></span></span><output></output>';
    row.dataset.code = code;
    row.firstChild.textContent = label;
    row.querySelector(".bar").style.background = `var(--c${code})`;
    panel.querySelector(".bars").append(row);
  }
  place.append(panel);
  return panel;
}

function resultOf(document, name) {
  return name === "fused" ? document?.result : document?.modalities?.[name]?.result;
}

function drawPanel(panel, name, document) {
  const result = resultOf(document, name);
  for (const row of panel.querySelectorAll("li")) {
    const value = result?.[row.dataset.code];
    row.querySelector("output").textContent = value === undefined ? "–" : value.toFixed(4);
    row.querySelector(".bar").style.width = `${100 * (value ?? 0)}%`;
  }
  const weight = document?.weights?.[name];
  panel.querySelector(".weight").textContent = weight === undefined ? "" : `weight ${weight.toFixed(2)}`;
  const report = document?.modalities?.[name];
  const [note, korean] = panel.querySelectorAll(".note");
  note.textContent = document && name !== "fused" ? (report?.message ?? "not in the stream") : "";
  korean.textContent = report?.message_ko ?? "";
}

function drawLines(canvas, results) {
  const pen = canvas.getContext("2d");
  const style = getComputedStyle(canvas.closest(".panel").querySelector(".track"));
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.strokeStyle = style.backgroundColor;
  pen.lineWidth = 1;
  pen.strokeRect(0, canvas.height / 2, canvas.width, 0);
  const step = canvas.width / (HISTORY - 1);
  for (const row of canvas.closest(".panel").querySelectorAll("li")) {
    pen.strokeStyle = getComputedStyle(row.querySelector(".bar")).backgroundColor;
    pen.lineWidth = 3;
    pen.beginPath();
    let drawing = false;
    results.forEach((result, index) => {
      if (!result) return (drawing = false);
      const x = canvas.width - (results.length - 1 - index) * step;
      const y = 4 + (1 - result[row.dataset.code]) * (canvas.height - 8);
      drawing ? pen.lineTo(x, y) : pen.moveTo(x, y);
      drawing = true;
    });
    pen.stroke();
  }
}

// --- forms ---

byId("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (chosen === null) return;
  const answer = await fetch(`streams/${encodeURIComponent(chosen)}/text`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text: byId("sentence").value }),
  });
  const { error, start } = await answer.json();
  byId("say-status").textContent = error ?? `said at ${start} s`;
  if (answer.ok) byId("sentence").value = "";
});

byId("trial").addEventListener("submit", (event) => {
  event.preventDefault();
  recognise(byId("trial-clip").files[0]);
});

async function recognise(clip) {
  const status = byId("trial-status");
  status.textContent = "recognising …";
  const text = new URLSearchParams({ text: byId("trial-text").value });
  try {
    const answer = await fetch(`recognise?${text}`, { method: "POST", body: clip ?? "" });
    const document = await answer.json();
    status.textContent = answer.ok ? describe(document.result) : document.error;
    showTrial(answer.ok ? document : null);
  } catch (error) {
    status.textContent = `the bridge does not answer: ${error.message}`;
  }
}

function describe(result) {
  const { emotion, probability, person } = summary(result);
  return `${emotion} ${probability}, ${person}`;
}

function showTrial(document) {
  const place = byId("trial-result");
  place.replaceChildren();
  if (document === null) return;
  for (const name of ["fused", ...Object.keys(document.modalities)]) {
    const panel = addPanel(place, name);
    panel.querySelector("canvas").remove();
    drawPanel(panel, name, document);
  }
}

async function record(video) {
  const status = byId("trial-status");
  let media;
  try {
    media = await navigator.mediaDevices.getUserMedia({ audio: true, video });
  } catch (error) {
    status.textContent = `no camera or microphone: ${error.message}`;
    return;
  }
  const preview = byId("preview");
  preview.hidden = !video;
  preview.srcObject = media;
  if (video) preview.play();
  const recorder = new MediaRecorder(media);
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.onstop = () => {
    for (const track of media.getTracks()) track.stop();
    preview.hidden = true;
    recognise(new Blob(parts, { type: recorder.mimeType }));
  };
  status.textContent = "recording …";
  recorder.start();
  setTimeout(() => recorder.stop(), RECORD_MS);
}

byId("record-video").addEventListener("click", () => record(true));
byId("record-audio").addEventListener("click", () => record(false));

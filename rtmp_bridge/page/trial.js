// The form to try the recogniser: a sentence, a clip from disk, or a recording.

import { ask } from "./bridge.js";
import * as korean from "./korean.js";
import { notify } from "./notice.js";
import { addPanel, drawPanel } from "./panel.js";
import { namedIn, personOf } from "./reading.js";

const LONGEST_MS = 10_000;

const byId = (id) => document.getElementById(id);
const status = byId("trial-status");
let mostBytes = 0;
let busy = false; // a recording or an answer is under way
let recorder = null;

export function prepareTrial(clipBytes) {
  mostBytes = clipBytes;
  byId("trial").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!busy) recognise(byId("trial-clip").files[0]);
  });
  for (const [id, video] of [["record-camera", true], ["record-microphone", false]]) {
    byId(id).addEventListener("click", (event) => {
      if (recorder) recorder.stop();
      else if (!busy) record(event.target, video);
    });
  }
  // Whoever submitted it before would have loaded the page anew.
  byId("trial").inert = false;
}

// Buttons stay focusable: a keyboard's place on the page is not lost.
function setBusy(value, except = null) {
  busy = value;
  for (const button of byId("trial").querySelectorAll("button")) {
    button.setAttribute("aria-disabled", String(busy && button !== except));
  }
}

// --- recognising ---

async function recognise(clip) {
  showResult(null);
  const text = byId("trial-text").value.trim();
  const problem = problemOf(text, clip);
  if (problem) return notify(status, problem);
  notify(status, korean.RECOGNISING, "busy");
  setBusy(true);
  try {
    const query = new URLSearchParams({ text });
    const result = await ask(`recognise?${query}`, { method: "POST", body: clip ?? "" });
    showResult({ text, ...result });
    notify(status, summaryOf(result), "done");
  } catch (problem) {
    notify(status, problem.sentences);
  } finally {
    setBusy(false);
  }
}

function problemOf(text, clip) {
  if (!clip && !text) return korean.NOTHING;
  return clip?.size > mostBytes ? korean.tooLarge(clip.size, mostBytes) : null;
}

function summaryOf(document) {
  const [emotion, undecided, probability] = namedIn(document);
  const person = personOf(document.result);
  return [[`${emotion} ${probability}`, person].filter(Boolean).join(", "), undecided];
}

function showResult(result) {
  const place = byId("trial-panels");
  place.replaceChildren();
  byId("trial-document").hidden = result === null;
  if (result === null) return;
  for (const modality of ["fused", ...Object.keys(result.modalities)]) {
    const panel = addPanel(place, modality);
    panel.querySelector("figure").remove(); // there is only one moment
    drawPanel(panel, result);
  }
  byId("trial-document").querySelector("pre").textContent = JSON.stringify(result, null, 2);
}

// --- recording ---

async function record(button, video) {
  if (!navigator.mediaDevices) return notify(status, korean.INSECURE);
  setBusy(true, button);
  try {
    const media = await navigator.mediaDevices.getUserMedia({ audio: true, video });
    showPreview(video ? media : null);
    const clip = await recordingOf(media, button);
    for (const track of media.getTracks()) track.stop();
    await recognise(clip);
  } catch (error) {
    setBusy(false);
    notify(status, korean.ofRecordingError(error));
  } finally {
    showPreview(null);
  }
}

// Record until the button is pressed again, or for as long as is allowed.
async function recordingOf(media, button) {
  const label = button.textContent;
  const parts = [];
  recorder = new MediaRecorder(media);
  recorder.ondataavailable = (event) => parts.push(event.data);
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  const timer = setTimeout(() => recorder.stop(), LONGEST_MS);
  recorder.start();
  button.textContent = "Stop and recognise";
  notify(status, korean.recording(LONGEST_MS / 1000), "busy");
  await stopped;
  clearTimeout(timer);
  button.textContent = label;
  const { mimeType } = recorder;
  recorder = null;
  return new Blob(parts, { type: mimeType });
}

function showPreview(media) {
  const preview = byId("preview");
  preview.hidden = media === null;
  preview.srcObject = media;
  if (media) preview.play();
}

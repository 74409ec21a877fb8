// Asks the bridge.

import { UNREACHABLE, ofAnswer } from "./korean.js";

// A failure with its sentences in English and Korean.
export class Problem extends Error {
  constructor(sentences) {
    super(sentences[0]);
    this.sentences = sentences;
  }
}

export async function ask(address, options) {
  const { status, body } = await fetchJson(address, options);
  if (status >= 400) throw new Problem(ofAnswer(status, body.error));
  return body;
}

async function fetchJson(address, options) {
  try {
    const answer = await fetch(address, options);
    return { status: answer.status, body: await answer.json() };
  } catch {
    throw new Problem(UNREACHABLE);
  }
}

export const pathOf = (stream) => `streams/${encodeURIComponent(stream)}`;

// What a result says, in words.

import { UNDECIDED } from "./korean.js";

let emotions = {}; // code to name, in code order

export function learn(labels) {
  emotions = labels;
}

export const codes = () => Object.keys(emotions);
export const nameOf = (code) => emotions[code];

export const MODALITIES = ["fused", "text", "speech", "video"];

// A modality's flat dictionary in a chunk or document; "fused" is the whole's.
export function resultOf(document, modality) {
  return modality === "fused" ? document?.result : document?.modalities?.[modality]?.result;
}

export function leading(result) {
  return codes().reduce((best, code) => (result[code] > result[best] ? code : best));
}

// The emotion that a document names, in English and, where it names none, in Korean; and how probable
// its leading one is.
export function namedIn({ result, undecided }) {
  const [emotion, probability] = emotionOf(result).split(" ");
  return undecided ? [...UNDECIDED, `${emotion} ${probability}`] : [emotion, "", probability];
}

export const conflictIn = ({ conflict }) => `conflict ${conflict.toFixed(4)}`;

export function emotionOf(result) {
  const code = leading(result);
  return `${nameOf(code)} ${result[code].toFixed(4)}`;
}

export function personOf(result) {
  if (result === undefined || !("20000" in result)) return "";
  const [age, male, female] = ["20000", "30001", "30002"].map((code) => result[code]);
  return `age ${age.toFixed(1)}, male ${male.toFixed(4)}, female ${female.toFixed(4)}`;
}

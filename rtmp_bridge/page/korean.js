// Sentences in both languages: what the recogniser tells, what the bridge answers, what the page
// itself has to say. Each is a pair of English and Korean.

let messages = {}; // the recogniser's, English to Korean

const BY_STATUS = {
  401: "접근 권한이 없습니다. 토큰이 있는 주소로 다시 여세요.",
  403: "이 페이지에서 보낸 요청만 받습니다.",
  404: "찾을 수 없습니다.",
  408: "전송이 너무 오래 걸렸습니다.",
  413: "보낸 내용이 너무 큽니다.",
  422: "보낸 내용을 사용할 수 없습니다.",
  502: "인식에 실패했습니다.",
  503: "지금은 처리할 수 없습니다. 잠시 후 다시 시도해 주세요.",
  504: "인식이 너무 오래 걸렸습니다.",
};

const BY_REASON = {
  buffer_full: "인식이 스트림보다 느려서 건너뛰었습니다.",
  failed: "인식에 실패했습니다.",
  gap: "스트림의 이 부분이 비어 있습니다.",
  refused: "이 부분은 사용할 수 없습니다.",
  stopping: "브리지가 멈췄습니다.",
  timeout: "인식이 너무 오래 걸렸습니다.",
  unavailable: "인식 서버가 응답하지 않습니다.",
};

export const UNREACHABLE = ["The bridge does not answer.", "브리지가 응답하지 않습니다."];
export const NOTHING = ["Type a sentence or choose a clip.", "문장을 입력하거나 파일을 선택해 주세요."];
export const CHANGED = [
  "Another person is the main one now; the window began anew.",
  "이제 다른 사람을 중심으로 새로 분석합니다.",
];
export const UNDECIDED = ["undecided", "판단 보류"];
export const RECOGNISING = ["recognising …", "인식하고 있습니다 …"];
export const INSECURE = [
  "Browsers record only for pages on https or on this machine (127.0.0.1).",
  "녹화와 녹음은 https 주소나 이 컴퓨터(127.0.0.1)에서만 할 수 있습니다.",
];

const BY_MEDIA_ERROR = {
  NotAllowedError: [
    "The browser does not allow this page to use the camera or microphone.",
    "브라우저에서 카메라나 마이크 사용이 허용되지 않았습니다.",
  ],
  NotFoundError: [
    "No camera or microphone was found.",
    "카메라나 마이크를 찾을 수 없습니다.",
  ],
};

export function learn(recogniserMessages) {
  messages = recogniserMessages;
}

const UNUSABLE = {
  text: "문장을 사용할 수 없습니다.",
  speech: "소리를 사용할 수 없습니다.",
  video: "영상을 사용할 수 없습니다.",
};

// What a sentence of the recogniser says of each modality, in Korean.
function told(sentence) {
  const causes = sentence.matchAll(/\b(text|speech|video)(?: \(error_code \d+\))?: ([^;]+)/g);
  return [...causes].map(([, modality, cause]) => messages[cause] ?? UNUSABLE[modality]).join(" ");
}

export function ofAnswer(status, sentence) {
  return [sentence, told(sentence) || (BY_STATUS[status] ?? BY_STATUS[502])];
}

export function ofChunk(chunk) {
  return [`${chunk.kind}: ${chunk.message}`, told(chunk.message) || (BY_REASON[chunk.reason] ?? "")];
}

export function ofRecordingError(error) {
  return BY_MEDIA_ERROR[error.name] ?? [error.message, "녹화하거나 녹음할 수 없습니다."];
}

export const recording = (seconds) => [
  `recording, ${seconds} s at most …`,
  `최대 ${seconds}초까지 기록하고 있습니다 …`,
];

export function tooLarge(bytes, most) {
  const mebibytes = (count) => (count / 2 ** 20).toFixed(1);
  return [
    `The clip has ${mebibytes(bytes)} MiB, at most ${mebibytes(most)} are taken.`,
    `파일이 ${mebibytes(bytes)} MiB입니다. ${mebibytes(most)} MiB까지 보낼 수 있습니다.`,
  ];
}

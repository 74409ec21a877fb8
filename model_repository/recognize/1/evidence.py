"""What each modality brings to fusion, as plain arrays.

Everything here is numpy and knows no server. R is the number of rows that fusion sees: crops of
the face, windows of speech, or the one sentence; without usable media it is one row of zeros and
`count` is 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from contract import (
    AGE_YEARS,
    EMOTIONS,
    GENDER_CODES,
    IDENTITY,
    MESSAGES,
    ROW_TAIL,
    SPEECH_FEATURE,
    SPEECH_WINDOW,
    TEXT_FEATURE,
    VIDEO_FEATURE,
    MediaError,
    SpeechStatus,
    TextStatus,
    VideoStatus,
)

WIDTHS = {"text": TEXT_FEATURE, "speech": SPEECH_FEATURE, "video": VIDEO_FEATURE}
STATUSES = {"text": TextStatus, "speech": SpeechStatus, "video": VideoStatus}


def _rows(width: int) -> np.ndarray:
    return np.zeros((1, width), np.float32)


@dataclass(frozen=True)
class Evidence:
    """One modality's contribution.

    Attributes:
        modality: "text", "speech" or "video".
        present: The request brought media or past rows of it.
        count: Rows that count; 0 when only padding is left.
        features: float32 [R, F].
        emotion: Posterior float32 [R, 7] of each row; for video [7], of the clip.
        age: Years, float32 [A, 1]; A = R, except that a clip's faces are aged at most 8 times.
        gender: [male, female], float32 [A, 2].
        weights: How much each window of speech counts, float32 [R] in 0..1; None elsewhere.
        context: This chunk's rows to be handed back as PAST_*, float32 [r, SPEECH_ROW] or
            [r, VIDEO_ROW].
        error_code: The modality's status code.
        message: English cause of the code.
        message_ko: What the person being filmed is told.
        seconds: How much media was read, about, in seconds.
        answered: False when the models themselves failed, whatever the media.
        details: More of the modality for the JSON result.
        others: Of a video's other people, by id: posterior [7], age [1] and [male, female].
    """

    modality: str
    present: bool = False
    count: int = 0
    features: np.ndarray = field(default_factory=lambda: _rows(0))
    emotion: np.ndarray = field(default_factory=lambda: _rows(len(EMOTIONS)))
    age: np.ndarray = field(default_factory=lambda: _rows(1))
    gender: np.ndarray = field(default_factory=lambda: _rows(len(GENDER_CODES)))
    weights: np.ndarray | None = None
    context: np.ndarray = field(default_factory=lambda: _rows(0))
    error_code: int = 0
    message: str = ""
    message_ko: str = ""
    seconds: float = 0.0
    answered: bool = True
    details: dict = field(default_factory=dict)
    others: dict[int, tuple[np.ndarray, ...]] = field(default_factory=dict)

    @property
    def person_changed(self) -> bool:
        """Whether a video is about somebody else than the earlier chunks of its stream."""
        return self.details.get("person_changed", False)


def absent(modality: str) -> Evidence:
    """Return what a modality that the request does not bring is to fusion."""
    width = WIDTHS[modality]
    evidence = Evidence(modality, features=_rows(width), context=np.zeros((0, 0), np.float32))
    if modality == "video":
        return replace(evidence, emotion=evidence.emotion[0])
    return evidence if modality == "text" else replace(evidence, weights=_rows(1)[0])


def refused(modality: str, error: MediaError) -> Evidence:
    """Return the evidence of a modality whose media is over a limit."""
    return replace(
        absent(modality),
        present=True,
        error_code=int(error.status),
        message=str(error),
        message_ko=MESSAGES[error.status][1],
    )


def unanswered(modality: str, cause: str) -> Evidence:
    """Return the evidence of a modality whose models failed."""
    status = STATUSES[modality](1)
    return replace(
        absent(modality),
        present=True,
        error_code=int(status),
        message=f"the {modality} models did not answer: {cause}",
        message_ko=MESSAGES[status][1],
        answered=False,
    )


def from_text(outputs: dict[str, np.ndarray]) -> Evidence:
    """Read the outputs of the text's models; without a usable sentence only the first has any."""
    evidence = _with_status(absent("text"), outputs, "STATUS")
    if not evidence.count:
        return evidence
    return replace(evidence, features=outputs["FEATURES"], emotion=outputs["EMOTION"])


def from_speech(outputs: dict[str, np.ndarray]) -> Evidence:
    """Read the outputs of the speech's models; without usable sound only the first has any.

    A film without sound brings no speech.
    """
    evidence = _with_status(absent("speech"), outputs, "STATUS")
    if not evidence.count:
        return replace(evidence, present=evidence.error_code != SpeechStatus.OK)
    age = np.clip(outputs["AGE"], *AGE_YEARS)
    weights = outputs["VOICE"]
    evidence.details["times"] = outputs["TIMES"].tolist()
    evidence.details["voice"] = [round(float(share), 3) for share in weights]
    own = [outputs["FEATURES"], outputs["EMOTION"], age, outputs["GENDER"], weights[:, None]]
    return replace(
        evidence,
        features=outputs["FEATURES"],
        emotion=outputs["EMOTION"],
        age=age,
        gender=outputs["GENDER"],
        weights=weights,
        context=np.concatenate(own, axis=1),
        seconds=float(outputs["TIMES"][-1]) + SPEECH_WINDOW,
    )


def from_video(outputs: dict[str, np.ndarray]) -> Evidence:
    """Read the outputs of the video's models; without a usable face only the first has any.

    The clip's own posterior is `video_emotion`'s to give. Only some crops are aged; in the context
    rows each crop carries the age and gender of the aged crop nearest to it in time.
    """
    evidence = _with_status(absent("video"), outputs, "ERROR_CODE")
    seconds = outputs["SECOND_ERROR_CODES"].tolist()
    evidence = replace(
        evidence, details={"second_error_codes": seconds}, seconds=float(len(seconds))
    )
    if not evidence.count:
        return evidence
    evidence.details["faces"] = [
        {
            "time": round(float(time), 3),
            "box": [round(float(edge), 1) for edge in box],
            "score": round(float(score), 4),
            "sharpness": round(float(sharpness), 4),
        }
        for time, box, score, sharpness in zip(
            outputs["TIMES"], outputs["BOXES"], outputs["SCORES"], outputs["SHARPNESS"], strict=True
        )
    ]
    aged, rows = outputs["AGE_ROWS"], np.arange(evidence.count)
    nearest = np.abs(rows[:, None] - aged[None]).argmin(axis=1)
    age = np.clip(outputs["AGE"], *AGE_YEARS)
    context = [
        outputs["FEATURES"],
        outputs["EMOTION"],
        age[nearest],
        outputs["GENDER"][nearest],
        outputs["PLACES"],
        np.broadcast_to(outputs["IDENTITY"], (evidence.count, IDENTITY)),
    ]
    return replace(
        evidence,
        features=outputs["FEATURES"],
        age=age,
        gender=outputs["GENDER"],
        context=np.concatenate(context, axis=1),
    )


def with_past(evidence: Evidence, past: np.ndarray) -> Evidence:
    """Put the context rows of earlier chunks before a chunk's own.

    Args:
        evidence: Speech or video of this chunk.
        past: float32 [n, SPEECH_ROW] or [n, VIDEO_ROW]: feature, 7 posteriors, age,
            [male, female], and what follows them.

    Returns:
        The joint evidence. A video's `emotion` over all rows is `video_emotion`'s to give.
    """
    if not len(past):
        return evidence
    width = WIDTHS[evidence.modality]
    features, emotion, age, gender, rest = np.split(
        past, [width, width + 7, width + 8, width + ROW_TAIL], axis=1
    )
    joint = replace(
        evidence,
        present=True,
        count=len(past) + evidence.count,
        features=_join(features, evidence.features, evidence.count),
        age=_join(age, evidence.age, evidence.count),
        gender=_join(gender, evidence.gender, evidence.count),
    )
    if evidence.modality == "video":
        return joint
    return replace(
        joint,
        emotion=_join(emotion, evidence.emotion, evidence.count),
        weights=_join(rest[:, 0], evidence.weights, evidence.count),
    )


def fusion_inputs(evidence: dict[str, Evidence]) -> dict[str, np.ndarray]:
    """Lay every modality's evidence out as the tensors of `fusion`, by name."""
    inputs: dict[str, np.ndarray] = {}
    for name, one in evidence.items():
        tensors = {"FEATURES": one.features, "EMOTION": one.emotion}
        if name != "text":
            tensors |= {"AGE": one.age, "GENDER": one.gender}
        if one.weights is not None:
            tensors["WEIGHTS"] = one.weights
        tensors["COUNT"] = np.array([one.count], np.int32)
        inputs |= {f"{name.upper()}_{key}": value for key, value in tensors.items()}
    return inputs


def _join(past: np.ndarray, own: np.ndarray, own_count: int) -> np.ndarray:
    return np.concatenate([past, own]) if own_count else past


def _with_status(evidence: Evidence, outputs: dict[str, np.ndarray], code: str) -> Evidence:
    english, korean = (text.decode() for text in outputs["MESSAGE"])
    return replace(
        evidence,
        present=True,
        count=int(outputs["COUNT"][0]),
        error_code=int(outputs[code][0]),
        message=english,
        message_ko=korean,
        details={},
    )

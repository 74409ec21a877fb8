"""The tensors of a request and of its answer, without any network."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import numpy as np
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult

from clients.arrays import is_number
from clients.contract import (
    EMOTION_CODES,
    LIMITS,
    MODALITIES,
    OLD_SPEECH_ROW,
    OLD_VIDEO_ROW,
    SCHEMA,
    SPEECH_ROW,
    VIDEO_ROW,
)
from clients.errors import MediaTypeError, UnexpectedAnswerError
from clients.media import Chunk
from clients.recognition import Judgement, ModalityRecognition, Person

RECOGNISE_MODEL = "recognize"
FACE_MODEL = "face_crop"
#: The networks that look at crops, with what of theirs a context row holds, in its order.
CROP_MODELS = {"vgg_face": ("FEATURES", "EMOTION"), "age_gender": ("AGE", "GENDER")}

#: What every answer's document holds at least, and what is said of each modality.
_EMOTIONS = dict.fromkeys(EMOTION_CODES, Real)
_DOCUMENT = {
    "result": _EMOTIONS,
    "modalities": {},
    "weights": dict.fromkeys(MODALITIES, Real),
    "confidence": Real,
    "conflict": Real,
}
_REPORT = {"error_code": int, "message": str, "message_ko": str, "count": int}
_TYPE_NAMES = {dict: "an object", Real: "a number", int: "a whole number", str: "a string"}


def _no_rows(width: int) -> np.ndarray:
    return np.zeros((0, width), np.float32)


@dataclass(frozen=True)
class Context:
    """Rows that stand for parts of a recording the server has already seen or heard.

    Attributes:
        video: float32 [T, VIDEO_ROW], one row a crop. Rows of schema 1 are brought to this one's
            width: whose faces they are is not known, and their windows count in full.
        speech: float32 [N, SPEECH_ROW], one row a window.
        seconds: How long the video of these parts is.
        gap: How long before its end the person whom it is about was last seen, in seconds; None if
            they were not.
    """

    video: np.ndarray = field(default_factory=lambda: _no_rows(VIDEO_ROW))
    speech: np.ndarray = field(default_factory=lambda: _no_rows(SPEECH_ROW))
    seconds: float = 0.0
    gap: float | None = None

    def __post_init__(self) -> None:
        """Take rows of schema 1 too.

        Raises:
            MediaTypeError: The rows are no such arrays, or a time is no number of seconds.
        """
        _check_rows("video", self.video, VIDEO_ROW, OLD_VIDEO_ROW)
        _check_rows("speech", self.speech, SPEECH_ROW, OLD_SPEECH_ROW)
        _check_seconds("seconds", self.seconds)
        if self.gap is not None:
            _check_seconds("gap", self.gap)
        object.__setattr__(self, "video", _widened(self.video, OLD_VIDEO_ROW, VIDEO_ROW, 0.0))
        object.__setattr__(self, "speech", _widened(self.speech, OLD_SPEECH_ROW, SPEECH_ROW, 1.0))

    def then(self, later: Context) -> Context:
        """Append the rows of what came next."""
        return Context(
            video=np.concatenate([self.video, later.video]),
            speech=np.concatenate([self.speech, later.speech]),
            seconds=self.seconds + later.seconds,
            gap=self._gap_after(later),
        )

    def _gap_after(self, later: Context) -> float | None:
        if later.gap is not None or self.gap is None:
            return later.gap
        return self.gap + later.seconds

    def within_limits(self) -> Context:
        """Keep as many rows as one request may bring, spread evenly over the whole past."""
        return replace(
            self,
            video=_spread(self.video, LIMITS.crops),
            speech=_spread(self.speech, LIMITS.windows),
        )


def context_of(past: Context | None) -> Context:
    """Return what came before a recording; of nothing, no rows.

    Raises:
        MediaTypeError: It is no context.
    """
    if not isinstance(past, Context | None):
        came = type(past).__name__
        raise MediaTypeError(f"past: expected the context of an earlier answer, came {came}")
    return Context() if past is None else past


def _check_rows(name: str, rows: object, *widths: int) -> None:
    array = isinstance(rows, np.ndarray)
    if not array or rows.dtype.kind != "f" or rows.ndim != 2 or rows.shape[1] not in widths:
        came = f"{rows.dtype.name} {list(rows.shape)}" if array else type(rows).__name__
        wanted = " or ".join(f"[n, {width}]" for width in widths)
        raise MediaTypeError(f"past.{name}: expected float rows {wanted}, came {came}")


def _check_seconds(name: str, value: object) -> None:
    if not is_number(value) or not 0 <= value < float("inf"):
        raise MediaTypeError(f"past.{name}: expected seconds, at least 0, came {value!r}")


def _widened(rows: np.ndarray, old: int, width: int, filling: float) -> np.ndarray:
    if rows.shape[1] != old:
        return rows
    return np.pad(rows, ((0, 0), (0, width - old)), constant_values=filling)


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]


@dataclass(frozen=True)
class Recognition(Judgement):
    """An answer. What a modality says by itself is `recognition["video"]`.

    Attributes:
        document: The server's whole JSON result.
        features: What fusion saw, by modality, when asked for: text float32 [1, 512], speech
            [N, 768], video [T, 4096]; context rows of earlier chunks come first. A modality that
            could not be used has none.
        context: The rows to hand back with the next chunk of the same stream, when asked for.
    """

    document: dict[str, Any]
    features: dict[str, np.ndarray] = field(default_factory=dict)
    context: Context = field(default_factory=Context)

    @property
    def result(self) -> dict[str, float]:
        """The flat dictionary: probabilities by emotion code, and age and gender if known."""
        return self.document["result"]

    @property
    def modalities(self) -> dict[str, dict[str, Any]]:
        """What each modality that the request brought says by itself, with its error code."""
        return self.document["modalities"]

    @property
    def weights(self) -> dict[str, float]:
        """How much text, speech and video counted."""
        return self.document["weights"]

    @property
    def conflict(self) -> float:
        """How far what the modalities say is apart: 0, or there is but one, to 1."""
        return self.document["conflict"]

    @property
    def undecided(self) -> bool:
        """Whether `top` is not sure enough to be named; never where its errors are not known."""
        return bool(self.document.get("undecided"))

    @property
    def named(self) -> str:
        """The emotion and how probable it is, e.g. "fear 0.83" or "undecided (fear 0.31)"."""
        leading = f"{self.top} {self.confidence:.2f}"
        return f"undecided ({leading})" if self.undecided else leading

    @property
    def by_modality(self) -> dict[str, ModalityRecognition]:
        """What each modality that the request brought says by itself."""
        return {name: self[name] for name in self.modalities}

    def __getitem__(self, modality: str) -> ModalityRecognition:
        """Return what one modality says by itself.

        Raises:
            KeyError: The request did not bring it.
        """
        if modality not in self.modalities:
            names = ", ".join(self.modalities)
            raise KeyError(f"modality: expected one of the request's ({names}), came {modality!r}")
        return ModalityRecognition(self.modalities[modality], self.weights.get(modality))

    @property
    def people(self) -> tuple[Person, ...]:
        """Who is seen in the video, in a long one part by part; nobody where that is not told."""
        return self["video"].people if "video" in self.modalities else ()

    @property
    def people_seen(self) -> int:
        """How many people the video shows; of a long one, the most in one of its parts."""
        return self.modalities.get("video", {}).get("people_seen", len(self.people))

    @property
    def failures(self) -> dict[str, str]:
        """Why, for each modality that something was wrong with."""
        return {
            name: f"error_code {report['error_code']}: {report['message']}"
            for name, report in self.modalities.items()
            if report["error_code"] != 0
        }


@dataclass(frozen=True)
class Faces:
    """The faces that the video module looked at.

    Attributes:
        crops: RGB, uint8 [T, 224, 224, 3].
        boxes: float32 [T, 4]: left, top, right, bottom in the picture's pixels.
        times: Seconds from the start, float32 [T].
    """

    crops: np.ndarray
    boxes: np.ndarray
    times: np.ndarray


@dataclass(frozen=True)
class Call:
    """A request.

    Attributes:
        model: The model asked.
        inputs: By name; a BYTES tensor is an array of objects.
        outputs: The outputs wanted, as tritonclient takes them.
    """

    model: str
    inputs: dict[str, np.ndarray]
    outputs: list[InferRequestedOutput]

    def tensors(self) -> list[InferInput]:
        """Return the inputs as tritonclient takes them, to travel with the request."""
        return [
            InferInput(name, list(array.shape), datatype_of(array)).set_data_from_numpy(array)
            for name, array in self.inputs.items()
        ]


def recognise_call(
    chunk: Chunk, past: Context, features: Collection[str] = (), context: bool = False
) -> Call:
    """Build the request of one chunk; only the outputs that are asked for will travel.

    Args:
        chunk: The media.
        past: Context rows of earlier chunks.
        features: The modalities whose features are wanted.
        context: Whether this chunk's context rows are wanted.

    Raises:
        ValueError: A feature of something that is no modality is asked for.
    """
    if unknown := set(features) - set(MODALITIES):
        raise ValueError(f"features: expected some of {MODALITIES}, came {sorted(unknown)}")
    inputs = _media_inputs(chunk)
    if chunk.text is not None:
        inputs["TEXT"] = _byte_strings([chunk.text])
    if chunk.audio is not None:
        inputs["AUDIO"] = np.frombuffer(chunk.audio, np.uint8)
    for name, rows in (("PAST_VIDEO", past.video), ("PAST_SPEECH", past.speech)):
        if len(rows):
            inputs[name] = np.ascontiguousarray(rows, np.float32)
    if len(past.video) and past.gap:
        inputs["PAST_GAP"] = np.array([past.gap], np.float32)
    wanted = ["RESULT", *(f"{name.upper()}_FEATURES" for name in features)]
    if context:
        wanted += ["VIDEO_CONTEXT", "SPEECH_CONTEXT"]
    return Call(RECOGNISE_MODEL, inputs, [InferRequestedOutput(name) for name in wanted])


def faces_call(chunk: Chunk) -> Call:
    """Build the request for the faces of one chunk's video."""
    wanted = ("CROPS", "BOXES", "TIMES", "COUNT")
    return Call(FACE_MODEL, _media_inputs(chunk), [InferRequestedOutput(name) for name in wanted])


def crop_calls(crops: np.ndarray) -> list[Call]:
    """Build the requests, one for each of CROP_MODELS, for crops uint8 [T, 224, 224, 3]."""
    tensor = np.ascontiguousarray(crops)
    return [
        Call(model, {"CROPS": tensor}, [InferRequestedOutput(name) for name in names])
        for model, names in CROP_MODELS.items()
    ]


def read_recognition(answer: InferResult) -> Recognition:
    """Take an answer of `recognize` apart.

    Raises:
        UnexpectedAnswerError: It is not in this version's schema.
    """
    document = _document(answer)
    usable = [name for name, report in document["modalities"].items() if report.get("count")]
    features = {name: answer.as_numpy(f"{name.upper()}_FEATURES") for name in usable}
    video, speech = (answer.as_numpy(name) for name in ("VIDEO_CONTEXT", "SPEECH_CONTEXT"))
    try:
        context = _context(video, speech, document["modalities"].get("video", {}))
    except MediaTypeError as error:
        raise UnexpectedAnswerError(f"CONTEXT of {RECOGNISE_MODEL}: {error}") from error
    return Recognition(
        document=document,
        features={name: rows for name, rows in features.items() if rows is not None},
        context=context,
    )


def _context(
    video: np.ndarray | None, speech: np.ndarray | None, report: dict[str, Any]
) -> Context:
    if video is None or speech is None:
        return Context()
    seconds = float(len(report.get("second_error_codes", ())))
    ends = [person["end"] for person in report.get("people", ()) if person["main"]]
    return Context(video, speech, seconds, max(0.0, seconds - ends[0]) if ends else None)


def read_faces(answer: InferResult) -> Faces:
    """Take an answer of `face_crop` apart; rows beyond its COUNT are padding."""
    count = int(_tensor(answer, "COUNT")[0])
    crops, boxes, times = (_tensor(answer, name)[:count] for name in ("CROPS", "BOXES", "TIMES"))
    return Faces(crops, boxes, times)


def read_crop_context(answers: Iterable[InferResult]) -> Context:
    """Make context rows of the answers of CROP_MODELS; whose the faces are they do not say."""
    parts = [
        _tensor(answer, name)
        for answer, names in zip(answers, CROP_MODELS.values(), strict=True)
        for name in names
    ]
    return Context(video=np.concatenate(parts, axis=1))


def _document(answer: InferResult) -> dict[str, Any]:
    text = _tensor(answer, "RESULT")[0]
    try:
        document = json.loads(text)
    except ValueError as error:
        raise UnexpectedAnswerError(f"RESULT: expected JSON, came {text[:80]!r}") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise UnexpectedAnswerError(f"RESULT: expected schema {SCHEMA!r}, came {schema!r}")
    _check_part("RESULT", document, _DOCUMENT)
    for name, report in document["modalities"].items():
        where = f"RESULT.modalities.{name}"
        _check_part(where, report, _REPORT | ({"result": _EMOTIONS} if "result" in report else {}))
    return document


def _check_part(where: str, part: Any, expected: type | dict[str, Any]) -> None:
    """Check the type of a part of a document, and where keys are expected, of what is in it."""
    kind, keys = (dict, expected) if isinstance(expected, dict) else (expected, {})
    if not isinstance(part, kind):
        came = f"{part!r:.80}"
        raise UnexpectedAnswerError(f"{where}: expected {_TYPE_NAMES[kind]}, came {came}")
    for key, inner in keys.items():
        _check_part(f"{where}.{key}", part.get(key), inner)


def _tensor(answer: InferResult, name: str) -> np.ndarray:
    tensor = answer.as_numpy(name)
    if tensor is None:
        raise UnexpectedAnswerError(f"{name}: expected in the answer, did not come")
    return tensor


def datatype_of(array: np.ndarray) -> str:
    """Return Triton's name of an input's type."""
    return {"uint8": "UINT8", "float32": "FP32", "object": "BYTES"}[array.dtype.name]


def _media_inputs(chunk: Chunk) -> dict[str, np.ndarray]:
    if chunk.film is not None:
        return {"VIDEO": np.frombuffer(chunk.film, np.uint8)}
    if chunk.frames:
        fps = np.array([chunk.fps], np.float32)
        return {"FRAMES": _byte_strings(chunk.frames), "FPS": fps}
    return {}


def _byte_strings(strings: Collection[bytes]) -> np.ndarray:
    return np.array(list(strings), np.object_)

"""Ask the server about every sample, and keep each answer as soon as it is there."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from clients.containers import cause_of
from clients.contract import AGE_CODE, EMOTION_CODES, GENDER_CODES, OLD_VIDEO_ROW, VIDEO_FEATURE
from clients.errors import (
    AccessDeniedError,
    InputRefusedError,
    ManifestError,
    RecogniserError,
    RequestTimeoutError,
    ServerFailedError,
    ServerUnavailableError,
    UnexpectedAnswerError,
    UnreadableFileError,
)
from clients.evaluation.manifest import Sample
from clients.media import Media
from clients.protocol import Context, Recognition
from clients.recogniser import AsyncRecogniser, Connection
from clients.recognition import ModalityRecognition
from clients.reports import causes, name_of_code

#: What answers for a sample: `face` are the face networks on one image; a face without a video is
#: also the `video`, as a clip of one picture; `fused` is the front door's answer.
SOURCES = ("text", "speech", "video", "face", "fused")
CROP_SIDE = 224
#: What a fused answer's document may say of the answer as a whole: a probability, how far the
#: modalities diverge, and whether no emotion is named.
CERTAINTY = ("confidence", "conflict", "undecided")

#: What is wrong with every sample; anything else costs its own sample only.
_RUN_FAULTS = (AccessDeniedError, ServerUnavailableError)
#: What ends the run; whatever else a sample raises, also what is no `Exception`, is its own fault.
_NOT_OF_THE_SAMPLE = (*_RUN_FAULTS, asyncio.CancelledError, KeyboardInterrupt, GeneratorExit)
#: What may be different when it is asked again.
_SERVER_FAULTS = (RequestTimeoutError, ServerFailedError, UnexpectedAnswerError)


@dataclass(frozen=True)
class Outcome:
    """What came of one sample.

    Attributes:
        answers: The flat dictionary of result codes, by source.
        errors: Why a source has no answer, or was not quite content, by source.
        reasons: The same in a word or two, to be counted by: "no voice", "input refused".
        certainty: Those of `CERTAINTY` that the fused answer states.
        server_fault: Whether an error was the server's, and the sample is worth another try.
        people: How many people are seen in the video.
    """

    answers: dict[str, dict[str, float]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    certainty: dict[str, float | bool] = field(default_factory=dict)
    server_fault: bool = False
    people: int = 0

    def asked(self, source: str) -> bool:
        """Tell whether a source was asked: it answered, or says why not."""
        return source in self.answers or source in self.errors


class Journal:
    """The outcomes of a run, a JSON line each, so that an interrupted run can go on.

    The first line names the manifest. A line that was cut short by a crash is dropped, and what the
    server failed on is asked again.
    """

    def __init__(self, path: Path, manifest: Path, resume: bool) -> None:
        """Begin a journal, or go on with one.

        Args:
            path: The file.
            manifest: What is measured.
            resume: Whether an existing journal may be continued.

        Raises:
            ManifestError: There is a journal and `resume` is not set, or it is another manifest's.
        """
        self.outcomes: dict[tuple[str, ...], Outcome] = {}
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            self._append(_heading(manifest))
        elif resume:
            whole = _whole_lines(path)
            outcomes = read_outcomes(path, manifest)
            self.outcomes = {key: one for key, one in outcomes.items() if not one.server_fault}
            if len(whole) < path.stat().st_size:
                path.write_bytes(whole)
        else:
            raise ManifestError(f"{path} exists: go on with --resume, or choose another --out")

    def add(self, sample: Sample, outcome: Outcome) -> None:
        """Keep an outcome."""
        self.outcomes[sample.media] = outcome
        self._append({"media": sample.media, **asdict(outcome)})

    def open_samples(self, samples: Iterable[Sample]) -> list[Sample]:
        """Return those that are still to be asked, equal media once."""
        return list({s.media: s for s in samples if s.media not in self.outcomes}.values())

    def _append(self, entry: dict) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def read_outcomes(path: Path, manifest: Path) -> dict[tuple[str, ...], Outcome]:
    """Read a journal: outcomes by the media that were asked about.

    Args:
        path: The journal.
        manifest: What it should be about.

    Raises:
        ManifestError: It cannot be read, is no journal, or is another manifest's.
    """
    try:
        heading, *entries = (json.loads(line) for line in _whole_lines(path).splitlines())
        outcomes = {tuple(entry.pop("media")): Outcome(**entry) for entry in entries}
    except OSError as error:
        raise ManifestError(f"cannot read {path}: {cause_of(error)}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise ManifestError(f"{path} is not a journal of this program: {error}") from error
    if heading != _heading(manifest):
        raise ManifestError(
            f"{path} is about {heading.get('manifest')}, expected {_heading(manifest)['manifest']}"
        )
    return outcomes


def _heading(manifest: Path) -> dict[str, str]:
    return {"manifest": str(manifest.resolve())}


def _whole_lines(path: Path) -> bytes:
    data = path.read_bytes()
    return data[: data.rfind(b"\n") + 1]


async def ask_all(
    samples: Iterable[Sample],
    connection: Connection,
    concurrency: int,
    done: Callable[[Sample, Outcome], None],
) -> None:
    """Ask about samples side by side.

    Args:
        samples: What to ask about.
        connection: Where and how.
        concurrency: How many are under way at once.
        done: Takes each outcome.

    Raises:
        RecogniserError: The server cannot be reached or denies access. What was under way is
            finished first, the rest is not begun.
    """
    pending = deque(samples)

    async def work() -> None:
        while pending:
            sample = pending.popleft()
            try:
                done(sample, await ask(client, sample))
            except BaseException:
                pending.clear()
                raise

    async with AsyncRecogniser(connection) as client:
        workers = [work() for _ in range(concurrency)]
        endings = await asyncio.gather(*workers, return_exceptions=True)
    for ending in endings:
        if ending is not None:
            raise ending


async def ask(client: AsyncRecogniser, sample: Sample) -> Outcome:
    """Ask about one sample: its face, if any, to the face networks, and all to the front door.

    Raises:
        RecogniserError: The server cannot be reached or denies access.
    """
    answers, errors, reasons, certainty = {}, {}, {}, {}
    server_fault, people = False, 0
    past = None
    if sample.face:
        try:
            crops = await asyncio.to_thread(read_crop, sample.face)
            rows = await client.crop_context(crops)
            answers["face"] = _codes_of(rows)
        except _NOT_OF_THE_SAMPLE:
            raise
        except BaseException as error:
            errors["face"] = _worded(error)
            reasons["face"] = _reason(error)
            server_fault = isinstance(error, _SERVER_FAULTS)
        else:
            past = None if sample.video else rows
    if past or sample.text or sample.speech or sample.video:
        try:
            media = Media(text=sample.text, audio=sample.speech, video=sample.video)
            recognition = await client.recognise(media, past=past)
            answers |= {name: dict(one.result) for name, one in _answered(recognition)}
            people = recognition.people_seen
        except _NOT_OF_THE_SAMPLE:
            raise
        except BaseException as error:
            brought = [name for name in ("text", "speech", "video") if getattr(sample, name)]
            errors |= dict.fromkeys([*brought, "fused"], _worded(error))
            reasons |= dict.fromkeys([*brought, "fused"], _reason(error)) | _causes(error)
            server_fault = server_fault or isinstance(error, _SERVER_FAULTS)
        else:
            answers["fused"] = recognition.result
            errors |= recognition.failures
            reasons |= {
                name: name_of_code(name, recognition[name].error_code)
                for name in recognition.failures
            }
            said = recognition.document
            certainty = {name: said[name] for name in CERTAINTY if said.get(name) is not None}
    return Outcome(answers, errors, reasons, certainty, server_fault, people)


def _answered(recognition: Recognition) -> list[tuple[str, ModalityRecognition]]:
    return [(name, one) for name, one in recognition.by_modality.items() if one.result]


def _worded(error: BaseException) -> str:
    """Name what nobody expected beside what it says; the library's own errors say enough."""
    words = str(error) if isinstance(error, RecogniserError) else f"{type(error).__name__}: {error}"
    # What an error quotes may hold half a character, which no file can.
    return words.encode("utf-8", "backslashreplace").decode()


def _reason(error: BaseException) -> str:
    """Return the kind of an error, to be counted by: "input refused", "unreadable file"."""
    words = re.findall("[A-Z][a-z]*", type(error).__name__.removesuffix("Error"))
    return " ".join(words).lower() or "error"


def _causes(error: BaseException) -> dict[str, str]:
    """Return the reason of each modality that a refused request names."""
    named = causes(error.sentence) if isinstance(error, InputRefusedError) else {}
    return {name: name_of_code(name, code) for name, (code, _) in named.items()}


def read_crop(path: Path) -> np.ndarray:
    """Read the image of a face as the face networks take it, scaled as serving scales its crops.

    Returns:
        RGB, uint8 [1, 224, 224, 3].

    Raises:
        UnreadableFileError: It is no image.
    """
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file).convert("RGB")
    # Pillow calls a broken PNG file a SyntaxError.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableFileError(f"face: cannot read {path}: {error}") from error
    shrinks = max(picture.size) > CROP_SIDE
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.asarray(picture.resize((CROP_SIDE, CROP_SIDE), method))[None]


def _codes_of(rows: Context) -> dict[str, float]:
    """Write the first row's posteriors and age as the flat dictionary of result codes."""
    codes = (*EMOTION_CODES, AGE_CODE, *GENDER_CODES)
    return dict(zip(codes, rows.video[0, VIDEO_FEATURE:OLD_VIDEO_ROW].tolist(), strict=True))

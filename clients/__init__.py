"""Client library of the recogniser: Korean text, speech and face video in, one answer out.

from pathlib import Path
from clients import Media, Recogniser

with Recogniser() as recogniser:
    answer = recogniser.recognise(Media(text="나는 지금 너무 행복해", video=Path("clip.mp4")))
print(answer.top, answer.emotion, answer.age)
"""

from clients.arrays import Samples
from clients.errors import (
    AccessDeniedError,
    AddressError,
    ClientNotOpenError,
    InputRefusedError,
    ManifestError,
    MediaTypeError,
    RecogniserError,
    RequestTimeoutError,
    ServerFailedError,
    ServerUnavailableError,
    SharedMemoryRefusedError,
    TimelineError,
    UncuttableMediaError,
    UnexpectedAnswerError,
    UnreadableFileError,
)
from clients.media import Media
from clients.protocol import Context, Faces, Recognition
from clients.recogniser import AsyncRecogniser, Connection, Recogniser, Tls
from clients.recognition import ModalityRecognition, Person
from clients.retry import Backoff
from clients.seconds import Moment

__all__ = [
    "AccessDeniedError",
    "AddressError",
    "AsyncRecogniser",
    "Backoff",
    "ClientNotOpenError",
    "Connection",
    "Context",
    "Faces",
    "InputRefusedError",
    "ManifestError",
    "Media",
    "MediaTypeError",
    "ModalityRecognition",
    "Moment",
    "Person",
    "Recogniser",
    "RecogniserError",
    "Recognition",
    "RequestTimeoutError",
    "Samples",
    "ServerFailedError",
    "ServerUnavailableError",
    "SharedMemoryRefusedError",
    "TimelineError",
    "Tls",
    "UncuttableMediaError",
    "UnexpectedAnswerError",
    "UnreadableFileError",
]

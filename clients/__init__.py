"""Client library of the recogniser: Korean text, speech and face video in, one answer out.

from pathlib import Path
from clients import Media, Recogniser

with Recogniser() as recogniser:
    answer = recogniser.recognise(Media(text="나는 지금 너무 행복해", video=Path("clip.mp4")))
print(answer.emotion, answer.result)
"""

from clients.errors import (
    AccessDeniedError,
    InputRefusedError,
    ManifestError,
    RecogniserError,
    RequestTimeoutError,
    ServerFailedError,
    ServerUnavailableError,
    SharedMemoryRefusedError,
    UncuttableMediaError,
    UnexpectedAnswerError,
    UnreadableFileError,
)
from clients.media import Media
from clients.protocol import Context, Faces, Recognition
from clients.recogniser import AsyncRecogniser, Connection, Recogniser, Tls
from clients.retry import Backoff

__all__ = [
    "AccessDeniedError",
    "AsyncRecogniser",
    "Backoff",
    "Connection",
    "Context",
    "Faces",
    "InputRefusedError",
    "ManifestError",
    "Media",
    "Recogniser",
    "RecogniserError",
    "Recognition",
    "RequestTimeoutError",
    "ServerFailedError",
    "ServerUnavailableError",
    "SharedMemoryRefusedError",
    "Tls",
    "UncuttableMediaError",
    "UnexpectedAnswerError",
    "UnreadableFileError",
]

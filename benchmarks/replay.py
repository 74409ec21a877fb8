"""Does a film read second by second end as one call does? `python -m benchmarks.replay FILE...`.

Each film is cut as the bridge cuts it and recognised second by second with the rows of the seconds
before. What the last second says is compared with one call on its whole window (the same frames and
sound), and with one call on the file itself. A running server is needed.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import sys
import wave
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.live import DEMO_CLIP
from clients import Connection, Media, Recogniser, Recognition
from clients.contract import EMOTION_CODES
from rtmp_bridge.chunks import SOUND_RATE, Chunk
from rtmp_bridge.context import RollingContext
from rtmp_bridge.ingest import Ingest
from rtmp_bridge.resampling import joined
from rtmp_bridge.settings import Buffering, StreamSettings
from rtmp_bridge.sound import encode_wav

#: By how much features may differ.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Comparison:
    """How a film read second by second compares with one call on its last window.

    Attributes:
        file: Its name.
        seconds: Its length.
        video_features: The largest difference of a feature; None without a face.
        speech_posterior: The largest difference of a probability of the speech network's; None
            without speech.
        posterior: The largest difference of a fused probability.
        emotion: The strongest emotion, second by second.
        window_emotion: The same of one call on the window.
        file_emotion: The same of one call on the file.
    """

    file: str
    seconds: float
    video_features: float | None
    speech_posterior: float | None
    posterior: float
    emotion: str
    window_emotion: str
    file_emotion: str

    @property
    def same(self) -> bool:
        """Whether the two agree."""
        return (self.video_features or 0.0) <= TOLERANCE and self.emotion == self.window_emotion


def chunks_of_film(settings: StreamSettings) -> list[Chunk]:
    """Cut a film as the bridge does."""
    chunks: list[Chunk] = []

    async def take(chunk: Chunk) -> None:
        chunks.append(chunk)

    async def read() -> None:
        async with Ingest(settings, lambda: None, take) as ingest:
            await ingest.run(0)

    asyncio.run(read())
    return chunks


def replay(recogniser: Recogniser, chunks: Sequence[Chunk], past_seconds: int) -> Recognition:
    """Recognise chunk by chunk, each with the rows of those before it; return the last answer."""
    context = RollingContext(past_seconds)
    for chunk in chunks:
        media = Media(audio=chunk.sound, video=chunk.frames or None, fps=chunk.fps)
        past = context.before(chunk)
        answer = recogniser.recognise(media, past=past, features=("video",), context=True)
        context.add(chunk, answer.context)
    return answer


def window_of(chunks: Sequence[Chunk], past_seconds: int) -> Media:
    """Return what the last chunk speaks for as one recording, with the sound just before it."""
    window = [chunk for chunk in chunks if chunk.start >= chunks[-1].start - past_seconds]
    sounds = [samples_of(chunk.sound) for chunk in window if chunk.sound is not None]
    frames = [frame for chunk in window for frame in chunk.frames]
    sound = joined([sounds[0], *(one[SOUND_RATE:] for one in sounds[1:])]) if sounds else None
    audio = None if sound is None else encode_wav(sound)
    return Media(audio=audio, video=frames or None, fps=10.0)


def samples_of(wav: bytes) -> np.ndarray:
    """Return a chunk's sound as int16 [n, channels]."""
    with wave.open(io.BytesIO(wav)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
        return samples.reshape(-1, sound.getnchannels())


def compare(recogniser: Recogniser, path: Path) -> Comparison:
    """Recognise a film in the three ways."""
    settings = StreamSettings("film", str(path), buffering=Buffering.WAIT)
    chunks = chunks_of_film(settings)
    replayed = replay(recogniser, chunks, settings.past_seconds)
    window = window_of(chunks, settings.past_seconds)
    whole = recogniser.recognise(window, features=("video",))
    file = recogniser.recognise(Media(video=path))
    return Comparison(
        path.name,
        round(chunks[-1].end, 2),
        feature_difference(replayed, whole),
        speech_difference(replayed, whole),
        difference(replayed.result, whole.result),
        replayed.top,
        whole.top,
        file.top,
    )


def feature_difference(one: Recognition, other: Recognition) -> float | None:
    """Return the largest difference of a video feature."""
    features = [answer.features["video"] for answer in (one, other)]
    if len(features[0]) != len(features[1]):
        return float("inf")
    return float(np.abs(features[0] - features[1]).max()) if features[0].size else None


def speech_difference(one: Recognition, other: Recognition) -> float | None:
    """Return the largest difference of a probability of the speech network's."""
    results = [answer.modalities.get("speech", {}).get("result") for answer in (one, other)]
    return difference(*results) if all(results) else None


def difference(one: dict[str, float], other: dict[str, float]) -> float:
    """Return the largest difference of a probability."""
    return round(max(abs(one[code] - other[code]) for code in EMOTION_CODES), 4)


def main() -> int:
    """Print a JSON line for each film; returns 1 when one of them ends otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", type=Path, nargs="*", default=[DEMO_CLIP])
    parser.add_argument("--url", default=Connection.url, help="host:port (default %(default)s)")
    options = parser.parse_args()
    same = True
    with Recogniser(options.url) as recogniser:
        for path in options.films:
            comparison = compare(recogniser, path)
            same = same and comparison.same
            sys.stdout.write(f"{json.dumps(asdict(comparison))}\n")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())

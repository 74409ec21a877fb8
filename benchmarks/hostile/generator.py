"""A storm's requests: a seed and a request's number decide what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.hostile.behind_the_door import BEHIND_THE_DOOR
from benchmarks.hostile.chance import EXTREME_FLOATS, any_of
from benchmarks.hostile.collection import Collection
from benchmarks.hostile.lies import LIES
from benchmarks.hostile.mutations import mutate
from benchmarks.hostile.requests import SENTENCE, Request, Tensor, array, file, strings
from benchmarks.hostile.seeds import Medium, Seed
from clients.contract import (
    LIMITS,
    ROW_TAIL,
    SPEECH_FEATURE,
    SPEECH_ROW,
    VIDEO_FEATURE,
    VIDEO_ROW,
)

#: Every so many requests there is a good one.
GOOD_EVERY = 8
#: The share of the others whose sender gives up early, and when, in seconds.
IMPATIENT = 0.1
EARLY = (0.05, 0.5)
#: The share of requests with media that also bring a good sentence.
WITH_SENTENCE = 0.3
#: The share of odd files that are no media at all.
DISGUISED = 0.2


class Generator:
    """Makes any of a storm's requests."""

    def __init__(self, files: Collection, good: dict[str, Request], seed: int) -> None:
        """Prepare a storm.

        Args:
            files: What requests are made of.
            good: The good requests, by name.
            seed: Another one gives other requests.
        """
        self._files = files
        self._good = good
        self._seed = seed
        self._ways: tuple[tuple[float, Callable[[np.random.Generator], Request]], ...] = (
            (0.40, self._spoilt),
            (0.20, self._odd),
            (0.04, self._many_frames),
            (0.08, self._text),
            (0.08, self._past),
            (0.08, self._lie),
            (0.12, self._direct),
        )

    def request(self, number: int) -> Request:
        """Make a request, the same for the same number."""
        if number % GOOD_EVERY == 0:
            names = sorted(self._good)
            return self._good[names[number // GOOD_EVERY % len(names)]]
        rng = np.random.default_rng((self._seed, number))
        shares, ways = zip(*self._ways, strict=True)
        request = ways[rng.choice(len(ways), p=shares)](rng)
        if rng.random() < IMPATIENT:
            return replace(request, seconds=float(rng.uniform(*EARLY)))
        return request

    def _spoilt(self, rng: np.random.Generator) -> Request:
        """Ask about real media with something wrong."""
        seed = any_of(rng, self._files.good[_medium(rng)])
        other = any_of(rng, self._files.good[_medium(rng)])
        ways, data = mutate(rng, seed.data, other.data)
        return self._about(rng, Seed(f"{seed.name}: {ways}", seed.medium, data))

    def _odd(self, rng: np.random.Generator) -> Request:
        """Ask about a file that was made to do harm."""
        if rng.random() < DISGUISED:
            one = any_of(rng, self._files.disguises)
            return self._about(rng, replace(one, medium=_medium(rng)))
        return self._about(rng, any_of(rng, self._files.odd[_medium(rng)]))

    def _about(self, rng: np.random.Generator, one: Seed) -> Request:
        """Bring a file where its medium belongs, or now and then elsewhere."""
        place = {"film": "VIDEO", "sound": "AUDIO", "picture": "FRAMES"}[one.medium]
        if rng.random() < 0.15:
            place = any_of(rng, ("VIDEO", "AUDIO", "FRAMES"))
        tensors = [self._frames(rng, one.data) if place == "FRAMES" else file(place, one.data)]
        if rng.random() < 0.1:
            other = any_of(rng, self._files.good["sound"]).data
            tensors += [file("AUDIO", other)] if place != "AUDIO" else [file("VIDEO", other)]
        speaks = rng.random() < WITH_SENTENCE
        if speaks:
            tensors.append(strings("TEXT", SENTENCE))
        return Request(f"{place}: {one.name}", tuple(tensors), speaks=speaks)

    def _frames(self, rng: np.random.Generator, data: bytes) -> Tensor:
        """Put a picture among up to four good ones."""
        pictures = [any_of(rng, self._files.good["picture"]).data for _ in range(rng.integers(5))]
        pictures.insert(int(rng.integers(len(pictures) + 1)), data)
        return strings("FRAMES", *pictures)

    def _many_frames(self, rng: np.random.Generator) -> Request:
        """Bring too many frames, empty ones, or a rate that makes no sense."""
        count = int(any_of(rng, (0, 1, 10, 300, 1_800, 1_801, 20_000)))
        one = any_of(rng, (b"", b"x", any_of(rng, self._files.good["picture"]).data))
        frames = strings("FRAMES", *([one] * min(count, 2_000_000 // (len(one) + 4))))
        rate = np.array([any_of(rng, (*EXTREME_FLOATS, 240.0, 241.0, 30.0))], np.float32)
        return Request(f"{count} FRAMES at {rate[0]:g}", (frames, array("FPS", rate)))

    def _text(self, rng: np.random.Generator) -> Request:
        """Bring any bytes as a sentence."""
        size = int(2 ** rng.uniform(0, 14))
        kind, data = any_of(
            rng,
            (
                ("noise", rng.bytes(size)),
                ("a cut sentence", (SENTENCE * 100)[: size % 2_000]),
                ("points of Unicode", _points(rng, size % 1_000)),
                ("one letter", chr(int(rng.integers(0x20, 0xD800))).encode() * size),
                ("marks", ("a" + "\u0301" * (size % 2_000)).encode()),
                ("nulls", bytes(size)),
            ),
        )
        return Request(f"TEXT: {kind}", (strings("TEXT", data),))

    def _past(self, rng: np.random.Generator) -> Request:
        """Bring rows that no earlier answer can have held."""
        name, feature, width, most = any_of(
            rng,
            (
                ("PAST_VIDEO", VIDEO_FEATURE, VIDEO_ROW, LIMITS.crops),
                ("PAST_SPEECH", SPEECH_FEATURE, SPEECH_ROW, LIMITS.windows),
            ),
        )
        rows = rng.normal(0, 1, (int(any_of(rng, (0, 1, 3, most, most + 1))), width))
        rows[:, feature : feature + 7] = rng.dirichlet(np.ones(7), len(rows))
        rows[:, feature + 7 : feature + 10] = 30.0, 0.25, 0.75
        rows[:, feature + 10 :] = 0.5
        tail = range(feature, feature + ROW_TAIL)
        place = int(any_of(rng, (0, width // 2, *tail, feature + ROW_TAIL, width - 1)))
        value = float(any_of(rng, EXTREME_FLOATS))
        where = slice(None) if rng.random() < 0.3 else place
        rows[:, where] = value
        tensors = [array(name, rows.astype(np.float32))]
        if rng.random() < 0.3:
            tensors.append(file("AUDIO", any_of(rng, self._files.good["sound"]).data))
        return Request(f"{name} of {value:g}", tuple(tensors))

    def _lie(self, rng: np.random.Generator) -> Request:
        """Say things of a good request that are not so."""
        parts = (
            strings("TEXT", SENTENCE),
            file("AUDIO", any_of(rng, self._files.good["sound"]).data),
        )
        return any_of(rng, LIES)(rng, Request("", parts))

    def _direct(self, rng: np.random.Generator) -> Request:
        """Ask a model behind the door."""
        media = any_of(rng, self._files.odd[_medium(rng)]).data
        if rng.random() < 0.5:
            seed = any_of(rng, self._files.good[_medium(rng)])
            _, media = mutate(rng, seed.data, seed.data)
        name = any_of(rng, tuple(BEHIND_THE_DOOR))
        model, tensors = BEHIND_THE_DOOR[name](rng, media)
        return Request(f"directly: {name}", tensors, model, outputs=())


def _medium(rng: np.random.Generator) -> Medium:
    return any_of(rng, ("film", "film", "sound", "picture"))


def _points(rng: np.random.Generator, count: int) -> bytes:
    points = rng.integers(0x11_0000, size=count)
    return "".join(chr(point) for point in points.tolist()).encode("utf-8", "surrogatepass")

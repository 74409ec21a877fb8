"""Whether a window holds one person's faces, on films of several people put together.

    python -m benchmarks.people VIDEOS [--code OTHER/model_repository/face_crop/1] [--url HOST:PORT]

VIDEOS is a folder of films of one talking person each. They become tiles of larger films that stand
side by side, cross, leave, return, or are cut from one to another. Whose face a crop is, is known
from where each person's face lies in their tile. Each film is given to `face_crop` as a whole, and
second by second, as the bridge does with a window of five seconds; with --url so to a server too,
whose VIDEO_FEATURES say what was in each window.

A switch is a crop of another person than the one before it. --code measures other code: that of an
older version of this project, say.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.media import OUT
from clients import Context, Media, Recogniser
from clients.contract import MODALITIES

ROOT = Path(__file__).parents[1]
OWN_CODE = ROOT / "model_repository" / "face_crop" / "1"
#: Pictures a second.
RATE = 10
#: A tile's width and height, and a film's.
TILE = (320, 256)
STAGE = (1280, 540)
WINDOW_SECONDS = 5
#: A box that overlaps nobody's face by more, as a part of their union, is nobody's.
LEAST_LIKENESS = 0.3
#: What is seen beside the tiles: fine detail, as older code judges sharpness by all of a picture.
WALL = np.kron(np.random.default_rng(0).integers(64, 128, (135, 320, 3)), np.ones((4, 4, 1)))

#: A tile's left and upper edge in pixels.
Corner = tuple[int, int]
#: Where each tile is at a time in seconds: person to corner, the hindmost first.
Staging = Callable[[float], dict[int, Corner]]


@dataclass(frozen=True)
class Scene:
    """What happens in a film.

    Attributes:
        name: For the report.
        seconds: How long it is.
        staging: Who is where.
    """

    name: str
    seconds: int
    staging: Staging


def side_by_side(count: int) -> Staging:
    """Let people stay where they are."""
    return lambda time: {one: (one * TILE[0], 100) for one in range(count)}


def crossing(period: float, count: int = 2) -> Staging:
    """Let the first walk to and fro before the others, once in a period in seconds."""

    def staging(time: float) -> dict[int, Corner]:
        places = {one: (100 + one * 400, 100) for one in range(1, count)}
        way = (1 - np.cos(2 * np.pi * time / period)) / 2
        return places | {0: (int(way * (STAGE[0] - TILE[0])), 110)}

    return staging


def leaving(begin: float, end: float, other_side: bool = False) -> Staging:
    """Let the first be gone for a while, and come back to the same place or to another."""

    def staging(time: float) -> dict[int, Corner]:
        others = {1: (700, 120)}
        if begin <= time < end:
            return others
        return others | {0: (960 if other_side and time >= end else 200, 60)}

    # The one who stays makes room.
    if other_side:
        return lambda time: {**staging(time), 1: (480, 120)}
    return staging


def cuts(seconds: float, order: Sequence[int]) -> Staging:
    """Cut from one person to the next, all in one place."""
    return lambda time: {order[int(time / seconds) % len(order)]: (480, 100)}


def handing_over(time_of_change: float) -> Staging:
    """Let a second person come in and then the first leave for good."""

    def staging(time: float) -> dict[int, Corner]:
        shown = {0: (200, 100)} if time < time_of_change else {}
        return shown | ({1: (700, 100)} if time >= time_of_change / 2 else {})

    return staging


SCENES = (
    Scene("two side by side", 20, side_by_side(2)),
    Scene("three side by side", 20, side_by_side(3)),
    Scene("four side by side", 20, side_by_side(4)),
    Scene("one crosses slowly", 20, crossing(20)),
    Scene("one crosses fast", 20, crossing(6)),
    Scene("one crosses two", 20, crossing(10, 3)),
    Scene("gone for 2 s", 16, leaving(6, 8)),
    Scene("gone for 6 s", 20, leaving(6, 12)),
    Scene("back elsewhere", 20, leaving(6, 8, other_side=True)),
    Scene("cut every 4 s", 20, cuts(4, (0, 1))),
    Scene("cut every 1.3 s", 20, cuts(1.3, (0, 1, 2))),
    Scene("handed over", 20, handing_over(10)),
)


@dataclass
class Report:
    """What became of films.

    Attributes:
        seconds: Their length in all.
        crops: The crops kept of them.
        switches: Those of another person than the crop before.
        windows: The windows that were looked at.
        mixed: Those that hold more than one person.
    """

    seconds: float = 0.0
    crops: int = 0
    switches: int = 0
    windows: int = 0
    mixed: int = 0

    def add_crops(self, seconds: float, owners: Sequence[int]) -> None:
        """Count the crops of a film, in order."""
        self.seconds += seconds
        self.crops += len(owners)
        self.switches += sum(a != b for a, b in itertools.pairwise(owners))

    def add_window(self, owners: Sequence[int]) -> None:
        """Count a window by whose faces are in it."""
        if len(owners):
            self.windows += 1
            self.mixed += len(set(owners)) > 1

    def line(self) -> str:
        """Write it down."""
        a_minute = 60 * self.switches / self.seconds
        return (
            f"{self.crops} crops, {self.switches} switches ({a_minute:.1f} a minute), "
            f"{self.mixed} of {self.windows} windows mixed"
        )


@dataclass(frozen=True)
class Player:
    """A person of a film.

    Attributes:
        tiles: Their pictures, played to and fro.
        faces: Where their face is in each: `x1, y1, x2, y2` in its pixels.
    """

    tiles: list[np.ndarray]
    faces: list[tuple[float, float, float, float]]

    def turn(self, number: int) -> int:
        """Return which picture is shown as a film's picture of this number."""
        there = number % (2 * len(self.tiles) - 2)
        return min(there, 2 * len(self.tiles) - 2 - there)


class Film:
    """A scene played by some people."""

    def __init__(self, scene: Scene, people: Sequence[Player]) -> None:
        self.scene = scene
        self._people = people
        self.frames = [self._draw(n / RATE, n, people) for n in range(scene.seconds * RATE)]

    def _draw(self, time: float, number: int, people: Sequence[Player]) -> bytes:
        stage = WALL.astype(np.uint8)
        for person, (x, y) in self.scene.staging(time).items():
            tile = people[person].tiles[people[person].turn(number)]
            stage[y : y + TILE[1], x : x + TILE[0]] = tile[:, : STAGE[0] - x]
        quality = [cv2.IMWRITE_JPEG_QUALITY, 92]
        return cv2.imencode(".jpg", stage[..., ::-1], quality)[1].tobytes()

    def owner(self, time: float, box: Sequence[float]) -> int:
        """Say whose face is in a box in pixels at a time in seconds; -1 for nobody's."""
        number = round(time * RATE)
        best, owner = LEAST_LIKENESS, -1
        for person, (x, y) in self.scene.staging(number / RATE).items():
            player = self._people[person]
            left, top, right, bottom = player.faces[player.turn(number)]
            like = likeness(box, (left + x, top + y, right + x, bottom + y))
            if like > best:
                best, owner = like, person
        return owner


def likeness(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the overlap of two boxes as a part of their union."""
    sides = [max(0.0, min(one[n + 2], other[n + 2]) - max(one[n], other[n])) for n in (0, 1)]
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    shared = sides[0] * sides[1]
    return shared / (sum(areas) - shared)


def read_tiles(path: Path) -> list[np.ndarray]:
    """Read a film at `RATE` pictures a second, cut to a tile around its middle."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        step = max(1, round(float(stream.average_rate) / RATE))
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)][::step]
    tiles = []
    for picture in pictures:
        height, width = picture.shape[:2]
        tall = min(height, width * TILE[1] // TILE[0])
        wide = tall * TILE[0] // TILE[1]
        left, top = (width - wide) // 2, (height - tall) // 2
        cut = picture[top : top + tall, left : left + wide]
        tiles.append(cv2.resize(cut, TILE, interpolation=cv2.INTER_AREA))
    return tiles


class FaceCrop:
    """`face_crop` of any version in this process."""

    def __init__(self, code: Path) -> None:
        sys.path.insert(0, str(code))
        import clip_worker
        from mtcnn import Mtcnn

        self._worker = clip_worker
        self._detect = Mtcnn(code).detect
        self.knows_people = hasattr(clip_worker, "open_eyes")
        self._eyes = clip_worker.open_eyes(code) if self.knows_people else self._detect

    def largest_face(self, picture: np.ndarray) -> tuple[float, float, float, float]:
        """Return the box of a picture's largest face."""
        return max(self._detect(picture), key=lambda face: face.side).box

    def crops(self, frames: Sequence[bytes], past: object = None) -> tuple[list, object]:
        """Return a clip's crops and its whole answer."""
        more = {"past": past} if past is not None else {}
        answer = self._worker.answer_clip(None, frames, float(RATE), self._eyes, **more)
        return answer.crops, answer

    def past_after(self, answer: object, past: object, seconds: float) -> object:
        """Return whom a stream is about after a chunk."""
        if not self.knows_people:
            return None
        from tracks import Past

        mains = [one for one in answer.people if one.is_main]
        if mains and answer.crops:
            return Past(mains[0].identity, answer.crops[-1].place, seconds - mains[0].boxes[-1][0])
        if past is None:
            return None
        return Past(past.identity, past.place, past.gap + seconds)


def measure_files(face_crop: FaceCrop, films: Sequence[Film]) -> Report:
    """Give each film as a whole: what is kept of it is one window."""
    report = Report()
    for film in films:
        crops, _ = face_crop.crops(film.frames)
        owners = [film.owner(crop.time, crop.box) for crop in crops]
        report.add_crops(film.scene.seconds, owners)
        report.add_window(owners)
    return report


def measure_streams(face_crop: FaceCrop, films: Sequence[Film]) -> Report:
    """Give each film second by second, with a window of the crops of five more seconds."""
    report = Report()
    for film in films:
        window: deque[list[int]] = deque(maxlen=WINDOW_SECONDS + 1)
        every, past = [], None
        for second in range(film.scene.seconds):
            frames = film.frames[second * RATE : (second + 1) * RATE]
            crops, answer = face_crop.crops(frames, past)
            owners = [film.owner(second + crop.time, crop.box) for crop in crops]
            known = past is not None and any(one.is_past for one in answer.people if one.is_main)
            if face_crop.knows_people and owners and past is not None and not known:
                window.clear()
            window.append(owners)
            past = face_crop.past_after(answer, past, 1.0)
            every += owners
            report.add_window([owner for owners in window for owner in owners])
        report.add_crops(film.scene.seconds, every)
    return report


def measure_server(url: str, films: Sequence[Film]) -> tuple[Report, int]:
    """Let a server recognise each film second by second, with rows; count what its windows held.

    Returns:
        The report, and how many windows began anew.
    """
    report, changes = Report(), 0
    with Recogniser(url) as recogniser:
        for film in films:
            rows: deque[Context] = deque(maxlen=WINDOW_SECONDS)
            owners_of: dict[bytes, int] = {}
            every: list[int] = []
            for second in range(film.scene.seconds):
                past = Context()
                for one in rows:
                    past = past.then(one)
                frames = film.frames[second * RATE : (second + 1) * RATE]
                media = Media(video=frames, fps=float(RATE), text="안녕하세요")
                answer = recogniser.recognise(media, past=past, features=MODALITIES, context=True)
                rows.append(answer.context)
                video = answer.modalities["video"]
                changes += video["person_changed"]
                owners = [
                    film.owner(second + face["time"], face["box"])
                    for face in video.get("faces", ())
                ]
                features = answer.features.get("video", np.zeros((0, 1), np.float32))
                own = features[len(features) - len(owners) :]
                owners_of |= {
                    feature.tobytes(): owner for feature, owner in zip(own, owners, strict=True)
                }
                every += owners
                report.add_window([owners_of[feature.tobytes()] for feature in features])
            report.add_crops(film.scene.seconds, every)
    return report, changes


def cast_of(videos: Path, face_crop: FaceCrop, count: int = 4) -> list[list[Player]]:
    """Read the films of a folder and let each be the first of `count` people once."""
    people = []
    for path in sorted(path for path in videos.iterdir() if path.is_file()):
        tiles = read_tiles(path)
        people.append(Player(tiles, [face_crop.largest_face(tile) for tile in tiles]))
    return [
        [people[(first + n) % len(people)] for n in range(count)] for first in range(len(people))
    ]


def main() -> None:
    """Run the measurement from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", type=Path, help="folder of films of one person each")
    parser.add_argument("--code", type=Path, default=OWN_CODE, help="face_crop's version folder")
    parser.add_argument("--url", help="also ask this server, host:port")
    parser.add_argument("--casts", type=int, default=3, help="how many casts play each scene")
    parser.add_argument("--out", type=Path, default=OUT / "people.json")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    face_crop = FaceCrop(arguments.code)
    casts = cast_of(arguments.videos, face_crop)[: arguments.casts]
    results: dict[str, dict] = {}
    total: dict[str, Report] = {}
    for scene in SCENES:
        films = [Film(scene, cast) for cast in casts]
        reports = {
            "file": measure_files(face_crop, films),
            "stream": measure_streams(face_crop, films),
        }
        if arguments.url:
            reports["server"], changes = measure_server(arguments.url, films)
            sys.stdout.write(f"{scene.name}: {changes} windows of the server began anew\n")
        for way, report in reports.items():
            sys.stdout.write(f"{scene.name}, {way}: {report.line()}\n")
            so_far = total.setdefault(way, Report())
            for name, value in asdict(report).items():
                setattr(so_far, name, getattr(so_far, name) + value)
        results[scene.name] = {way: asdict(report) for way, report in reports.items()}
        sys.stdout.flush()
    for way, report in total.items():
        sys.stdout.write(f"all, {way}: {report.line()}\n")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

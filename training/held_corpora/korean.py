"""KEMDy19 and KEMDy20 of ETRI, and AI-Hub's emotional dialogue speech and multimodal video."""

from __future__ import annotations

import csv
import json
import re
import wave
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from clients.errors import ManifestError
from training.held_corpora.layout import (
    Corpus,
    Row,
    counted,
    emotion_of,
    is_there,
    read_lines,
    read_table,
    votes_cell,
    winner,
)
from training.manifest import relative
from training.splits import sentence_name

#: Marks of noise, breath and repetition in KEMDy's transcripts, e.g. "n/" and "b/".
_MARKS = re.compile(r"\b[a-zA-Z]/|[*+/]")
GENDERS = {"F": "female", "M": "male"}
#: Years that stand for AI-Hub's age groups: a decade's middle.
_DECADE_MIDDLE = 5
#: Pictures a second that are cut out of AI-Hub's films, as many as serving looks at.
PICTURES_A_SECOND = 4
SOUND_RATE = 16_000


def kemdy19(folder: Path, out: Path, left: Counter[str]) -> Iterator[Row]:
    """Read acted dialogues: 40 voice actors in 20 sessions, one woman and one man in each.

    Both tables of a session list the segments of both; each gives those of its own actor.
    """
    for table in sorted(folder.glob("annotation/Session*_[FM]_res.csv")):
        for segment, label in _segments(table):
            session, script, turn = segment.split("_")
            if turn[0] != table.stem.split("_")[1]:
                continue
            place = folder / "wav" / f"Session{session[-2:]}" / f"{session}_{script}"
            # Everybody acts the same scripts; "impro" is improvised.
            told = {"script": f"kemdy19 {script}" if script.startswith("script") else ""}
            row = _spoken(place / segment, label, out, left)
            if row:
                yield row | told | _speaker("kemdy19", f"{session}{turn[0]}", turn[0])


def kemdy20(folder: Path, out: Path, left: Counter[str]) -> Iterator[Row]:
    """Read free talk: 80 people in 40 sessions."""
    for table in sorted(folder.glob("annotation/Sess*_eval.csv")):
        for segment, label in _segments(table):
            session, _, speaker, _ = segment.split("_")
            place = folder / "wav" / f"Session{session[-2:]}"
            row = _spoken(place / segment, label, out, left)
            if row:
                yield row | _speaker("kemdy20", f"{session}{speaker}", speaker[-1])


def _segments(table: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the emotion of each segment; the heading has two rows."""
    heading, *rows = csv.reader(read_lines(table))
    try:
        name, label = (heading.index(column) for column in ("Segment ID", "Total Evaluation"))
    except ValueError as error:
        raise ManifestError(
            f"{table}: expected the columns Segment ID and Total Evaluation: {error}"
        ) from error
    for row in rows:
        if len(row) > max(name, label) and row[name].startswith("Sess"):
            yield row[name], row[label]


def _spoken(stem: Path, label: str, out: Path, left: Counter[str]) -> Row | None:
    """Return the words and the sound of a segment; None if it cannot be used."""
    emotion = winner(counted(label.split(";")), left)
    sound, words = stem.with_suffix(".wav"), stem.with_suffix(".txt")
    if not emotion or not is_there(sound, left):
        return None
    told = " ".join(read_lines(words)) if words.is_file() else ""
    return {
        "text": " ".join(_MARKS.sub(" ", told).split()),
        "speech": relative(sound, out),
        "emotion": emotion,
    }


def _speaker(corpus: str, name: str, letter: str) -> Row:
    return {"person": f"{corpus}-{name}", "gender": GENDERS.get(letter, "")}


def aihub_speech(folder: Path, out: Path, left: Counter[str]) -> Iterator[Row]:
    """Read lines about situations, each with five raters' choices.

    Speakers have no names there, so equal sentences are kept together, but a speaker is not.
    """
    emotions = [f"{rater}번 감정" for rater in range(1, 6)]
    sounds = {file.stem: file for file in folder.rglob("*.wav")}
    for table in sorted(folder.glob("*차년도*.csv")):
        for line in read_table(table, ["wav_id", "발화문", *emotions, "나이", "성별"]):
            votes = counted(line[name] for name in emotions)
            emotion = winner(votes, left)
            sound = sounds.get(line["wav_id"].strip())
            if sound is None:
                left["without a file"] += 1
            if emotion and sound:
                text = line["발화문"].strip()
                yield {
                    "text": text,
                    "speech": relative(sound, out),
                    "person": f"sentence {sentence_name(text)}",
                    "emotion": emotion,
                    "votes": votes_cell(votes),
                    **_age(line["나이"].strip()),
                    "gender": _gender(line["성별"].strip().lower()),
                }


def _age(cell: str) -> Row:
    """Read years, or a decade such as "30대"."""
    digits = re.match(r"\d+", cell)
    if not digits:
        return {}
    years = int(digits[0])
    if "대" not in cell:
        return {"age": years}
    return {"age": years + _DECADE_MIDDLE, "age_group": f"{years}s"}


def _gender(cell: str) -> str:
    return {"남": "male", "남성": "male", "여": "female", "여성": "female"}.get(
        cell, cell if cell in GENDERS.values() else ""
    )


@dataclass(frozen=True, eq=False)
class _Utterance:
    """What a person says in a film, from one frame to another, and where they are seen by frame."""

    person: str
    first: int
    last: int
    words: str
    label: str
    boxes: dict[int, tuple[int, int, int, int]]


def aihub_video(folder: Path, out: Path, left: Counter[str]) -> Iterator[Row]:
    """Cut utterances out of films of several people: words, sound and pictures of the speaker.

    The label is what was judged of all modalities together.
    """
    for listing in sorted(folder.rglob("clip_*.json")):
        film = _film_of(listing)
        if film is None:
            left["films missing"] += 1
            continue
        clip, utterances = _utterances(listing)
        wanted = {one: emotion_of(one.label, left) for one in utterances}
        wanted = {one: emotion for one, emotion in wanted.items() if emotion}
        place = out / "aihub-video" / str(clip)
        _cut(film, list(wanted), place)
        for one, emotion in wanted.items():
            name = f"{one.person}-{one.first}"
            sound, pictures = place / f"{name}.wav", place / name
            yield {
                "text": one.words,
                "speech": relative(sound, out) if sound.is_file() else "",
                "video": relative(pictures, out) if pictures.is_dir() else "",
                # Numbers of people begin anew in each film.
                "person": f"aihub-video-{clip}-{one.person}",
                "emotion": emotion,
            }


def _film_of(listing: Path) -> Path | None:
    """Return the film beside a listing, or of its number in the folder beside its folder."""
    number = listing.stem.removeprefix("clip_")
    beside = [listing.with_suffix(ending) for ending in (".mp4", ".MP4")]
    sample = listing.parent.parent / "원천데이터"
    beside += [sample / f"{number.zfill(4)}{ending}" for ending in (".mp4", ".MP4")]
    return next((file for file in beside if file.is_file()), None)


def _utterances(listing: Path) -> tuple[str, list[_Utterance]]:
    try:
        document = json.loads("\n".join(read_lines(listing)))
        clip, frames = document["clip_id"], document["data"]
        found: dict[tuple[str, int, int], _Utterance] = {}
        for frame, seen in frames.items():
            for one in seen.values():
                _add(found, int(frame), one)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ManifestError(
            f"{listing}: expected clip_id and data by frame and person, with person_id, "
            "text.script, text.script_start, text.script_end and emotion.multimodal.emotion: "
            f"{error!r}"
        ) from error
    return str(clip), list(found.values())


def _add(found: dict, frame: int, one: dict[str, Any]) -> None:
    """Take note of what a frame says of a person; each frame of an utterance tells the same."""
    text = one.get("text")
    if not isinstance(text, dict) or not text.get("script"):
        return
    first, last = int(text["script_start"]), int(text["script_end"])
    key = (str(one["person_id"]), first, last)
    label = one["emotion"]["multimodal"]["emotion"]
    utterance = found.setdefault(key, _Utterance(*key, text["script"].strip(), label, {}))
    utterance.boxes[frame] = tuple(int(float(one[side])) for side in ("xtl", "ytl", "xbr", "ybr"))


def _cut(film: Path, utterances: list[_Utterance], place: Path) -> None:
    """Write each utterance's sound, and pictures of whoever says it."""
    try:
        with av.open(str(film)) as container:
            rate = float(container.streams.video[0].average_rate)
            for number, frame in enumerate(container.decode(video=0)):
                for one in utterances:
                    _write_picture(one, number, frame, round(rate / PICTURES_A_SECOND) or 1, place)
        with av.open(str(film)) as container:
            sound = _sound(container) if container.streams.audio else None
    except (av.FFmpegError, OSError) as error:
        raise ManifestError(f"cannot read {film}: {error}") from error
    for one in utterances if sound is not None else ():
        samples = sound[int(one.first / rate * SOUND_RATE) : int(one.last / rate * SOUND_RATE)]
        _write_sound(place / f"{one.person}-{one.first}.wav", samples)


def _write_picture(
    one: _Utterance, number: int, frame: av.VideoFrame, step: int, place: Path
) -> None:
    if not one.first <= number <= one.last or (number - one.first) % step:
        return
    box = one.boxes.get(number)
    if box is None:
        return
    left, top, right, bottom = (max(0, side) for side in box)
    picture = frame.to_ndarray(format="bgr24")[top:bottom, left:right]
    if picture.size:
        folder = place / f"{one.person}-{one.first}"
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number:06d}.jpg"), picture)


def _sound(container: av.container.InputContainer) -> np.ndarray:
    resampler = av.AudioResampler("s16", "mono", SOUND_RATE)
    frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])


def _write_sound(path: Path, samples: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SOUND_RATE)
        file.writeframes(samples.astype("<i2").tobytes())


CORPORA = (
    Corpus("kemdy19", ("annotation/Session*_[FM]_res.csv", "wav/Session*"), kemdy19),
    Corpus("kemdy20", ("annotation/Sess*_eval.csv", "wav/Session*"), kemdy20),
    Corpus("aihub-speech", ("*차년도*.csv", "**/*.wav"), aihub_speech),
    Corpus("aihub-video", ("라벨데이터/clip_*.json", "원천데이터/*.[mM][pP]4"), aihub_video),
    Corpus("aihub-video", ("**/clip_*/clip_*.json", "**/clip_*/clip_*.[mM][pP]4"), aihub_video),
)

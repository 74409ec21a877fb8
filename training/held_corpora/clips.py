"""MELD, CREMA-D and RAVDESS: films of people who speak English, whose words are left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from clients.errors import ManifestError
from training.held_corpora.layout import Corpus, Row, emotion_of, is_there, read_table
from training.manifest import relative

#: MELD's parts: the folder of films, by the table's name and the split.
MELD = {
    "train": ("train_sent_emo.csv", "train_splits"),
    "dev": ("dev_sent_emo.csv", "dev_splits_complete"),
    "test": ("test_sent_emo.csv", "output_repeated_splits_test"),
}
CREMAD = {
    **{"ANG": "anger", "DIS": "disgust", "FEA": "fear"},
    **{"HAP": "happiness", "NEU": "neutral", "SAD": "sadness"},
}
_CREMAD_NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_[A-Z]{1,2}")
#: RAVDESS's labels by number, from 1.
RAVDESS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


def meld(folder: Path, out: Path, left: Counter[str]) -> Iterator[Row]:
    """Read scenes of a series by the official parts.

    The same actors play in all parts, so a person is known within one part only.
    """
    for split, (table, films) in MELD.items():
        listing, place = next(folder.glob(f"**/{table}")), next(folder.glob(f"**/{films}"))
        columns = ["Speaker", "Emotion", "Dialogue_ID", "Utterance_ID"]
        for line in read_table(listing, columns):
            film = place / f"dia{line['Dialogue_ID']}_utt{line['Utterance_ID']}.mp4"
            emotion = emotion_of(line["Emotion"], left)
            if emotion and is_there(film, left):
                yield _filmed(film, out) | {
                    "person": f"meld-{split}-{line['Speaker'].strip()}",
                    "emotion": emotion,
                    "split": split,
                }


def cremad(folder: Path, out: Path, left: Counter[str]) -> Iterator[Row]:
    """Read 91 actors who say twelve sentences; the emotion is the one that was acted."""
    people = {
        line["ActorID"]: line
        for line in read_table(folder / "VideoDemographics.csv", ["ActorID", "Age", "Sex"])
    }
    for sound in sorted((folder / "AudioWAV").glob("*.wav")):
        told = _CREMAD_NAME.fullmatch(sound.stem)
        if not told or told[3] not in CREMAD or told[1] not in people:
            raise ManifestError(
                f"{sound}: expected a name like 1001_DFA_ANG_XX.wav with an actor of "
                "VideoDemographics.csv"
            )
        film = folder / "VideoFlash" / f"{sound.stem}.flv"
        yield {
            "speech": relative(sound, out),
            "video": relative(film, out) if film.is_file() else "",
            "person": f"cremad-{told[1]}",
            "emotion": CREMAD[told[3]],
            "age": people[told[1]]["Age"],
            "gender": people[told[1]]["Sex"].lower(),
            "script": f"cremad {told[2]}",
        }


def ravdess(folder: Path, out: Path, left: Counter[str]) -> Iterator[Row]:
    """Read the spoken films with sound of 24 actors; odd numbers are men."""
    for film in sorted(folder.glob("Video_Speech_Actor_*/**/*.mp4")):
        codes = film.stem.split("-")
        if len(codes) != 7 or not all(code.isdecimal() for code in codes):
            raise ManifestError(f"{film}: expected a name like 01-01-06-01-02-01-12.mp4")
        kind, channel, label, _, script, _, actor = codes
        if (kind, channel) != ("01", "01"):
            left["without sound, or sung"] += 1
            continue
        emotion = emotion_of(RAVDESS[int(label) - 1], left)
        if emotion:
            yield _filmed(film, out) | {
                # As the audio release is called here: the same actors.
                "person": f"ravdess-{actor}",
                "emotion": emotion,
                "gender": "male" if int(actor) % 2 else "female",
                "script": f"ravdess {script}",
            }


def _filmed(film: Path, out: Path) -> Row:
    """Name a film as what is seen and as what is heard."""
    return {"video": relative(film, out), "speech": relative(film, out)}


CORPORA = (
    Corpus("meld", tuple(f"**/{name}" for part in MELD.values() for name in part), meld),
    Corpus("crema-d", ("AudioWAV/*.wav", "VideoDemographics.csv"), cremad),
    Corpus("ravdess-video", ("Video_Speech_Actor_*/**/*.mp4",), ravdess),
)

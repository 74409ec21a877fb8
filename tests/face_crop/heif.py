"""HEIC files as telephones write them: a grid of HEVC tiles, turned by `irot` and `imir`."""

from __future__ import annotations

import io
import struct

import av
import numpy as np

TILE = 128
#: Kinds of HEVC's units; those below are pictures.
VPS, SPS, PPS = 32, 33, 34


def heic(picture: np.ndarray, turns: int = 0, mirror: int | None = None, exif: int = 1) -> bytes:
    """Encode a picture RGB [height, width, 3] as a grid of tiles.

    Args:
        picture: The picture as the sensor sees it.
        turns: Quarter turns counter-clockwise by which it is to be shown.
        mirror: How it is to be mirrored then: 0 upside down, 1 left to right.
        exif: The orientation in an EXIF note, which readers of HEIC must not follow.
    """
    height, width = picture.shape[:2]
    rows, columns = -(-height // TILE), -(-width // TILE)
    padded = np.pad(
        picture, ((0, rows * TILE - height), (0, columns * TILE - width), (0, 0)), mode="edge"
    )
    tiles = [
        _hevc(padded[y : y + TILE, x : x + TILE])
        for y in range(0, rows * TILE, TILE)
        for x in range(0, columns * TILE, TILE)
    ]
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    note = struct.pack(">I", 0) + b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x112, 3, 1, exif, 0, 0)
    items = [(b"hvc1", data) for _, data in tiles] + [(b"grid", grid), (b"Exif", note)]
    grid_id, note_id = len(tiles) + 1, len(tiles) + 2
    turning = [_box(b"irot", bytes([turns]))] if turns else []
    turning += [] if mirror is None else [_box(b"imir", bytes([mirror]))]
    properties = [tiles[0][0], _ispe(TILE, TILE), _ispe(width, height), *turning]
    shown = [3, *range(4, 4 + len(turning))]
    used = {**{number: [1, 2] for number in range(1, grid_id)}, grid_id: shown}
    return _file(items, grid_id, note_id, properties, used)


def _file(items, grid_id, note_id, properties, used) -> bytes:
    infos = b"".join(
        _full(b"infe", 2, struct.pack(">HH", number, 0) + kind + b"\0")
        for number, (kind, _) in enumerate(items, 1)
    )
    tile_ids = range(1, grid_id)
    references = _box(
        b"dimg", struct.pack(f">HH{len(tile_ids)}H", grid_id, len(tile_ids), *tile_ids)
    ) + _box(b"cdsc", struct.pack(">HHH", note_id, 1, grid_id))
    associations = b"".join(
        struct.pack(">HB", number, len(indexes)) + bytes(0x80 | index for index in indexes)
        for number, indexes in used.items()
    )
    described = _box(
        b"iprp",
        _box(b"ipco", b"".join(properties))
        + _full(b"ipma", 0, struct.pack(">I", len(used)) + associations),
    )

    def meta(start: int) -> bytes:
        places, offset = b"", start
        for number, (_, data) in enumerate(items, 1):
            places += struct.pack(">HHHII", number, 0, 1, offset, len(data))
            offset += len(data)
        return _full(
            b"meta",
            0,
            _full(b"hdlr", 0, bytes(4) + b"pict" + bytes(13))
            + _full(b"pitm", 0, struct.pack(">H", grid_id))
            + _full(b"iloc", 0, struct.pack(">BBH", 0x44, 0, len(items)) + places)
            + _full(b"iinf", 0, struct.pack(">H", len(items)) + infos)
            + _full(b"iref", 0, references)
            + described,
        )

    head = _box(b"ftyp", b"heic" + bytes(4) + b"mif1heic")
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + _box(b"mdat", b"".join(data for _, data in items))


def _hevc(tile: np.ndarray) -> tuple[bytes, bytes]:
    """Encode a tile; return its `hvcC` box and its data."""
    target = io.BytesIO()
    options = {"preset": "ultrafast", "crf": "12", "x265-params": "log-level=none:pools=none"}
    with av.open(target, "w", format="hevc") as output:
        stream = output.add_stream("libx265", rate=1, options=options)
        stream.width, stream.height, stream.pix_fmt = TILE, TILE, "yuv420p"
        output.mux(stream.encode(av.VideoFrame.from_ndarray(tile, format="rgb24")))
        output.mux(stream.encode(None))
    units = [unit.rstrip(b"\0") for unit in target.getvalue().split(b"\0\0\1") if unit.strip(b"\0")]
    by_kind = {_kind(unit): unit for unit in units}
    profile = by_kind[SPS].replace(b"\0\0\3", b"\0\0")[3:15]
    fields = bytes([0xF0, 0, 0xFC, 0xFD, 0xF8, 0xF8, 0, 0, 0x0F, 3])
    sets = b"".join(
        struct.pack(">BHH", 0x80 | kind, 1, len(by_kind[kind])) + by_kind[kind]
        for kind in (VPS, SPS, PPS)
    )
    slices = (unit for unit in units if _kind(unit) < VPS)
    data = b"".join(struct.pack(">I", len(unit)) + unit for unit in slices)
    return _box(b"hvcC", b"\1" + profile + fields + sets), data


def _kind(unit: bytes) -> int:
    return unit[0] >> 1 & 0x3F


def _ispe(width: int, height: int) -> bytes:
    return _full(b"ispe", 0, struct.pack(">II", width, height))


def _full(kind: bytes, version: int, content: bytes) -> bytes:
    return _box(kind, bytes([version, 0, 0, 0]) + content)


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content

"""Pictures that cost more than they weigh, written by hand from their standards."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

#: Samples a pixel by PNG's colour type.
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
#: A progressive scan may skip at most so many blocks at a time.
_LONGEST_SKIP = 32_767
#: The side of the faces in a texture: as small as a face search looks for them in 144 rows.
_TEXTURE_SIDE = 14
#: Where the face is in the demo clip's pictures: left, upper, right and lower edge, as parts.
_FACE = (0.34, 0.15, 0.63, 0.50)


def png(
    width: int,
    height: int,
    rows: Iterable[bytes],
    depth: int = 8,
    colour: int = 2,
    extra: Iterable[tuple[bytes, bytes]] = (),
) -> bytes:
    """Write a PNG file.

    Args:
        width: What its header says.
        height: What its header says.
        rows: Pixels, row by row; as many as there are, whatever the header says.
        depth: Bits a sample.
        colour: PNG's colour type.
        extra: More chunks before the pixels: name and content.
    """
    header = struct.pack(
        ">IIBBBBB", width & 0xFFFF_FFFF, height & 0xFFFF_FFFF, depth, colour, 0, 0, 0
    )
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b"\0" + row) for row in rows) + packer.flush()
    chunks = [(b"IHDR", header), *extra, (b"IDAT", packed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(itertools.starmap(_png_chunk, chunks))


def plain_png(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    """Write a black PNG of any size: a thousandth of what it is when decoded, or less."""
    row = bytes((width * depth * _PNG_SAMPLES[colour] + 7) // 8)
    return png(width, height, itertools.repeat(row, height), depth, colour)


def png_of_declared_size(width: int, height: int) -> bytes:
    """Write a PNG whose header promises pixels that are not there."""
    return png(width, height, [bytes(3)])


def png_with_text_bomb(megabytes: int = 200) -> bytes:
    """Write a small PNG with a comment and a colour profile that unpack to megabytes."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    packed = b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()
    extra = [(b"zTXt", b"note\0\0" + packed), (b"iCCP", b"profile\0\0" + packed)]
    return png(8, 8, [bytes(24)] * 8, extra=extra)


def textured_png(picture: np.ndarray, width: int, height: int = 144) -> bytes:
    """Tile a picture with tiny faces, in which a face search finds candidates everywhere.

    Args:
        picture: RGB [h, w, 3], a picture of the demo clip.
        width: Of the texture in pixels.
        height: Of the texture in pixels.
    """
    tile = np.asarray(_face(picture).resize((_TEXTURE_SIDE, _TEXTURE_SIDE), Image.Resampling.BOX))
    across = np.tile(tile, (1, -(-width // _TEXTURE_SIDE), 1))[:, :width]
    rows = [row.tobytes() for row in across]
    return png(width, height, itertools.islice(itertools.cycle(rows), height))


def jpeg_of_scans(scans: int, width: int = 480, height: int = 360) -> bytes:
    """Write a grey progressive JPEG (ITU-T T.81) whose scans say that nothing changes.

    Args:
        scans: How many follow the first; each takes a decoder as long as the whole picture.
        width: In pixels.
        height: In pixels.
    """
    blocks = -(-width // 8) * -(-height // 8)
    frame = struct.pack(">BHHB", 8, height, width, 1) + bytes((1, 0x11, 0))
    # One code of one bit for the means: the difference to the block before is 0.
    means = bytes((0x00, 1, *([0] * 15), 0))
    # Fifteen codes of four bits: 2**n blocks end, plus what the next n bits say.
    skips = bytes((0x10, 0, 0, 0, 15, *([0] * 12), *(n << 4 for n in range(15))))
    head = (
        b"\xff\xd8"
        + _jpeg_segment(0xDB, bytes((0, *([1] * 64))))
        + _jpeg_segment(0xC2, frame)
        + _jpeg_segment(0xC4, means)
        + _jpeg_segment(0xC4, skips)
        + _jpeg_segment(0xDA, bytes((1, 1, 0x00, 0, 0, 0)))
        + _jpeg_bits("0" * blocks)
    )
    scan = _jpeg_segment(0xDA, bytes((1, 1, 0x00, 1, 63, 0))) + _jpeg_bits("".join(_skips(blocks)))
    return head + scan * scans + b"\xff\xd9"


def jpeg_of_declared_size(width: int, height: int) -> bytes:
    """Write a baseline JPEG that ends after its header."""
    frame = struct.pack(">BHHB", 8, height, width, 3)
    frame += bytes((1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0))
    return b"\xff\xd8" + _jpeg_segment(0xDB, bytes((0, *([1] * 64)))) + _jpeg_segment(0xC0, frame)


def jpeg_with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Put an Exif block behind a JPEG's first marker: its orientation, and a loop of folders."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation & 0xFFFF, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 8)
    return jpeg[:2] + _jpeg_segment(0xE1, exif) + jpeg[2:]


def plain_webp(width: int, height: int) -> bytes:
    """Write a lossless WebP of one colour in 40 bytes, whatever its size up to 16384."""
    bits = _bits(((0x2F, 8), (width - 1, 14), (height - 1, 14), (0, 1), (0, 3)))
    bits += "000"  # no transform, no colour cache, one set of codes
    bits += "".join(_bits(((1, 1), (0, 1), (0, 1), (0, 1))) for _ in range(5))  # one symbol each
    body = _little_endian(bits)
    body += bytes(len(body) % 2)
    chunk = b"VP8L" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def gif_of_canvas(width: int, height: int, frames: int = 2) -> bytes:
    """Write a GIF of single pixels on a canvas of any size up to 65535."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    image = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return screen + (b"\x21\xf9\x04\x00\x0a\x00\x00\x00" + image) * frames + b"\x3b"


def bmp_of_declared_size(width: int, height: int, compression: int = 1) -> bytes:
    """Write a BMP of 8 bits whose run-length code ends at once."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, compression, 0, 0, 0, 256, 0)
    body = bytes(1024) + b"\0\1"
    return b"BM" + struct.pack("<IHHI", 14 + 40 + len(body), 0, 0, 14 + 40 + 1024) + head + body


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def _face(picture: np.ndarray) -> Image.Image:
    height, width = picture.shape[:2]
    sides = (width, height, width, height)
    edges = (round(part * side) for part, side in zip(_FACE, sides, strict=True))
    return Image.fromarray(picture).crop(tuple(edges))


def _skips(blocks: int) -> Iterator[str]:
    """Yield codes that together skip so many blocks."""
    while blocks:
        run = min(blocks, _LONGEST_SKIP)
        power = run.bit_length() - 1
        yield format(power, "04b") + (format(run - (1 << power), f"0{power}b") if power else "")
        blocks -= run


def _jpeg_segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def _jpeg_bits(bits: str) -> bytes:
    """Pack bits, the first highest; ones fill the last byte, and a zero follows each 255."""
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")


def _bits(fields: Iterable[tuple[int, int]]) -> str:
    """Write (value, width) fields, lowest bit first."""
    return "".join(format(value, f"0{width}b")[::-1] for value, width in fields)


def _little_endian(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return int(bits[::-1], 2).to_bytes(len(bits) // 8, "little")

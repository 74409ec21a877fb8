"""Still pictures: formats, depths, orientation, and the size at which they are decoded."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from stills import animation, is_animation, open_picture_film, open_still, upright_still

from tests.face_crop.heif import heic
from tests.face_crop.scenes import jpeg, person

#: What each EXIF orientation does to a picture that is upright, so that it is upright again when
#: it is shown: the inverse of turning it.
HELD = {
    1: lambda p: p,
    2: np.fliplr,
    3: lambda p: np.rot90(p, 2),
    4: np.flipud,
    5: lambda p: np.swapaxes(p, 0, 1),
    6: np.rot90,
    7: lambda p: np.rot90(np.swapaxes(p, 0, 1), 2),
    8: lambda p: np.rot90(p, -1),
}


def encoded(picture: np.ndarray | Image.Image, kind: str, **options) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def decoded(data: bytes, divisor: int = 1) -> np.ndarray:
    with open_still(data) as image:
        return upright_still(image, divisor)


def differ(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", HELD)
def test_a_photograph_is_turned_and_mirrored_as_its_note_says(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    held = np.ascontiguousarray(HELD[orientation](person()))
    assert differ(decoded(encoded(held, kind, exif=exif)), person()) < 8


@pytest.mark.parametrize(
    ("turns", "mirror", "exif"),
    [(0, None, 6), (1, None, 8), (2, None, 3), (3, None, 6), (0, 0, 4), (0, 1, 2), (1, 1, 5)],
)
def test_a_heic_of_tiles_is_turned_once(turns, mirror, exif):
    """Telephones note the orientation a second time, in EXIF."""
    shown = np.rot90(person(), turns)
    if mirror is not None:
        shown = np.flip(shown, mirror)
    assert differ(decoded(heic(person(), turns, mirror, exif)), shown) < 8


@pytest.mark.parametrize("divisor", [1, 2, 4])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"])
def test_a_picture_is_decoded_at_the_size_that_is_needed(kind, divisor):
    """In whatever way that is reached, it is the same picture."""
    smaller = np.asarray(Image.fromarray(person()).reduce(divisor))
    assert differ(decoded(encoded(person(), kind), divisor), smaller) < 12


def test_odd_sides_are_divided_alike_in_all_formats():
    picture = person()[:237, :319]
    assert decoded(encoded(picture, "PNG"), 4).shape == decoded(jpeg(picture), 4).shape


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_of_grey_are_scaled_and_not_cut_off(kind):
    grey = np.asarray(Image.fromarray(person()).convert("L"))
    data = encoded(Image.fromarray(grey.astype(np.uint16) * 257), kind)
    assert differ(decoded(data), np.dstack([grey] * 3)) <= 1


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_values_without_a_range_are_stretched_to_all_of_it(dtype):
    grey = np.linspace(-3_000, 90_000, 600).reshape(20, 30).astype(dtype)
    pixels = decoded(encoded(Image.fromarray(grey), "TIFF"))
    assert pixels.min() == 0 and pixels.max() >= 254 and pixels.shape == (20, 30, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_every_kind_of_colour_shows_the_same_picture(mode):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    image = Image.fromarray(person()).convert("L").convert("RGB").convert(mode)
    assert differ(decoded(encoded(image, kind)), np.asarray(image.convert("RGB"))) == 0


def test_a_palette_with_transparency_shows_its_colours():
    image = Image.fromarray(person()).convert("P")
    data = encoded(image, "PNG", transparency=bytes(range(256)))
    assert differ(decoded(data), np.asarray(image.convert("RGB"))) == 0


def test_a_damaged_note_beside_a_picture_is_passed_over():
    data = encoded(person(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    assert decoded(data).shape == person().shape


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_an_animations_pictures_have_their_times(kind):
    pictures = [Image.fromarray(person(x)) for x in (20, 60, 100)]
    data = encoded(
        pictures[0], kind, save_all=True, append_images=pictures[1:], duration=[100, 250, 100]
    )
    film = open_picture_film(data)
    assert is_animation(film)
    shown = list(animation(film))
    assert [float(time) for time, _ in shown] == [0, 0.1, 0.35]
    for (_, pixels), picture in zip(shown, pictures, strict=True):
        assert differ(pixels, np.asarray(picture)) < 12


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_animations_that_ffmpeg_reads_are_left_to_it(kind):
    more = [Image.fromarray(person(x)) for x in (60, 100)]
    assert open_picture_film(encoded(person(), kind, save_all=True, append_images=more)) is None


def test_a_film_of_nothing_but_jpegs_is_left_to_ffmpeg():
    assert open_picture_film(jpeg(person()) * 3) is None
    assert open_picture_film(jpeg(person())) is not None

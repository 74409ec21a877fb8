"""Pictures and sound that a program holds as arrays, encoded as the server takes them."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from PIL import Image

from clients.errors import MediaTypeError
from clients.resampling import MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE

#: The longer side of a picture that is sent, in pixels; the server shrinks to it by itself.
LONGER_SIDE = 640
#: Artefacts of JPEG are invisible to the networks from here on.
JPEG_QUALITY = 92
#: Floats may exceed full scale, as filters let them; far beyond it they are on another scale.
LARGEST_FLOAT = 4.0
#: What a sample of each type is divided by to be within -1 to 1.
_FULL_SCALE = {"float32": 1, "float64": 1, "float16": 1, "int16": 1 << 15, "int32": 1 << 31}


@dataclass(frozen=True, eq=False)
class Samples:
    """Sound as numbers.

    Attributes:
        array: [samples] or [samples, channels]: floats from -1 to 1, int16 or int32. Floats beyond
            are clipped, and beyond 4 refused: they are on another scale.
        rate: Samples a second.
    """

    array: np.ndarray
    rate: int

    def __post_init__(self) -> None:
        """Check what came.

        Raises:
            MediaTypeError: It is no such array, or not at a rate or scale that sound has.
        """
        array, rate = self.array, self.rate
        expected = "audio: expected samples [n] or [n, channels], floats or int16 or int32"
        if not isinstance(array, np.ndarray):
            raise MediaTypeError(f"{expected}, came {type(array).__name__}")
        shape = list(array.shape)
        if array.dtype.name not in _FULL_SCALE or array.ndim not in (1, 2) or not array.size:
            raise MediaTypeError(f"{expected}, came {array.dtype.name} {shape}")
        if array.ndim == 2 and array.shape[1] > MAX_CHANNELS:
            raise MediaTypeError(f"{expected}, at most {MAX_CHANNELS} channels, came {shape}")
        if not is_number(rate) or not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE or rate % 1:
            raise MediaTypeError(
                f"audio: expected a whole rate from {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} samples "
                f"a second, came {rate!r}"
            )
        if not np.isfinite(array).all():
            raise MediaTypeError("audio: expected finite samples, came NaN or infinity")
        if array.dtype.kind == "f" and (peak := max(array.max(), -array.min())) > LARGEST_FLOAT:
            raise MediaTypeError(
                f"audio: expected floats from -1 to 1, or at most {LARGEST_FLOAT:g} where they "
                f"overshoot, came {array.dtype.name} up to {peak:g}: divide by full scale, 32768 "
                "for what was int16"
            )

    def encoded(self) -> bytes:
        """Return them as a WAV file of 16 bits."""
        samples = self.array.reshape(len(self.array), -1)
        if samples.dtype != np.int16:
            scaled = samples * (32768 / _FULL_SCALE[samples.dtype.name])
            samples = np.clip(np.rint(scaled), -32768, 32767).astype(np.int16)
        return encode_wav(samples, int(self.rate))


class Pictures(Sequence[bytes]):
    """Pictures as JPEG files, each encoded when it is asked for."""

    def __init__(self, array: np.ndarray) -> None:
        """Check what came.

        Args:
            array: RGB, uint8 [T, H, W, 3].

        Raises:
            MediaTypeError: It is no such array.
        """
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[-1] != 3 or not array.size:
            raise MediaTypeError(
                "video: expected RGB pictures uint8 [T, H, W, 3], "
                f"came {array.dtype.name} {list(array.shape)}"
            )
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> Pictures: ...

    def __getitem__(self, index: int | slice) -> bytes | Pictures:
        if isinstance(index, slice):
            return Pictures(self._array[index])
        return encode_picture(self._array[index])


def is_number(value: object) -> bool:
    """Tell whether something is a real number, Python's or NumPy's; a truth value is none."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def encode_picture(picture: np.ndarray) -> bytes:
    """Encode a picture as JPEG, shrunk to at most `LONGER_SIDE`.

    Args:
        picture: RGB, uint8 [H, W, 3].
    """
    image = Image.fromarray(np.ascontiguousarray(picture))
    if (longer := max(image.size)) > LONGER_SIDE:
        size = (max(1, round(side * LONGER_SIDE / longer)) for side in image.size)
        image = image.resize(tuple(size), Image.Resampling.BOX)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def encode_wav(samples: np.ndarray, rate: int) -> bytes:
    """Encode int16 [samples, channels] as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(samples.shape[1])
        sound.setsampwidth(samples.itemsize)
        sound.setframerate(rate)
        sound.writeframes(samples.tobytes())
    return file.getvalue()

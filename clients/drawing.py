"""A picture of an answer: the faces that were looked at and what each modality says."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from clients.containers import picture_stream
from clients.contract import AGE_CODE, EMOTION_CODES, GENDER_CODES, MODALITIES
from clients.media import Media, read
from clients.orientation import FrameConverter
from clients.protocol import Faces, Recognition
from clients.recordings import decode, open_recording
from clients.stills import (
    STILL_ERRORS,
    animation,
    is_animation,
    open_picture_film,
    open_still,
    upright_still,
)

PAPER, INK, FAINT, TRACK = "#ffffff", "#1f2430", "#6b7280", "#eceff4"
BAR, TOP_BAR, BOX, OTHER_BOX = "#9db4d3", "#2f6db5", "#ffb000", "#8a5cd6"
#: Seconds within which a box of somebody else is drawn on a picture.
NEAR = 0.3

MARGIN = 32
PANEL_WIDTH = 290
PANEL_GAP = 24
WIDTH = 2 * MARGIN + 4 * PANEL_WIDTH + 3 * PANEL_GAP
PICTURES, PICTURE_HEIGHT = 4, 218
CROPS, CROP_SIZE = 8, 135
ROW_HEIGHT, BAR_HEIGHT, LABEL_WIDTH, VALUE_WIDTH = 30, 16, 92, 48


def draw(recognition: Recognition, media: Media, faces: Faces | None) -> Image.Image:
    """Draw an answer.

    Args:
        recognition: The answer.
        media: The recording, for its pictures.
        faces: The faces in it, of a long one those in its first part; None when there is no video.

    Returns:
        An RGB picture: a summary; pictures with the box of the face, and in another colour those of
        other people's; the crops as the networks see them; bars of the seven probabilities, fused
        and by modality.
    """
    sheet = _Sheet()
    _draw_summary(sheet, recognition)
    if faces is not None and len(faces.times):
        _draw_faces(sheet, recognition, media, faces)
    _draw_panels(sheet, recognition)
    return sheet.cropped()


class _Sheet:
    """A page that is filled from top to bottom."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH, 1200), PAPER)
        self.pen = ImageDraw.Draw(self.image)
        self.top = MARGIN

    def text(
        self, left: float, top: float, text: str, size: int, colour: str = INK, anchor: str = "la"
    ) -> None:
        self.pen.text((left, top), text, colour, ImageFont.load_default(size), anchor)

    def cropped(self) -> Image.Image:
        return self.image.crop((0, 0, WIDTH, self.top + MARGIN))


def _draw_summary(sheet: _Sheet, recognition: Recognition) -> None:
    sheet.text(MARGIN, sheet.top, recognition.named, 34)
    described = _person(recognition.result)
    if recognition.conflict:
        described += f"; conflict {recognition.conflict:.2f}"
    if (people := recognition.people_seen) > 1:
        described += f"; the main person of {people}"
    sheet.text(MARGIN, sheet.top + 48, described, 18, FAINT)
    sheet.top += 92


def _person(result: dict[str, float]) -> str:
    if AGE_CODE not in result:
        return "age and gender unknown"
    genders = ", ".join(f"{name} {result[code]:.2f}" for code, name in GENDER_CODES.items())
    return f"age {result[AGE_CODE]:.1f}, {genders}"


def _draw_faces(sheet: _Sheet, recognition: Recognition, media: Media, faces: Faces) -> None:
    shown = _evenly(len(faces.times), PICTURES)
    pictures = _pictures_at(media, [float(faces.times[row]) for row in shown])
    for column, (row, picture) in enumerate(zip(shown, pictures, strict=False)):
        line_width = max(2, round(picture.height / 120))
        pen = ImageDraw.Draw(picture)
        for other in _other_boxes(recognition, float(faces.times[row])):
            pen.rectangle(_whole(other), outline=OTHER_BOX, width=line_width)
        pen.rectangle(_whole(faces.boxes[row]), outline=BOX, width=line_width)
        picture.thumbnail((PANEL_WIDTH, PICTURE_HEIGHT), Image.Resampling.LANCZOS)
        left = MARGIN + column * (PANEL_WIDTH + PANEL_GAP)
        sheet.image.paste(picture, (left, sheet.top))
        caption = f"{faces.times[row]:.2f} s"
        sheet.text(left, sheet.top + PICTURE_HEIGHT + 6, caption, 14, FAINT)
    sheet.top += PICTURE_HEIGHT + 36
    step = (WIDTH - 2 * MARGIN - CROP_SIZE) / (CROPS - 1)
    for column, row in enumerate(_evenly(len(faces.times), CROPS)):
        crop = Image.fromarray(faces.crops[row]).resize((CROP_SIZE, CROP_SIZE))
        sheet.image.paste(crop, (MARGIN + round(column * step), sheet.top))
    caption = f"{len(faces.times)} crops{_part(recognition)}"
    sheet.text(MARGIN, sheet.top + CROP_SIZE + 6, caption, 14, FAINT)
    sheet.top += CROP_SIZE + 48


def _part(recognition: Recognition) -> str:
    """Say which part of a long recording is shown: faces are those of its first."""
    begins = recognition.modalities.get("video", {}).get("parts", ())
    if len(begins) < 2:
        return ""
    return f" of the first {begins[1] - begins[0]:.0f} s; {len(begins)} parts in all"


def _whole(box: Sequence[float]) -> list[int]:
    return [round(float(edge)) for edge in box]


def _other_boxes(recognition: Recognition, time: float) -> Iterator[Sequence[float]]:
    """Yield where the others are at a time: the box that is nearest to it, if it is near."""
    for person in recognition.people:
        if not person.main and person.boxes:
            at, box = min(person.boxes, key=lambda one: abs(one[0] - time))
            if abs(at - time) <= NEAR:
                yield box


def _evenly(count: int, most: int) -> list[int]:
    return np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()


def _pictures_at(media: Media, times: Sequence[float]) -> Iterator[Image.Image]:
    """Yield the pictures nearest to some rising times, in seconds from the first picture."""
    pictures = _frame_pictures(media) if media.film is None else _film_pictures(media.film)
    wanted = iter(times)
    time = next(wanted, None)
    previous = None
    for shown_at, picture in pictures:
        while time is not None and shown_at >= time:
            nearer_before = previous is not None and time - previous[0] < shown_at - time
            yield Image.fromarray(previous[1] if nearer_before else picture)
            time = next(wanted, None)
        if time is None:
            return
        previous = (shown_at, picture)
    if previous is not None:
        yield Image.fromarray(previous[1])


def _film_pictures(film: bytes | Path) -> Iterator[tuple[float, np.ndarray]]:
    """Decode a film as the server does, since boxes are in pixels of that picture."""
    image = open_picture_film(film if isinstance(film, bytes) else film.read_bytes())
    if image is None:
        yield from _container_pictures(film)
        return
    with image, contextlib.suppress(*STILL_ERRORS):
        if is_animation(image):
            yield from ((float(time), pixels) for time, pixels in animation(image))
        else:
            yield 0.0, upright_still(image)


def _container_pictures(film: bytes | Path) -> Iterator[tuple[float, np.ndarray]]:
    with open_recording(film) as container:
        stream = picture_stream(container)
        converter = FrameConverter(stream.sample_aspect_ratio)
        first = None
        for frame in decode(container, stream):
            if frame.time is not None:
                first = frame.time if first is None else first
                yield frame.time - first, converter.upright(frame)


def _frame_pictures(media: Media) -> Iterator[tuple[float, np.ndarray]]:
    for index, source in enumerate(media.frames()):
        data = read(source, "video")
        with contextlib.suppress(*STILL_ERRORS), open_still(data) as image:
            yield index / media.fps, upright_still(image)  # the server, too, skips what is damaged


def _draw_panels(sheet: _Sheet, recognition: Recognition) -> None:
    panels: list[tuple[str, dict[str, Any]]] = [("all together", {"result": recognition.result})]
    for name in MODALITIES:
        panels.append((name, recognition.modalities.get(name, {})))
    for column, (title, report) in enumerate(panels):
        left = MARGIN + column * (PANEL_WIDTH + PANEL_GAP)
        weight = recognition.weights.get(title)
        sheet.text(left, sheet.top, title, 22)
        if weight is not None:
            sheet.text(left + PANEL_WIDTH, sheet.top + 6, f"weight {weight:.2f}", 15, FAINT, "ra")
        if "result" in report:
            _draw_bars(sheet, left, sheet.top + 44, report["result"])
        else:
            message = report.get("message", "not in the request")
            wrapped = "\n".join(textwrap.wrap(message, 36))
            sheet.text(left, sheet.top + 48, wrapped, 15, FAINT)
    sheet.top += 44 + (len(EMOTION_CODES) + 1) * ROW_HEIGHT


def _draw_bars(sheet: _Sheet, left: int, top: int, result: dict[str, float]) -> None:
    track = PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH
    most_probable = max(EMOTION_CODES, key=result.__getitem__)
    for row, (code, name) in enumerate(EMOTION_CODES.items()):
        y, start = top + row * ROW_HEIGHT, left + LABEL_WIDTH
        colour = TOP_BAR if code == most_probable else BAR
        sheet.text(left, y + BAR_HEIGHT / 2, name, 15, anchor="lm")
        sheet.pen.rectangle((start, y, start + track, y + BAR_HEIGHT), TRACK)
        sheet.pen.rectangle((start, y, start + track * result[code], y + BAR_HEIGHT), colour)
        value = f"{result[code]:.2f}"
        sheet.text(left + PANEL_WIDTH, y + BAR_HEIGHT / 2, value, 15, anchor="rm")
    if AGE_CODE in result:
        y = top + len(EMOTION_CODES) * ROW_HEIGHT
        sheet.text(left, y, _person(result), 15, FAINT)

"""Whose faces a video is made of: a window never holds two people's.

Everything here is numpy and knows no server.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from contract import AGE_YEARS, IDENTITY, PAST_PERSON, PLACE, VIDEO_ROW
from evidence import Evidence, with_past

#: Rows of a stream's window whose identities are nearer than this are one person's: farther than a
#: person's own drift from chunk to chunk, nearer than two people are.
SAME_PERSON = 0.43


def past_person(past: np.ndarray, gap: float) -> np.ndarray | None:
    """Return whom the earlier chunks were about, as `face_crop` takes it.

    Args:
        past: float32 [n, VIDEO_ROW], the newest last.
        gap: Seconds from that person's last sighting to the beginning of this chunk.

    Returns:
        float32 [133]: identity, place, gap; None if no row says whose it is.
    """
    known = past[_is_known(past)]
    if not len(known):
        return None
    place, identity = np.split(known[-1, VIDEO_ROW - PLACE - IDENTITY :], [PLACE])
    person = np.concatenate([identity, place, [gap]]).astype(np.float32)
    assert len(person) == PAST_PERSON
    return person


def with_past_faces(video: Evidence, past: np.ndarray) -> Evidence:
    """Put the rows of earlier chunks before a chunk's own, as far as they are the same person's.

    Rows that do not say whose they are go with whoever the newest are about. Where this chunk is
    about somebody else the window begins anew.
    """
    if video.person_changed:
        return video
    return with_past(video, of_one_person(past))


def of_one_person(past: np.ndarray) -> np.ndarray:
    """Leave out the rows [n, VIDEO_ROW] of others than whom the newest known one is about."""
    known = _is_known(past)
    if not known.any():
        return past
    identities = _identities(past)
    newest = identities[known][-1]
    return past[~known | (np.linalg.norm(identities - newest, axis=1) < SAME_PERSON)]


def with_people(video: Evidence, outputs: dict[str, np.ndarray]) -> Evidence:
    """Add who was seen, and what the networks say of the others.

    Args:
        video: The evidence of the main person.
        outputs: Of `face_crop`, and where it saw others, OTHER_EMOTION [m, 7], OTHER_AGE [m, 1]
            and OTHER_GENDER [m, 2] of its OTHER_CROPS.
    """
    if "PEOPLE" not in outputs:
        return video
    told = json.loads(outputs["PEOPLE"][0])
    details = video.details | {
        "people": told["people"],
        "people_seen": told["people_seen"],
        "person_changed": bool(told["person_changed"]),
    }
    return replace(video, details=details, others=_others(outputs))


def _others(outputs: dict[str, np.ndarray]) -> dict[int, tuple[np.ndarray, ...]]:
    """Average what is said of each other person: posterior [7], age [1], [male, female]."""
    if not outputs["OTHER_COUNT"][0] or "OTHER_EMOTION" not in outputs:
        return {}
    owners = outputs["OTHER_PERSON"]
    age = np.clip(outputs["OTHER_AGE"], *AGE_YEARS)
    parts = (outputs["OTHER_EMOTION"], age, outputs["OTHER_GENDER"])
    return {
        int(owner): tuple(part[owners == owner].mean(axis=0) for part in parts)
        for owner in np.unique(owners)
    }


def _identities(rows: np.ndarray) -> np.ndarray:
    return rows[:, VIDEO_ROW - IDENTITY :]


def _is_known(rows: np.ndarray) -> np.ndarray:
    return _identities(rows).any(axis=1)

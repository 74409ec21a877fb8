"""The JSON result: the original's flat dictionary, each modality's own, and the weights."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
from age_interval import read_intervals
from contract import (
    AGE_BAND_CODES,
    AGE_CODE,
    AGE_HIGH_CODE,
    AGE_LOW_CODE,
    EMOTION_CODES,
    GENDER_CODES,
    MODALITIES,
    SCHEMA,
)
from decision import conflict, read_decision
from evidence import Evidence
from refusals import NotFiniteError

#: The original rounds every figure so.
DECIMALS = 4

_INTERVALS = read_intervals()
_DECISION = read_decision()


def result_json(
    evidence: dict[str, Evidence],
    emotion: np.ndarray,
    age: np.ndarray,
    gender: np.ndarray,
    weights: np.ndarray,
) -> str:
    """Write the result of one request.

    Args:
        evidence: Every modality's, by name.
        emotion: Fused posterior [7] in code order.
        age: Fused age in years [1].
        gender: Fused [male, female].
        weights: How much text, speech and video counted, [3].

    Returns:
        JSON. Age and gender are left out when neither face nor voice could be used: text alone
        says nothing of them. `undecided` is null where nobody measured how these networks err.

    Raises:
        NotFiniteError: A figure is not finite, and so nothing that JSON can hold.
    """
    seen_or_heard = evidence["speech"].count or evidence["video"].count
    confidence = float(emotion.max())
    document = {
        "schema": SCHEMA,
        "result": _codes(emotion, age if seen_or_heard else None, gender),
        "modalities": {
            name: _modality(evidence[name]) for name in MODALITIES if evidence[name].present
        },
        "weights": {
            name: round(float(weight), DECIMALS)
            for name, weight in zip(MODALITIES, weights, strict=True)
        },
        "confidence": round(confidence, DECIMALS),
        "conflict": round(_conflict(evidence.values()), DECIMALS),
        "undecided": None if _DECISION is None else confidence < _DECISION.confidence,
    }
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise NotFiniteError(
            "not finite", "recognize failed: the networks gave a figure that is not finite"
        ) from None


def _modality(evidence: Evidence) -> dict:
    entry = {
        "error_code": evidence.error_code,
        "message": evidence.message,
        "message_ko": evidence.message_ko,
        "count": evidence.count,
    }
    if evidence.count:
        entry["result"] = _result(evidence)
    return entry | evidence.details | _people(evidence, entry.get("result"))


def _result(evidence: Evidence) -> dict[str, float]:
    """Give a modality's own codes: the means of its rows, each as much as it counts."""
    emotion = _posterior(evidence)
    if evidence.modality == "text":
        return _codes(emotion, None, evidence.gender)
    age, gender = (_mean(rows, evidence.weights) for rows in (evidence.age, evidence.gender))
    codes = _person_codes(evidence.modality, emotion, age, gender)
    return codes | (_age_band(float(age[0])) if evidence.modality == "speech" else {})


def _conflict(evidence: Iterable[Evidence]) -> float:
    return conflict([_posterior(one) for one in evidence if one.count])


def _posterior(evidence: Evidence) -> np.ndarray:
    return _mean(evidence.emotion.reshape(-1, len(EMOTION_CODES)), evidence.weights)


def _mean(rows: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    return np.average(rows, axis=0, weights=weights)


def _person_codes(
    modality: str, emotion: np.ndarray, age: np.ndarray, gender: np.ndarray
) -> dict[str, float]:
    """Write what one source says of a person; around the age stands what it may be off."""
    codes = _codes(emotion, age, gender)
    if modality not in _INTERVALS:
        return codes
    bounds = _INTERVALS[modality].around(float(age[0]))
    return codes | _rounded((AGE_LOW_CODE, AGE_HIGH_CODE), bounds)


def _people(evidence: Evidence, own: dict[str, float] | None) -> dict:
    """Add to each of a video's people what is known of them; of the main one, the video's own."""
    if "people" not in evidence.details:
        return {}
    results = {
        number: _person_codes("video", *figures) for number, figures in evidence.others.items()
    }
    people = []
    for person in evidence.details["people"]:
        result = own if person["main"] else results.get(person["id"])
        people.append(person | ({"result": result} if result else {}))
    return {"people": people}


def _codes(emotion: np.ndarray, age: np.ndarray | None, gender: np.ndarray) -> dict[str, float]:
    codes = _rounded(EMOTION_CODES, emotion)
    if age is None:
        return codes
    return codes | {AGE_CODE: round(float(age[0]), DECIMALS)} | _rounded(GENDER_CODES, gender)


def _rounded(codes: Iterable[str], values: Iterable[float]) -> dict[str, float]:
    return {code: round(float(value), DECIMALS) for code, value in zip(codes, values, strict=True)}


def _age_band(age: float) -> dict[str, float]:
    """Return the original's one-hot age band of a voice."""
    return {code: float(low <= age < high) for code, (low, high) in AGE_BAND_CODES.items()}

"""The JSON result: the original's flat dictionary, each modality's own, and the weights."""

from __future__ import annotations

import json

import numpy as np
from contract import AGE_BAND_CODES, AGE_CODE, EMOTION_CODES, GENDER_CODES, MODALITIES, SCHEMA
from evidence import Evidence
from refusals import NotFiniteError

#: The original rounds every figure so.
DECIMALS = 4


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
        says nothing of them.

    Raises:
        NotFiniteError: A figure is not finite, and so nothing that JSON can hold.
    """
    seen_or_heard = evidence["speech"].count or evidence["video"].count
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
        emotion = evidence.emotion.reshape(-1, len(EMOTION_CODES)).mean(axis=0)
        if evidence.modality == "text":
            entry["result"] = _codes(emotion, None, evidence.gender)
        else:
            age, gender = evidence.age.mean(axis=0), evidence.gender.mean(axis=0)
            entry["result"] = _codes(emotion, age, gender)
            if evidence.modality == "speech":
                entry["result"] |= _age_band(float(age[0]))
    return entry | evidence.details | _people(evidence, entry.get("result"))


def _people(evidence: Evidence, own: dict[str, float] | None) -> dict:
    """Add to each of a video's people what is known of them; of the main one, the video's own."""
    if "people" not in evidence.details:
        return {}
    results = {number: _codes(*figures) for number, figures in evidence.others.items()}
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


def _rounded(codes: dict[str, str], values: np.ndarray) -> dict[str, float]:
    return {code: round(float(value), DECIMALS) for code, value in zip(codes, values, strict=True)}


def _age_band(age: float) -> dict[str, float]:
    """Return the original's one-hot age band of a voice."""
    return {code: float(low <= age < high) for code, (low, high) in AGE_BAND_CODES.items()}

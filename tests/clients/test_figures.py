"""Figures of an evaluation on answers that can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clients.contract import AGE_CODE, EMOTION_CODES, GENDER_CODES
from clients.evaluation import metrics, report
from clients.evaluation.asking import Outcome
from clients.evaluation.figures import classes_of, emotion_answers, groups_of, measurements_of
from clients.evaluation.manifest import Sample


def answer(age=30.0, male=0.8, **emotions):
    """Return a flat dictionary of result codes."""
    result = {code: emotions.get(name, 0.0) for code, name in EMOTION_CODES.items()}
    return result | {AGE_CODE: age} | dict(zip(GENDER_CODES, (male, 1 - male), strict=True))


def pair(row, answers, errors=None, reasons=None, certainty=None, **labels):
    outcome = Outcome(answers, errors or {}, reasons or {}, certainty or {})
    return Sample(row, (str(row),), text=str(row), face=Path(str(row)), **labels), outcome


def measured(pairs, group="all", classes=None, source="face"):
    """Return the values of a group's measurements by target and metric."""
    return {
        one.target: {name: figure.value for name, figure in one.figures.items()}
        for one in measurements_of(pairs, classes=classes)
        if (one.group, one.source) == (group, source)
    }


#: Three faces: the first two right, the third anger taken for disgust.
ANSWERS = (
    answer(20, 0.9, happiness=1.0),
    answer(33, 0.2, anger=0.8, fear=0.2),
    answer(40, 0.7, anger=0.2, disgust=0.6, sadness=0.2),
)
LABELS = (
    {"emotion": "happiness", "age": 24, "gender": "male"},
    {"emotion": "anger", "age": 43, "gender": "female"},
    {"emotion": "anger", "age": 45, "gender": "female"},
)
FACES = [
    pair(row, {"face": said}, **labels)
    for row, (said, labels) in enumerate(zip(ANSWERS, LABELS, strict=True), start=2)
]


def test_emotion_age_and_gender_are_those_counted_by_hand():
    figures = measured(FACES)
    assert figures["emotion"]["accuracy"] == pytest.approx(2 / 3)
    assert figures["emotion"]["unweighted recall"] == pytest.approx((1 + 1 / 2) / 2)
    assert figures["emotion"]["macro f1"] == pytest.approx((1 + 2 / 3) / 2)
    # Sure and right by 1.0 and 0.8, sure and wrong by 0.6: each in a bin of its own.
    expected = (0 + 0.2 + 0.6) / 3
    assert figures["emotion"]["calibration error"] == pytest.approx(expected)
    assert figures["age"]["within five years"] == pytest.approx(2 / 3)
    assert figures["age"]["mean absolute error"] == pytest.approx(19 / 3)
    assert figures["age"]["bias"] == pytest.approx(-19 / 3)
    assert figures["gender"]["accuracy"] == pytest.approx(2 / 3)
    assert figures["gender"]["unweighted recall"] == pytest.approx((1 + 1 / 2) / 2)


def test_restricted_posteriors_choose_among_the_labels_of_the_corpus():
    classes = classes_of([sample for sample, _ in FACES])
    assert classes == {"": ("happiness", "anger")}
    figures = measured(FACES, classes=classes)
    assert figures["emotion"]["accuracy"] == pytest.approx(2 / 3)
    assert figures["restricted emotion"]["accuracy"] == 1
    assert figures["restricted emotion"]["calibration error"] == pytest.approx(0, abs=1e-6)


def test_restriction_leaves_out_samples_of_other_emotions_and_survives_rounding_to_nothing():
    answers = emotion_answers(FACES, "face", {"": ("disgust", "happiness")})
    assert len(answers.truth) == 1
    lost = [pair(2, {"face": answer(neutral=1.0)}, emotion="anger")]
    restricted = emotion_answers(lost, "face", {"": ("anger", "fear")})
    assert restricted.guess[0, [1, 3]].tolist() == [0.5, 0.5]


def test_a_source_is_measured_only_where_it_answered_and_a_label_is_known():
    answered = [
        pair(2, {"text": {code: 1 / 7 for code in EMOTION_CODES}}, emotion="fear", age=30),
        pair(3, {"text": {code: 1 / 7 for code in EMOTION_CODES}}),
        pair(4, {}, {"text": "refused"}, emotion="fear"),
    ]
    (one,) = [one for one in measurements_of(answered) if one.group == "all"]
    assert (one.source, one.target, one.n, one.refused) == ("text", "emotion", 1, 1)


def test_groups_are_corpora_genders_and_age_bands_with_edges_in_the_upper_one():
    pairs = [
        pair(row, {}, age=age, gender="male", corpus="a" if age < 40 else "b")
        for row, age in enumerate((12.9, 13, 19, 20, 40, 60, 100))
    ]
    groups = groups_of(pairs).values()
    sizes = {name: len(members) for those in groups for name, members in those.items()}
    assert sizes == {
        **{"corpus a": 4, "corpus b": 3, "gender male": 7},
        **{"age 0-12": 1, "age 13-19": 2, "age 20-39": 1, "age 40-59": 1, "age 60+": 2},
    }


def test_intervals_resample_people_and_need_ten_of_them():
    said = (answer(anger=1.0), answer(happiness=1.0))
    clips = [
        pair(row, {"speech": said[row % 2]}, emotion="happiness", person=f"person {row % 10}")
        for row in range(40)
    ]
    (ten,) = [one for one in measurements_of(clips) if one.group == "all"]
    accuracy = ten.figures["accuracy"]
    assert (ten.n, ten.people, accuracy.value) == (40, 10, 0.5)
    # Ten coins: 95 % of their means lie from 0.2 to 0.8.
    assert (accuracy.low, accuracy.high) == (pytest.approx(0.2), pytest.approx(0.8))
    (nine,) = [one for one in measurements_of(clips[:9]) if one.group == "all"]
    accuracy = nine.figures["accuracy"]
    assert (nine.people, accuracy.low, accuracy.why) == (9, None, "people: 9, at least 10 needed")


def test_a_sample_without_a_person_counts_as_somebody_else():
    pairs = [
        pair(row, {"face": answer(anger=1.0)}, emotion="anger", person=person)
        for row, person in enumerate(("a", "a", "", ""))
    ]
    assert next(measurements_of(pairs)).people == 3


def test_confusion_has_a_row_for_each_truth():
    truth, guess = np.array([0, 0, 1]), np.array([0, 2, 1])
    assert metrics.confusion(truth, guess, 3).tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_reliability_compares_confidence_with_accuracy_bin_by_bin():
    posteriors = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]])
    bins = metrics.reliability(np.array([0, 1, 0]), posteriors, bins=4)
    assert bins[:2].tolist() == [[0, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(bins[2:], [[0.6, 1, 1 / 3], [0.85, 0.5, 2 / 3]])


def test_within_five_years_counts_the_fifth_year():
    truth = np.array([20.0, 20.0, 20.0])
    assert metrics.within_five_years(truth, np.array([25, 15, 25.1])) == pytest.approx(2 / 3)


def test_the_report_counts_failures_by_source_and_names_them():
    pairs = [
        *FACES,
        pair(5, {}, {"face": "no image"}, {"face": "unreadable file"}, emotion="fear"),
        pair(6, {"face": answer(fear=1.0)}, {"text": "too long"}, emotion="fear"),
    ]
    document = report.document(pairs, {"manifest": "m.csv"})
    assert document["rows"] == {"selected": 5, "answered": 4, "failed": 1}
    assert document["sources"]["face"] == {
        "answered": 4,
        "failed": 1,
        "reasons": {"unreadable file": 1},
    }
    assert document["sources"]["text"] == {"answered": 0, "failed": 1, "reasons": {"not told": 1}}
    assert [failure["row"] for failure in document["failures"]] == [5, 6]
    (counts,) = [
        one["counts"]
        for one in document["confusion"]
        if (one["group"], one["target"]) == ("all", "emotion")
    ]
    assert (counts[1][1], counts[1][2], counts[3][3], sum(map(sum, counts))) == (1, 1, 1, 4)
    lines = report.text(document).splitlines()
    assert lines[0] == "5 rows, 4 answered, 1 failed"
    assert "row 5: face: no image" in lines
    assert any("| 0.750 (too few) |" in line for line in lines if line.startswith("| all "))

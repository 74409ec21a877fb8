"""Comparisons of runs, modalities and groups on answers that can be counted by hand."""

from __future__ import annotations

import pytest

from clients.evaluation import metrics, report
from clients.evaluation.comparisons import changes_between, conflict_of, gains_of, gaps_of
from clients.evaluation.figures import groups_of, measurements_of
from tests.clients.test_figures import answer, pair

HAPPY, ANGRY, SAD = (answer(**{name: 1.0}) for name in ("happiness", "anger", "sadness"))


def rows(answers, **labels):
    """One row an answer, of the source "speech"; None stands for a refusal."""
    return [
        pair(row, {"speech": said}, **labels)
        if said
        else pair(row, {}, {"speech": "silence"}, {"speech": "no voice"}, **labels)
        for row, said in enumerate(answers, start=2)
    ]


def the(items, **wanted):
    (found,) = [
        one for one in items if all(getattr(one, key) == value for key, value in wanted.items())
    ]
    return found


def test_a_refusal_counts_beside_the_figures_and_inside_accuracy_over_all():
    pairs = rows([HAPPY, HAPPY, ANGRY, None], emotion="happiness")
    told = the(measurements_of(pairs), group="all", source="speech", target="emotion")
    assert (told.n, told.refused, told.reasons) == (3, 1, {"no voice": 1})
    assert told.figures["accuracy"].value == pytest.approx(2 / 3)
    assert told.figures["accuracy over all"].value == pytest.approx(2 / 4)
    assert told.figures["refused"].value == pytest.approx(1 / 4)


def test_a_group_of_which_all_are_refused_is_not_hidden():
    pairs = rows([None, None], emotion="happiness", gender="female")
    told = the(measurements_of(pairs), group="gender female", target="emotion")
    assert {name: figure.value for name, figure in told.figures.items()} == {
        "refused": 1,
        "accuracy over all": 0,
    }


def test_a_change_is_over_what_both_runs_answered():
    before = rows([HAPPY, ANGRY, ANGRY, ANGRY], emotion="happiness")
    after = rows([HAPPY, HAPPY, SAD, None], emotion="happiness")
    change = the(changes_between(before, after, groups_of(after)), group="all", target="emotion")
    assert (change.n, change.mended, change.spoilt) == (3, 1, 0)
    assert change.before["accuracy"] == pytest.approx(1 / 3)
    assert change.after["accuracy"] == pytest.approx(2 / 3)
    assert change.change["accuracy"].value == pytest.approx(1 / 3)
    assert change.change["refused"].value == pytest.approx(1 / 4)
    assert change.change["accuracy over all"].value == pytest.approx(1 / 4)


def test_a_paired_interval_knows_that_the_same_people_answer_twice():
    # Half of the people are always right. One person more is so in the second run.
    before = [HAPPY if row % 2 else ANGRY for row in range(40)]
    after = [HAPPY, *before[1:]]
    runs = [
        [
            pair(row, {"speech": said}, emotion="happiness", person=f"person {row}")
            for row, said in enumerate(answers)
        ]
        for answers in (before, after)
    ]
    change = the(changes_between(*runs, groups_of(runs[1])), group="all", target="emotion")
    gained = change.change["accuracy"]
    assert (gained.low, gained.value) == (0, pytest.approx(1 / 40))
    assert gained.high <= 4 / 40
    whole = the(measurements_of(runs[1]), group="all", source="speech", target="emotion")
    accuracy = whole.figures["accuracy"]
    assert accuracy.high - accuracy.low > 3 * (gained.high - gained.low)


def test_rows_that_only_one_run_has_are_not_compared():
    pairs = rows([HAPPY] * 4, emotion="happiness")
    change = the(changes_between(pairs[1:], pairs, groups_of(pairs)), group="all")
    assert change.n == 3


def test_fused_answers_are_compared_with_the_best_modality_of_their_subset():
    both = [
        pair(row, {"text": text, "speech": speech, "fused": fused}, emotion="happiness")
        for row, (text, speech, fused) in enumerate(
            [(HAPPY, ANGRY, HAPPY), (HAPPY, ANGRY, ANGRY), (ANGRY, HAPPY, ANGRY)]
        )
    ]
    alone = [pair(9, {"text": HAPPY, "fused": HAPPY}, emotion="happiness")]
    (gain,) = gains_of([*both, *alone])
    assert (gain.present, gain.n, gain.best) == ("text+speech", 3, "text")
    assert gain.accuracy == {
        "text": pytest.approx(2 / 3),
        "speech": pytest.approx(1 / 3),
        "fused": pytest.approx(1 / 3),
    }
    assert gain.gain["accuracy"].value == pytest.approx(-1 / 3)


def test_conflict_is_told_with_and_without_labels():
    unsure = answer(happiness=0.5, anger=0.5)
    clips = [
        pair(1, {"text": HAPPY, "speech": HAPPY, "fused": HAPPY}, emotion="happiness"),
        pair(2, {"text": HAPPY, "speech": ANGRY, "fused": unsure}),
        pair(3, {"text": HAPPY, "speech": ANGRY, "fused": SAD}, emotion="happiness"),
        pair(4, {"text": HAPPY, "fused": HAPPY}),
    ]
    told = conflict_of(clips)
    assert told["modalities agree"]["nobody's choice"] == 0
    assert told["modalities disagree"] == {
        **{"rows": 2, "above 0.9": 0.5, "above 0.95": 0.5, "nobody's choice": 0.5},
        **{"labelled": 1, "above 0.9 and wrong": 1, "above 0.95 and wrong": 1},
    }
    groups = {one.group for one in measurements_of(clips)}
    assert {"modalities agree", "modalities disagree"} <= groups


def test_undecided_answers_are_told_from_decided_ones():
    said = [(HAPPY, False), (ANGRY, False), (ANGRY, True), (ANGRY, True)]
    clips = [
        pair(
            row,
            {"text": one, "speech": one, "fused": one},
            certainty={"undecided": undecided, "conflict": row / 10},
            emotion="happiness",
        )
        for row, (one, undecided) in enumerate(said)
    ]
    fused = the(measurements_of(clips), group="all", source="fused", target="emotion")
    assert fused.figures["undecided"].value == 0.5
    assert fused.figures["accuracy of decided"].value == 0.5
    assert conflict_of(clips)["modalities agree"]["conflict"] == pytest.approx(0.15)
    text = the(measurements_of(clips), group="all", source="text", target="emotion")
    assert "undecided" not in text.figures


def test_the_widest_gap_is_between_groups_of_ten_at_least():
    clips = [
        pair(row, {"speech": said}, emotion="happiness", corpus=corpus)
        for row, (said, corpus) in enumerate(
            [*[(HAPPY, "a")] * 20, *[(HAPPY, "b")] * 10, *[(ANGRY, "b")] * 10, (ANGRY, "c")]
        )
    ]
    (gap,) = gaps_of(groups_of(clips))
    assert (gap.column, gap.metric, gap.best, gap.worst) == (
        *("corpus", "accuracy"),
        *("corpus a", "corpus b"),
    )
    assert (gap.groups, gap.difference.value) == (2, 0.5)
    assert 0.2 < gap.difference.low < 0.5 < gap.difference.high < 0.8


def test_comparisons_are_part_of_the_report(monkeypatch):
    monkeypatch.setattr(metrics, "ROUNDS", 20)
    clips = [
        pair(
            row,
            {"text": HAPPY, "speech": said, "fused": said},
            emotion="happiness",
            gender=("male", "female")[row % 2],
        )
        for row, said in enumerate([HAPPY, ANGRY] * 10)
    ]
    document = report.document(clips, {"compared with": "other"}, before=clips)
    text = report.text(document)
    for title in (
        "Fused minus the best modality",
        "Fused, where modalities agree and disagree",
        "The widest gaps between groups",
        "Emotion, change since other",
    ):
        assert title in text

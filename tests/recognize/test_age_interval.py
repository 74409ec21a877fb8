"""The interval around an age."""

from __future__ import annotations

import json

import pytest
from age_interval import AgeInterval, read_intervals

ROWS = [[10.0, 5.0, 16.0], [30.0, 22.0, 40.0], [70.0, 55.0, 80.0]]


def test_the_bounds_are_those_measured_for_the_age_read():
    assert AgeInterval(ROWS).around(30.0) == (22.0, 40.0)


def test_between_two_measured_ages_the_bounds_are_between_theirs():
    assert AgeInterval(ROWS).around(20.0) == (13.5, 28.0)


def test_beyond_the_measured_ages_the_distances_stay_and_no_age_is_impossible():
    assert AgeInterval(ROWS).around(80.0) == (65.0, 90.0)
    assert AgeInterval(ROWS).around(2.0) == (0.0, 8.0)
    assert AgeInterval(ROWS).around(109.0) == (94.0, 110.0)


@pytest.mark.parametrize("years", [0.0, 33.3, 110.0])
def test_the_age_read_is_inside_even_where_the_network_is_always_wrong(years):
    low, high = AgeInterval([[30.0, 40.0, 50.0]]).around(years)
    assert low <= years <= high


def test_networks_without_measured_intervals_have_none(tmp_path):
    assert read_intervals(tmp_path / "age_intervals.json") == {}


def test_the_file_holds_a_modality_each(tmp_path):
    file = tmp_path / "age_intervals.json"
    file.write_text(json.dumps({"coverage": 0.8, "video": ROWS}))
    assert read_intervals(file)["video"].around(30.0) == (22.0, 40.0)


def test_the_served_intervals_hold_both_that_tell_an_age():
    intervals = read_intervals()
    assert set(intervals) == {"speech", "video"}

"""The base scenario at every pace: what a pace is, and what the table says of runs that were not found."""

from pathlib import Path

import pytest

from csms import scenario_file
from lab.score import paces, report
from lab.score.paces import Pace
from memorybank.detectors.reversals import DETECTOR

SWING = scenario_file.load_directory(Path(__file__).parents[3] / "scenarios")[0][
    "repeated-current-fluctuation"
]


def test_two_periods_are_good_where_they_are_longer_than_16_s():
    assert [Pace("linear", period_s, 10.0).goal_s for period_s in (4.0, 8.0, 60.0)] == [16.0, 16.0, 120.0]


def test_the_cycle_is_stretched_as_a_whole():
    (plan,) = paces.stretch(SWING, Pace("linear", 60.0, 20.0), 1000).plans
    parameters = plan.runs[0].parameters
    assert (parameters["low_a"], parameters["high_a"]) == (0.0, 20.0)
    assert parameters["low_s"] == 15.0
    assert sum(parameters[name] for name in ("low_s", "start_s", "charge_s", "pause_s")) == 60.0
    assert plan.frames_lost_share == 0.05


@pytest.mark.parametrize("law", paces.LAWS)
def test_a_run_is_found_and_its_delay_told(law):
    delays_s = paces.delays_s(SWING, Pace(law, 8.0, 100.0), [1000], (DETECTOR,))
    assert 8.0 <= delays_s[0] <= 20.0


def test_what_no_detector_looks_for_is_not_found():
    assert paces.delays_s(SWING, Pace("linear", 8.0, 100.0), [1000], ()) == [None]


@pytest.mark.parametrize(
    ("delays_s", "median_s", "met"),
    [
        ([14.0, 12.0, 13.0], 13.0, True),
        ([14.0, None, 13.0], 14.0, True),
        ([14.0, None, None], None, False),
        ([17.0, 17.0, 13.0], 17.0, False),
    ],
)
def test_a_run_that_was_not_found_is_later_than_all(delays_s, median_s, met):
    row = paces.row(Pace("linear", 8.0, 100.0), delays_s)
    assert (row["median_s"], row["met"]) == (median_s, met)


def test_the_table_has_a_line_for_each_law_and_period():
    rows = [
        paces.row(Pace("linear", 8.0, 10.0), [12.0, 14.0]),
        paces.row(Pace("linear", 8.0, 100.0), [18.0, None]),
    ]
    assert report.paces_columns(rows) == ["ramp", "period (s)", "good up to (s)", "0 and 10 A", "0 and 100 A"]
    assert report.paces_cells(rows) == [["linear", "8", "16", "13.0", "- (1 of 2 not found)"]]
    assert "3 of 4 runs" in report.paces_words(rows)
    assert "too late at linear 8 s 100 A" in report.paces_words(rows)

"""Intervals, tallies, thresholds of baselines, the report: figures that can be checked by hand."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from contracts.events import CommandSent, Reading
from lab.score import intervals, picture, tally
from lab.score.baselines import BASELINES, CommandsPerMinute, RollingDeviation, StepOfCurrent, threshold

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def reading(second: int, current_a: float) -> Reading:
    return Reading(
        at=BEGIN + timedelta(seconds=second), charge_point_id="CP-1", connector=1, origin="can",
        current_a=current_a,
    )  # fmt: skip


def test_all_of_sixty_is_at_least_94_percent():
    """The rule of three's exact form: (1 - x) ** 60 = 0.025."""
    low, high = intervals.of_share(60, 60)
    assert (low, high) == (pytest.approx(0.025 ** (1 / 60)), 1.0)


def test_none_in_ninety_days_bounds_the_rate():
    """Garwood: nothing seen leaves -ln 0.025 = 3.69 events at most."""
    assert intervals.of_rate(0, 90) == (0.0, pytest.approx(-math.log(0.025) / 90))


def test_an_interval_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no share"):
        intervals.of_share(3, 2)
    with pytest.raises(ValueError, match="no rate"):
        intervals.of_rate(0, 0)
    assert intervals.of_share(0, 0) == (0.0, 1.0)


def test_the_spread_tells_median_and_95th_percentile():
    assert tally.spread([float(n) for n in range(1, 101)]) == {"median": 50.5, "p95": 95.0}
    assert tally.spread([]) is None


def test_the_step_of_the_current():
    scorer = StepOfCurrent()
    assert [scorer.score(reading(n, a)) for n, a in enumerate((0.0, 10.0, 4.0))] == [None, 10.0, 6.0]


def test_the_rolling_deviation_forgets_what_left_its_window():
    scorer = RollingDeviation(samples=4)
    scores = [scorer.score(reading(n, a)) for n, a in enumerate((100.0, 0.0, 100.0, 0.0, 7.0, 7.0, 7.0, 7.0))]
    assert scores[3] == 50.0
    assert scores[-1] == pytest.approx(0.0, abs=1e-6)


def test_commands_are_counted_by_the_minute():
    scorer = CommandsPerMinute()
    sent = [
        CommandSent(
            at=BEGIN + timedelta(seconds=s), charge_point_id="CP-1", command="Reset", outcome="Accepted"
        )
        for s in (0, 10, 65)
    ]
    assert [scorer.score(event) for event in sent] == [1.0, 2.0, 2.0]


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "stumpi"])
def test_every_baseline_says_something_of_a_swinging_current(name):
    scorer = BASELINES[name](1)
    event = CommandSent(at=BEGIN, charge_point_id="CP-1", command="Reset", outcome="Accepted")
    scores = [scorer.score(reading(n, 100.0 * (n % 8 < 4))) for n in range(30)] + [scorer.score(event)]
    assert any(score is not None for score in scores)


def test_the_threshold_lets_one_minute_a_day_pass():
    """Above it lie two of these minutes, for two days."""
    chosen = threshold([1.0, 5.0, 3.0, 4.0, 2.0], days=2)
    assert sum(peak > chosen for peak in (1.0, 5.0, 3.0, 4.0, 2.0)) == 2


def test_the_picture_is_the_same_each_time_and_stands_by_itself():
    curves = {"ChargeBench": [(0.0, 12.0), (0.2, 9.0)], "rolling deviation > θ": [(1.0, 20.0)]}
    first, second = (picture.delay_against_false_alarms(curves, "A1") for _ in range(2))
    assert first == second
    assert first.startswith("<svg")
    assert "rolling deviation" in first

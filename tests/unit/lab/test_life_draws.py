from datetime import UTC, datetime, timedelta
from random import Random
from statistics import correlation, fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.life import figures
from lab.life.arrivals import next_arrival
from lab.life.draws import LEVELS, mixing, part_of_day, quantile, shares

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
TABLE = tuple(level * 100 for level in LEVELS)


def steady(rate):
    return {"weekday": (rate,) * 24, "weekend": (rate,) * 24}


@given(st.floats(0, 1), st.floats(0, 1))
def test_quantiles_rise_and_stay_within_the_table(one, other):
    low, high = sorted((one, other))
    assert TABLE[0] <= quantile(TABLE, low) <= quantile(TABLE, high) <= TABLE[-1]


@pytest.mark.parametrize("level", LEVELS)
def test_a_quantile_of_a_level_is_the_table_s(level):
    assert quantile(TABLE, level) == pytest.approx(level * 100)


def test_draws_hang_together_as_their_correlations_say():
    rng, mix = Random(1), mixing(figures.DC_CORRELATION)
    drawn = list(zip(*(shares(rng, mix) for _ in range(4000)), strict=True))
    for i, row in enumerate(figures.DC_CORRELATION):
        for j, wanted in enumerate(row):
            # Of uniform numbers, whose correlation is a little less than that of normal scores.
            assert correlation(drawn[i], drawn[j]) == pytest.approx(wanted, abs=0.06)


def test_arrivals_at_a_steady_rate_are_exponentially_apart():
    rng = Random(1)
    gaps_h = [
        (next_arrival(rng, steady(0.5), MONDAY, 1.0) - MONDAY).total_seconds() / 3600 for _ in range(4000)
    ]
    assert fmean(gaps_h) == pytest.approx(2.0, rel=0.05)
    assert fmean(gap > 2.0 for gap in gaps_h) == pytest.approx(0.368, abs=0.03)


def test_nobody_comes_in_an_hour_of_no_arrivals():
    rates = {"weekday": tuple(float(hour == 9) for hour in range(24)), "weekend": (0.0,) * 24}
    rng, at = Random(1), MONDAY
    for _ in range(200):
        at = next_arrival(rng, rates, at, 5.0)
        assert (at.hour, at.weekday() < 5) == (9, True)
        at += timedelta(minutes=1)


def test_nobody_comes_where_nobody_ever_comes():
    assert next_arrival(Random(1), steady(0.0), MONDAY, 1.0) is None


def test_parts_of_the_day():
    assert [part_of_day(hour) for hour in (0, 5, 6, 9, 10, 13, 14, 17, 18, 23)] == [
        *("night",) * 2, *("morning",) * 2, *("midday",) * 2, *("afternoon",) * 2, *("evening",) * 2,
    ]  # fmt: skip

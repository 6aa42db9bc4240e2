"""Backoff: waits that double, up to a longest one, spread."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from chassis import backoff


@given(st.integers())
def test_each_delay_lies_between_half_and_the_whole_of_its_step(seed: int) -> None:
    delays = backoff.delays_s(0.5, 30.0, random.Random(seed))
    for step_s in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0):
        assert step_s / 2 <= next(delays) <= step_s


def test_two_of_a_fleet_do_not_come_back_together() -> None:
    one, other = backoff.delays_s(), backoff.delays_s()
    assert list(itertools.islice(one, 5)) != list(itertools.islice(other, 5))


def test_delays_never_end() -> None:
    """And stay at the longest, also after a day of trying."""
    delays = backoff.delays_s(1.0, 2.0)
    assert all(0.5 <= delay_s <= 2.0 for delay_s in itertools.islice(delays, 10_000))

"""When the next car comes to a free connector: rates by hour of the day, on weekdays and on weekends."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import TypeAlias

Rates: TypeAlias = Mapping[str, Sequence[float]]
"""Arrivals per hour that a connector is free, for each hour of a `weekday` and of a `weekend`."""
_LONGEST = timedelta(days=400)


def next_arrival(rng: Random, rates: Rates, free_at: datetime, busyness: float) -> datetime | None:
    """Return when the next car comes to a connector that is free from `free_at` on; None: not within a year.

    The exact draw of an inhomogeneous Poisson process: an exponential number of expected arrivals is used up
    hour by hour. `busyness` multiplies all rates; the hours are those of the datetimes.
    """
    left = rng.expovariate(1.0)
    at = free_at
    while at - free_at < _LONGEST:
        rate = rates["weekend" if at.weekday() >= 5 else "weekday"][at.hour] * busyness
        hour_ends_at = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        expected = rate * (hour_ends_at - at).total_seconds() / 3600
        if left < expected:
            return at + timedelta(hours=left / rate)
        left -= expected
        at = hour_ends_at
    return None

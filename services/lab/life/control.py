"""What limits a benign session while it lasts: a delayed begin, load management, a photovoltaic surplus."""

import math
from datetime import datetime, timedelta
from random import Random

from lab.life.cars import GRID_V
from lab.life.session import LimitChange

LEAST_AC_A = 6.0
"""IEC 61851-1: below this a car must stop, so surplus control switches off instead."""
SWITCHING_S = 10.0
"""How long a change between three phases and one pauses the current."""
_MINUTE_S = 60.0
_OFF_S = 180.0
"""How long surplus control stays off once it switched off (evcc's default is 3 minutes)."""


def delayed(rng: Random, most_s: float) -> tuple[LimitChange, ...]:
    """Return limits that keep the current at nothing for a random time after the plug."""
    return LimitChange(0.0, 0.0), LimitChange(rng.uniform(0.0, most_s), None)


def managed(rng: Random, lasts_s: float, rated_a: float, least_a: float) -> tuple[LimitChange, ...]:
    """Return a few limits while others need the power, minutes apart, and none at the end."""
    changes: list[LimitChange] = []
    at_s = rng.uniform(2 * _MINUTE_S, max(3 * _MINUTE_S, lasts_s / 2))
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4))):
        limit_a = max(least_a, math.floor(rated_a * rng.uniform(0.25, 0.9)))
        changes.append(LimitChange(at_s, limit_a))
        at_s += _MINUTE_S + rng.expovariate(1 / (6 * _MINUTE_S))
    changes.append(LimitChange(at_s, None))
    return tuple(changes)


def surplus(
    rng: Random, plugged_at: datetime, lasts_s: float, most_a: float, phases: int
) -> tuple[LimitChange, ...]:
    """Return limits that follow a plant under passing clouds, looked at once a minute, by whole amperes.

    The plant: 6 to 15 kW at noon, nothing at night. Where three phases would get less than 6 A, one is used
    instead; a change between them is a pause of 10 s.
    """
    peak_w, clouds, cloud = rng.uniform(6_000, 15_000), rng.uniform(0.0, 0.6), rng.uniform(0.0, 1.0)
    changes: list[LimitChange] = []
    limit_a, used, off_until_s, at_s = math.inf, phases, 0.0, 0.0
    while at_s < lasts_s:
        cloud = max(0.0, min(1.0, cloud + 0.1 * (clouds - cloud) + rng.gauss(0.0, 0.08)))
        watts = peak_w * _sun(plugged_at + timedelta(seconds=at_s)) * (1 - cloud)
        wanted = phases if watts >= LEAST_AC_A * GRID_V * phases else 1
        wanted_a = min(most_a, float(math.floor(watts / (GRID_V * wanted))))
        wanted_a = wanted_a if wanted_a >= LEAST_AC_A else 0.0
        if wanted_a == 0.0 and limit_a != 0.0:
            off_until_s = at_s + _OFF_S
        if wanted_a != limit_a and (wanted_a == 0.0 or at_s >= off_until_s):
            switches = wanted_a > 0 and wanted != used
            if switches and limit_a > 0:
                changes.append(LimitChange(at_s, 0.0))
            changes.append(LimitChange(at_s + SWITCHING_S * switches, wanted_a))
            limit_a, used = wanted_a, wanted if wanted_a else used
        at_s += _MINUTE_S
    return tuple(changes)


def _sun(at: datetime) -> float:
    """Return how high the sun stands: 1 at noon, 0 from 18 to 6 o'clock."""
    hour = at.hour + at.minute / 60
    return max(0.0, math.sin(math.pi * (hour - 6) / 12)) if 6 <= hour <= 18 else 0.0

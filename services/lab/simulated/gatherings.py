"""Runs at several charge points of a fleet in phase: when, which scenario, who takes part, from the seed.

Each charge point is planned by itself, in whichever process, so it must know without asking the others. For a
gathering they are kept free: what would have been lived at them then is left out.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from csms.scenario import Scenario

FEWEST, MOST = 3, 8
"""Charge points that take part in one."""


@dataclass(frozen=True, slots=True)
class Gathering:
    """One run at several charge points, named by their numbers."""

    scenario: Scenario
    members: tuple[int, ...]
    start_s: float
    lasts_s: float
    seed: int

    @property
    def run_id(self) -> str:
        """The same at all of them."""
        return f"{self.scenario.name}/together/{self.seed}"

    def is_near(self, begin_s: float, end_s: float, calm_s: float) -> bool:
        """Return whether a stretch of time comes closer to it than `calm_s`."""
        return begin_s < self.start_s + self.lasts_s + calm_s and end_s > self.start_s - calm_s


def gatherings(
    scenarios: Sequence[Scenario],
    members: Sequence[int],
    *,
    seed: int,
    days: float,
    every_h: float,
    lasts_s: float | None,
    calm_s: float,
) -> Iterator[Gathering]:
    """Yield the gatherings of a fleet in order of time, one about every `every_h` hours; they never overlap.

    `members`: who can take part; of fewer than FEWEST there are none. `lasts_s` None: as the scenario says.
    """
    rng = random.Random(f"{seed}/gatherings")
    free_s = 0.0
    while scenarios and len(members) >= FEWEST:
        start_s = free_s + calm_s + rng.expovariate(1 / (every_h * 3600.0))
        scenario = rng.choice(scenarios)
        count = rng.randint(FEWEST, min(MOST, len(members)))
        took_part = tuple(sorted(rng.sample(members, count)))
        lasts = lasts_s or scenario.lasts_s
        free_s = start_s + lasts + calm_s
        if free_s >= days * 86_400.0:
            return
        yield Gathering(scenario, took_part, start_s, lasts, rng.randrange(2**31))

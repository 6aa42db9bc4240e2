"""Which number of charge points is tried next, whether it was held, and what was at its limit. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

MOST_P95_S = 1.0
"""The goal: from the frame to the committed row, 95 of 100."""
FULL_PROCESS = 0.9
"""Of one core. A service is one Python process, and Python keeps no more than one core busy."""
FULL_MACHINE = 0.95
"""Of all cores."""
FOREIGN = 0.1
"""Cores that other programs may take before they are named."""
NO_LIMIT = "nothing was at a limit"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """From so many charge points, times `factor`, up to so many."""

    first: int
    last: int
    factor: float = 2.0

    def following(self, tried: Sequence[tuple[int, bool]]) -> int | None:
        """Return how many come next after those tried, each with whether it was held; None: it is done.

        Once one was not held, the geometric middle between it and the last that was is tried, once.
        """
        if not tried:
            return self.first
        *before, (last, held) = tried
        if all(was_held for _, was_held in tried):
            return None if last >= self.last else min(self.last, max(last + 1, rounded(last * self.factor)))
        if not before or held or not before[-1][1]:
            return None
        between = rounded(math.sqrt(before[-1][0] * last))
        return between if before[-1][0] < between < last else None


def rounded(number: float) -> int:
    """Return two significant digits of it: 283 are told as 280."""
    step = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return max(1, round(number / step) * step)


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return the smallest value that `share` of all do not exceed (nearest rank); None: there are none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What waits, before and after the window; `a_second` of it is made."""

    before: float
    after: float
    a_second: float

    @property
    def grows(self) -> bool:
        """Whether more than another second's worth waits now."""
        return self.after - self.before > max(self.a_second, 1.0)


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one number of charge points came to. `failed`: why it was not measured; the rest is empty then."""

    charge_points: int
    failed: str | None = None
    window_s: float = 0.0
    frames: int = 0
    """Frames whose way was measured."""
    median_s: float | None = None
    p95_s: float | None = None
    longest_s: float | None = None
    """From the frame sent to its row committed; infinite: it never was, within the time given."""
    rows_p95_s: float | None = None
    """From the charge point's own reading of it to the commit, over every row of the window."""
    readings_a_second: float = 0.0
    events_a_second: float = 0.0
    lost: dict[str, float] = field(default_factory=dict)
    """What was lost, by its name; empty: nothing."""
    counters: dict[str, float] = field(default_factory=dict)
    """Every counter of trouble that moved, those that are no loss included."""
    cpu: dict[str, float] = field(default_factory=dict)
    """Cores kept busy, by service."""
    busiest: dict[str, float] = field(default_factory=dict)
    """Of each service the busiest process, in cores."""
    busy_cores: float = 0.0
    """Of the whole machine."""
    measuring_cores: float = 0.0
    foreign_cores: float = 0.0
    """Of programs that are neither the bench nor what measures it."""
    yardstick_ms: float | None = None
    """Processor time of a fixed piece of Python, meanwhile (median): it tells a run on a slower host."""
    memory_mb: dict[str, float] = field(default_factory=dict)
    """Unique set size by service: what would be free without it. PostgreSQL's without its shared buffers."""
    backlogs: dict[str, Backlog] = field(default_factory=dict)
    database_bytes_a_second: float = 0.0
    wal_bytes_a_second: float = 0.0
    bottleneck: str = ""

    @property
    def held(self) -> bool:
        """Whether the goal was met and nothing was lost."""
        return not self.failed and not self.lost and self.p95_s is not None and self.p95_s <= MOST_P95_S

    @property
    def cpu_ms(self) -> float | None:
        """Processor milliseconds of the bench for one charge point's second."""
        return 1000 * sum(self.cpu.values()) / self.charge_points if self.cpu else None


def bottleneck(
    busiest: Mapping[str, float],
    cpu: Mapping[str, float],
    backlogs: Mapping[str, Backlog],
    *,
    cores: int,
    busy_cores: float,
    foreign_cores: float,
) -> str:
    """Return what was at its limit, in words: full processes, a full machine, queues that grow."""
    found = [
        f"{service}: one process at {share:.0%} of a core"
        for service, share in sorted(busiest.items(), key=lambda item: -item[1])
        if share >= FULL_PROCESS
    ]
    if busy_cores >= FULL_MACHINE * cores:
        taken = {**cpu, **({"other programs": foreign_cores} if foreign_cores > FOREIGN else {})}
        largest = sorted(taken, key=lambda who: -taken[who])[:4]
        found.append(f"all {cores} cores: {', '.join(f'{who} {taken[who]:.2f}' for who in largest)}")
    found += [
        f"{name} grows, {backlog.before:,.0f} to {backlog.after:,.0f}"
        for name, backlog in backlogs.items()
        if backlog.grows
    ]
    return "; ".join(found) or NO_LIMIT


def knee(steps: Iterable[Step]) -> Step | None:
    """Return the largest step that was held below every one that was not; None: not even the first."""
    held = None
    for step in sorted(steps, key=lambda step: step.charge_points):
        if not step.held:
            return held
        held = step
    return held

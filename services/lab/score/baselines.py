"""The trivial baselines: what anyone would try first, each a score that alarms above a threshold.

Each sees the events of one charge point, as our detectors do. Its threshold is chosen on benign life (not on
the test's) as the lowest that gives one false alarm per charge-point-day at most, so that all are compared at
an operating point that people could live with.
"""

import math
import random
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from contracts.events import AnyEvent, CommandSent, Reading

RATED_A = 300.0


class Scorer(Protocol):
    """One baseline at one charge point."""

    def score(self, event: AnyEvent) -> float | None:
        """Take the next event; return how strange it is (None: this says nothing)."""


class AlwaysOn:
    """Cries at every reading."""

    def score(self, event: AnyEvent) -> float | None:
        """Return infinity."""
        return math.inf if _is_current(event) else None


class Chance:
    """Draws: what luck finds at the same number of alarms."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def score(self, event: AnyEvent) -> float | None:
        """Return a number between 0 and 1."""
        return self._rng.random() if _is_current(event) else None


class StepOfCurrent:
    """|di|: the change of the current from one reading to the next, A."""

    def __init__(self) -> None:
        self._before_a: float | None = None

    def score(self, event: AnyEvent) -> float | None:
        """Return the change."""
        if not isinstance(event, Reading) or event.origin != "can" or event.current_a is None:
            return None
        before_a, self._before_a = self._before_a, event.current_a
        return None if before_a is None else abs(event.current_a - before_a)


class RollingDeviation:
    """The standard deviation of the current's last 60 readings, A."""

    def __init__(self, samples: int = 60) -> None:
        self._last: deque[float] = deque(maxlen=samples)
        self._sum = self._squares = 0.0

    def score(self, event: AnyEvent) -> float | None:
        """Return the deviation."""
        if not isinstance(event, Reading) or event.origin != "can" or event.current_a is None:
            return None
        current_a = max(-1e6, min(1e6, event.current_a))
        if len(self._last) == self._last.maxlen:
            gone = self._last[0]
            self._sum -= gone
            self._squares -= gone * gone
        self._last.append(current_a)
        self._sum += current_a
        self._squares += current_a * current_a
        mean = self._sum / len(self._last)
        return math.sqrt(max(0.0, self._squares / len(self._last) - mean * mean))


class CommandsPerMinute:
    """How many commands the CSMS sent within 60 s."""

    def __init__(self) -> None:
        self._at_s: deque[float] = deque()

    def score(self, event: AnyEvent) -> float | None:
        """Return the count, with each command."""
        if not isinstance(event, CommandSent):
            return None
        at_s = event.at.timestamp()
        self._at_s.append(at_s)
        while self._at_s[0] < at_s - 60:
            self._at_s.popleft()
        return float(len(self._at_s))


class HalfSpaceTrees:
    """river's HalfSpaceTrees on current and its change, scaled to 0 … 1."""

    def __init__(self, seed: int) -> None:
        from river import anomaly  # noqa: PLC0415 - takes seconds, and only scores need it

        self._trees: Any = anomaly.HalfSpaceTrees(seed=seed)
        self._before_a = 0.0

    def score(self, event: AnyEvent) -> float | None:
        """Return the trees' score of the reading, then learn it."""
        if not isinstance(event, Reading) or event.origin != "can" or event.current_a is None:
            return None
        change_a = event.current_a - self._before_a
        self._before_a = event.current_a
        features = {
            "current": _unit(event.current_a / RATED_A),
            "change": _unit(0.5 + change_a / RATED_A / 2),
        }
        score = float(self._trees.score_one(features))
        self._trees.learn_one(features)
        return score


class Stumpi:
    """stumpy's streaming matrix profile: how far the last 32 s are from the likest of 10 minutes."""

    def __init__(self, seed: int, length: int = 32, memory: int = 600) -> None:
        self._length, self._memory = length, memory
        self._first: list[float] = []
        self._profile: Any = None
        # Flat stretches have no shape to be normed; a little noise gives them one.
        self._rng = random.Random(seed)

    def score(self, event: AnyEvent) -> float | None:
        """Return the distance of the stretch that ends here; None until ten minutes are there."""
        if not isinstance(event, Reading) or event.origin != "can" or event.current_a is None:
            return None
        current_a = event.current_a + self._rng.gauss(0.0, 0.05)
        if self._profile is None:
            self._first.append(current_a)
            if len(self._first) == self._memory:
                import numpy as np  # noqa: PLC0415 - as above
                import stumpy  # noqa: PLC0415

                self._profile = stumpy.stumpi(np.array(self._first), self._length, egress=True)
            return None
        self._profile.update(current_a)
        distance = float(self._profile.left_P_[-1])
        return distance if math.isfinite(distance) else None


Maker = Callable[[int], Scorer]

BASELINES: dict[str, Maker] = {
    "random": Chance,
    "always on": lambda _: AlwaysOn(),
    "|di| > θ": lambda _: StepOfCurrent(),
    "rolling deviation > θ": lambda _: RollingDeviation(),
    "commands per minute > θ": lambda _: CommandsPerMinute(),
    "HalfSpaceTrees": HalfSpaceTrees,
    "stumpi": Stumpi,
}
"""By name: a scorer of a charge point, made from a seed."""
SLOW = ("HalfSpaceTrees", "stumpi")
"""Each costs more than all the rest of a simulated second."""


def threshold(peaks: list[float], days: float) -> float:
    """Return the lowest threshold that at most `days` of the minutes of benign life reach.

    `peaks`: the highest score of each minute in which there was one, over so many charge-point-days.
    """
    allowed = max(1, int(days))
    ordered = sorted(peaks, reverse=True)
    # An alarm is a score above the threshold, so the first minute that is not allowed stays at it.
    return ordered[allowed] if len(ordered) > allowed else 0.0


def _is_current(event: AnyEvent) -> bool:
    return isinstance(event, Reading) and event.origin == "can" and event.current_a is not None


def _unit(value: float) -> float:
    return max(0.0, min(1.0, value))

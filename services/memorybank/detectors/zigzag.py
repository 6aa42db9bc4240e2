"""The turns of a noisy series: its extremes, found when it has come back from them by a gate (hysteresis)."""

from bisect import bisect_left
from dataclasses import dataclass, field
from operator import sub

from memorybank.detectors.moments import Moments, added, currents, instants, none

_LEAST_A = 1e-9


@dataclass(slots=True)
class ZigZag:
    """Where the zigzag stands, changed in place: its last turns, the oldest first, `keep` at most.

    A turn is counted when the current has come back by `gate_a` from its last extreme, so that noise and
    ripple below the gate count nothing; the movement out of the first rest is none.
    """

    gate_a: float
    keep: int
    direction: int = 0
    quiet_from_a: float = float("inf")
    """While it does not rise, this is the lowest current since the last turn."""
    quiet_to_a: float = float("-inf")
    """While it does not fall, this is the highest. A current between the two, these included, changes
    nothing: no step is needed."""
    extreme_s: float = 0.0
    """When the last extreme was."""
    turns: Moments = field(default_factory=none)
    """When each turn was, the instants of the extremes, and from which current it turned back."""

    def step(self, at_s: float, current_a: float) -> bool:
        """Take the next current; return whether it shows a turn."""
        before, low_a, high_a, gate_a = self.direction, self.quiet_from_a, self.quiet_to_a, self.gate_a
        if before <= 0 and current_a - low_a >= gate_a:
            direction = 1
        elif before >= 0 and high_a - current_a >= gate_a:
            direction = -1
        else:
            direction = before
        if direction > 0:
            if before > 0 and current_a <= high_a:
                return False
            self.quiet_from_a, self.quiet_to_a = current_a - gate_a + _LEAST_A, current_a
        elif direction < 0:
            if before < 0 and current_a >= low_a:
                return False
            self.quiet_from_a, self.quiet_to_a = current_a, current_a + gate_a - _LEAST_A
        else:
            self.quiet_from_a, self.quiet_to_a = min(low_a, current_a), max(high_a, current_a)
        has_turned = before not in (0, direction)
        if has_turned:
            extreme_a = low_a if direction > 0 else high_a
            self.turns = added(self.turns, self.extreme_s, extreme_a, self.keep)
        self.direction, self.extreme_s = direction, at_s
        return has_turned

    @property
    def count(self) -> int:
        """How many turns are kept."""
        return len(self.turns) // 2

    @property
    def at_s(self) -> Moments:
        """When each turn was."""
        return instants(self.turns)

    @property
    def turn_a(self) -> Moments:
        """From which current each turned back."""
        return currents(self.turns)

    def last_s(self, count: int) -> float:
        """Return when the first of the last so many turns was; there must be so many."""
        return self.turns[-2 * count]

    def turns_since(self, since_s: float) -> int:
        """Return how many of the turns kept are not older than `since_s`."""
        at_s = self.at_s
        return len(at_s) - bisect_left(at_s, since_s)

    def swings_a(self, count: int) -> list[float]:
        """Return the swings that led to the last so many turns, from extreme to extreme, as far as kept."""
        turn_a = self.turn_a[-count - 1 :]
        return list(map(abs, map(sub, turn_a[1:], turn_a)))

"""The turns of a noisy series: its extremes, found when it has come back from them by a gate (hysteresis)."""

from array import array
from dataclasses import dataclass, field

_LEAST_A = 1e-9


_NONE = array("d")
"""Shared by all that have no turn yet, which most never have."""


@dataclass(slots=True)
class ZigZag:
    """Where the zigzag stands, changed in place: its last turns, the oldest first, `keep` at most.

    A turn is counted when the current has come back by `gate_a` from its last extreme, so that noise and
    ripple below the gate count nothing; the movement out of the first rest is none.
    """

    gate_a: float
    keep: int
    direction: int = 0
    low_a: float = float("inf")
    low_s: float = 0.0
    high_a: float = float("-inf")
    high_s: float = 0.0
    quiet_from_a: float = float("inf")
    quiet_to_a: float = float("-inf")
    """A current between the two, these included, changes nothing: no step is needed."""
    at_s: "array[float]" = field(default_factory=lambda: _NONE)
    """When each turn was: the instants of the extremes."""
    turn_a: "array[float]" = field(default_factory=lambda: _NONE)
    """From which current each turned back."""

    def step(self, at_s: float, current_a: float) -> bool:
        """Take the next current; return whether it shows a turn."""
        before, turned = self.direction, 0
        if before <= 0 and current_a - self.low_a >= self.gate_a:
            turned = 1
            if before:
                self._keep(self.low_s, self.low_a)
        elif before >= 0 and self.high_a - current_a >= self.gate_a:
            turned = -1
            if before:
                self._keep(self.high_s, self.high_a)
        direction = self.direction = turned or before
        if turned > 0 or (direction >= 0 and current_a > self.high_a):
            self.high_a, self.high_s = current_a, at_s
        if turned < 0 or (direction <= 0 and current_a < self.low_a):
            self.low_a, self.low_s = current_a, at_s
        self.quiet_from_a = self.high_a - self.gate_a + _LEAST_A if direction > 0 else self.low_a
        self.quiet_to_a = self.low_a + self.gate_a - _LEAST_A if direction < 0 else self.high_a
        return turned != 0 and before != 0

    def _keep(self, at_s: float, turn_a: float) -> None:
        if self.at_s is _NONE:
            self.at_s, self.turn_a = array("d"), array("d")
        self.at_s.append(at_s)
        self.turn_a.append(turn_a)
        if len(self.at_s) > self.keep:
            del self.at_s[0], self.turn_a[0]

    def turns_since(self, since_s: float) -> int:
        """Return how many of the turns kept are not older than `since_s`."""
        count = 0
        for at_s in reversed(self.at_s):
            if at_s < since_s:
                break
            count += 1
        return count

    def swing_a(self, last: int) -> float:
        """Return the mean swing between the last so many turns, from extreme to extreme."""
        turns = self.turn_a[-last:]
        if len(turns) < 2:
            return 0.0
        return sum(abs(turns[i + 1] - turns[i]) for i in range(len(turns) - 1)) / (len(turns) - 1)

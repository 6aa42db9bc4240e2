"""The cadence of commands: a wished current that goes up and down, and how regularly it does."""

from array import array
from typing import ClassVar

from msgspec import Struct, field

from memorybank.detectors.moments import Moments, added, currents, instants, none

KEEP = 9
"""Changes kept: four periods and the change that ends them."""


class Cadence(Struct, gc=False):
    """The last changes of a wish, up and down in turn, the oldest first; changed in place.

    A change counts from `step_a` on; several the same way are one. `run` is the number of changes at the end
    that follow each other in equal periods of `period_s`, with the tolerance of whoever observes them.
    """

    step_a: float
    tolerance_s: float
    wish_a: float | None = None
    run: int = 0
    period_s: float = 0.0
    changes: Moments = field(default_factory=none)
    """When each change was, and to which current."""
    tolerance: ClassVar[float] = 0.1
    """Share of the period by which periods may differ."""

    def note(self, at_s: float, wish_a: float) -> None:
        """Take the wish as it is from `at_s` on."""
        before_a, changes = self.wish_a, self.changes
        if before_a is None or (changes and at_s < changes[-2]):
            self.wish_a = wish_a
            return
        change_a = wish_a - before_a
        if abs(change_a) < self.step_a:
            return
        self.wish_a = wish_a
        if not changes:
            # What it was before is kept as a change long ago, so that directions can be told.
            changes = array("d", (float("-inf"), before_a))
        elif (changes[-1] - changes[-3]) * change_a > 0:
            changes[-1] = wish_a
            return
        self.changes = added(changes, at_s, wish_a, KEEP)
        self._measure()

    def _measure(self) -> None:
        """Find how many changes at the end are regular: as long after the last but one as the newest is."""
        at_s = self.at_s
        self.run = min(len(at_s), 2)
        if len(at_s) < 4:
            return
        period_s = at_s[-1] - at_s[-3]
        allowed_s = max(self.tolerance_s, self.tolerance * period_s)
        periods, index = 0, len(at_s) - 1
        while index >= 2 and abs(at_s[index] - at_s[index - 2] - period_s) <= allowed_s:
            periods += 1
            index -= 1
        self.run = periods + 2
        # The sum of so many periods, of rises and of falls, leaves the first and last of each.
        self.period_s = (at_s[-1] - at_s[-1 - periods] + at_s[-2] - at_s[-2 - periods]) / periods

    @property
    def at_s(self) -> Moments:
        """When each change was."""
        return instants(self.changes)

    @property
    def to_a(self) -> Moments:
        """To which current each was."""
        return currents(self.changes)

    @property
    def duty(self) -> float:
        """The share of the last period for which the wish was the higher one."""
        if self.run < 3:
            return 0.0
        first_s, second_s, third_s = self.at_s[-3:]
        high_s = third_s - second_s if self.to_a[-2] > self.to_a[-1] else second_s - first_s
        return high_s / (third_s - first_s) if third_s > first_s else 0.0

    @property
    def last_s(self) -> float:
        """When the last change was."""
        return self.changes[-2]

    @property
    def since_s(self) -> float:
        """When the first change of the run came."""
        return self.changes[-2 * self.run]

"""The energy that flowed by current and voltage on the bus, at each of the last seconds."""

from array import array
from dataclasses import dataclass, field

_KEPT = 8
"""Readings: MeterValues reach the memory a few seconds after the bus, or before it."""
_WHOLE_S = 2.5
"""What flowed in a longer gap is not known; meters of charge points count as far, and no further."""
_BACK_S = 60.0
"""A clock that goes back by more was set."""


def _zeros() -> "array[float]":
    return array("d", bytes(8 * 3 * _KEPT))


@dataclass(slots=True)
class Flowed:
    """The integral of power over the readings of a bus since the first; changed in place."""

    last_s: float = float("-inf")
    last_w: float = 0.0
    wh: float = 0.0
    unsure_wh: float = 0.0
    """What may have flowed in gaps beside that, at most."""
    _next: int = 0
    _kept: "array[float]" = field(default_factory=_zeros)
    """Of each reading its instant, its watts, and the energy so far, one after the other."""

    def add(self, at_s: float, watts: float) -> None:
        """Take the power of an instant; what flows back from the vehicle does not count."""
        gap_s = at_s - self.last_s
        if watts < 0.0:  # noqa: PLR1730 - max would cost as much as all of this
            watts = 0.0
        if 0.0 < gap_s <= _WHOLE_S:
            self.wh += (self.last_w + watts) * gap_s / 7200
        elif gap_s <= 0.0:
            if gap_s > -_BACK_S:
                return
        elif self._next or self._kept[0]:  # not the first
            self.unsure_wh += max(self.last_w, watts) * gap_s / 3600
        kept, index = self._kept, self._next
        self.last_s = kept[index] = at_s
        self.last_w = kept[index + 1] = watts
        kept[index + 2] = self.wh
        self._next = (index + 3) % len(kept)

    def at(self, at_s: float) -> tuple[float, float, float] | None:
        """Return (Wh so far, watts, seconds since its reading) of an instant, where that is still known."""
        kept = self._kept
        for back in range(3, len(kept) + 3, 3):
            index = self._next - back
            since_s = at_s - kept[index]
            if since_s >= 0.0:
                if since_s > _WHOLE_S:
                    return None
                watts, wh = kept[index + 1], kept[index + 2]
                return wh + watts * since_s / 3600, watts, since_s
        return None

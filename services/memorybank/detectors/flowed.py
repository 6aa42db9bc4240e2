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
    return array("d", bytes(8 * _KEPT))


@dataclass(slots=True)
class Flowed:
    """The integral of power over the readings of a bus since the first; changed in place."""

    last_s: float = float("-inf")
    last_w: float = 0.0
    wh: float = 0.0
    unsure_wh: float = 0.0
    """What may have flowed in gaps beside that, at most."""
    _next: int = 0
    _at_s: "array[float]" = field(default_factory=_zeros)
    _watts: "array[float]" = field(default_factory=_zeros)
    _wh: "array[float]" = field(default_factory=_zeros)

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
        elif self._next or self._at_s[0]:  # not the first
            self.unsure_wh += max(self.last_w, watts) * gap_s / 3600
        self.last_s = self._at_s[self._next] = at_s
        self.last_w = self._watts[self._next] = watts
        self._wh[self._next] = self.wh
        self._next = (self._next + 1) % _KEPT

    def at(self, at_s: float) -> tuple[float, float, float] | None:
        """Return (Wh so far, watts, seconds since its reading) of an instant, where that is still known."""
        for back in range(1, _KEPT + 1):
            index = (self._next - back) % _KEPT
            since_s = at_s - self._at_s[index]
            if since_s >= 0.0:
                if since_s > _WHOLE_S:
                    return None
                return self._wh[index] + self._watts[index] * since_s / 3600, self._watts[index], since_s
        return None

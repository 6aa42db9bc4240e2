"""The energy that flowed by current and voltage on the bus, at each of the last seconds."""

from array import array

from msgspec import Struct, field

_KEPT = 8
"""Readings: MeterValues reach the memory a few seconds after the bus, or before it."""
_WHOLE_S = 2.5
"""What flowed in a longer gap is not known; meters of charge points count as far, and no further."""
_BACK_S = 60.0
"""A clock that goes back by more was set."""
_EVER_S = float("inf")
_NOTHING = (-_EVER_S, 0.0, 0.0)


def _none_yet() -> "array[float]":
    return array("d", _NOTHING * _KEPT)


class Flowed(Struct, gc=False):
    """The integral of power over the readings of a bus since the first; changed in place."""

    unsure_wh: float = 0.0
    """What may have flowed in gaps beside that, at most."""
    _last: int = 0
    _kept: "array[float]" = field(default_factory=_none_yet)
    """Of each reading its instant, its watts, and the energy so far, one after the other; `_last` is where
    the newest is."""

    @property
    def last_s(self) -> float:
        """When the newest reading was."""
        return self._kept[self._last]

    def add(self, at_s: float, watts: float) -> None:
        """Take the power of an instant; what flows back from the vehicle does not count."""
        kept, last = self._kept, self._last
        gap_s, last_w, wh = at_s - kept[last], kept[last + 1], kept[last + 2]
        if watts < 0.0:  # noqa: PLR1730 - max would cost as much as all of this
            watts = 0.0
        if 0.0 < gap_s <= _WHOLE_S:
            wh += (last_w + watts) * gap_s / 7200
        elif gap_s <= 0.0:
            if gap_s > -_BACK_S:
                return
        elif gap_s < _EVER_S:  # not the first
            self.unsure_wh += max(last_w, watts) * gap_s / 3600
        last = self._last = (last + 3) % len(kept)
        kept[last], kept[last + 1], kept[last + 2] = at_s, watts, wh

    def at(self, at_s: float) -> tuple[float, float, float] | None:
        """Return (Wh so far, watts, seconds since its reading) of an instant, where that is still known."""
        kept = self._kept
        for back in range(0, len(kept), 3):
            index = self._last - back
            since_s = at_s - kept[index]
            if since_s >= 0.0:
                if since_s > _WHOLE_S:
                    return None
                watts, wh = kept[index + 1], kept[index + 2]
                return wh + watts * since_s / 3600, watts, since_s
        return None

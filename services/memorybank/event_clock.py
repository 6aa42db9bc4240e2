"""What time it is at a place, by the events alone: they come late, in bursts, and from wrong clocks."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

_TICK = timedelta(seconds=1)
_RENEWED = timedelta(seconds=10)
"""The two limits follow the clock so far behind, and are counted from when they follow next."""
_LATE = -timedelta(seconds=60) - _RENEWED
"""Two sources are a few seconds apart; further back is a backlog, or another clock."""
_FAR = timedelta(seconds=130)
"""The slowest stations report once a minute."""
_TOO_FAR = _FAR - _RENEWED
_BELIEVED_AFTER = 10
"""Events from far off, before the clock went on by itself, after which it was the clock that was wrong."""


@dataclass(slots=True)
class EventClock:
    """The newest event time that is believed. Ask `move` where an event is not in `now` … `due_at`."""

    now: datetime
    due_at: datetime = field(init=False)
    _renew_at: datetime = field(init=False)
    _strays: int = 0

    def __post_init__(self) -> None:
        """Begin at `now`."""
        self._renew(self.now)

    def move(self, at: datetime, quiet_s: float = 0.0) -> bool:
        """Take an event's time; return whether a second went by since this last was true.

        `quiet_s`: for how long, by our clock, nothing was heard before it.
        """
        if self.due_at <= at < self._renew_at:  # nine of ten times: no sum but one
            self.now, self.due_at, self._strays = at, at + _TICK, 0
            return True
        since = at - self._renew_at
        if _LATE <= since < _TOO_FAR:
            goes_on = at >= self.due_at
        else:
            self._strays += 1
            passed = timedelta() <= at - self.now <= timedelta(seconds=quiet_s) + _FAR
            goes_on = passed or self._strays >= _BELIEVED_AFTER
        if goes_on:
            self._renew(at)
        return goes_on

    def told(self, at: datetime) -> datetime:
        """Return an event's time as far as it is believed: else what time it is."""
        return at if _LATE <= at - self._renew_at < _TOO_FAR else self.now

    def _renew(self, now: datetime) -> None:
        self.now, self._strays = now, 0
        self.due_at, self._renew_at = now + _TICK, now + _RENEWED

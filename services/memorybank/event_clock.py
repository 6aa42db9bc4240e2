"""What time it is at a place, by the events alone: they come late, in bursts, and from wrong clocks."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

_TICK = timedelta(seconds=1)
_LATE = timedelta(seconds=60)
"""Two sources are a few seconds apart; further back is a backlog, or another clock."""
_FAR = timedelta(seconds=130)
"""The slowest stations report once a minute."""
_RENEWED = timedelta(seconds=10)
"""Both limits follow so far behind: three additions a second, at each place, were a tenth of a detector."""
_BELIEVED_AFTER = 10
"""Events from far off, before the clock went on by itself, after which it was the clock that was wrong."""


@dataclass(slots=True)
class EventClock:
    """The newest event time that is believed. Ask `move` where an event is not in `late_at` … `due_at`."""

    now: datetime
    late_at: datetime = field(init=False)
    due_at: datetime = field(init=False)
    _far_at: datetime = field(init=False)
    _renew_at: datetime = field(init=False)
    _strays: int = 0

    def __post_init__(self) -> None:
        """Begin at `now`."""
        self._renew(self.now)

    def move(self, at: datetime, quiet_s: float = 0.0) -> bool:
        """Take an event's time; return whether a second went by since this last was true.

        `quiet_s`: for how long, by our clock, nothing was heard before it.
        """
        if at < self.late_at or at >= self._far_at:
            self._strays += 1
            passed = timedelta() <= at - self.now <= timedelta(seconds=quiet_s) + _FAR
            if self._strays < _BELIEVED_AFTER and not passed:
                return False
            self._renew(at)
            return True
        if at < self.due_at:
            return False
        self.now, self.due_at, self._strays = at, at + _TICK, 0
        if at >= self._renew_at:
            self._renew(at)
        return True

    def told(self, at: datetime) -> datetime:
        """Return an event's time as far as it is believed: else what time it is."""
        return at if self.late_at <= at < self._far_at else self.now

    def _renew(self, now: datetime) -> None:
        self.now, self._strays = now, 0
        self.late_at, self.due_at, self._far_at = now - _LATE, now + _TICK, now + _FAR
        self._renew_at = now + _RENEWED

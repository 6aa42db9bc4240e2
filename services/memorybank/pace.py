"""The pace of the ingest: every ten seconds what was stored, and how long after it happened.

The truth channel is left out: when labels come tells when scenarios begin.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec import Struct

from memorybank.ledger import Verdict

EVERY_S = 10.0


@dataclass(slots=True)
class Tally:
    """What one unit of work took; `oldest`: of each message the first event that was new."""

    oldest: list[datetime] = field(default_factory=list)
    events: int = 0
    readings: int = 0
    gaps: int = 0
    duplicates: int = 0
    ahead: int = 0

    def add(self, verdict: Verdict, oldest: datetime | None, events: int, readings: int) -> None:
        """Count a message in: the verdict on its numbers, and what of it was new."""
        if oldest is not None:
            self.oldest.append(oldest)
        self.events += events
        self.readings += readings
        self.gaps += verdict.gap
        self.duplicates += verdict.duplicates
        self.ahead += verdict.ahead


class Pulse(Struct, frozen=True, kw_only=True):
    """A row of memory.pulses."""

    at: datetime
    partition: int
    length_s: float
    lag_p50_s: float | None
    lag_p95_s: float | None
    lag_p99_s: float | None
    lag_max_s: float | None
    transactions: int
    messages: int
    events: int
    readings: int
    gaps: int
    duplicates: int
    ahead: int
    waiting_messages: int


class Pace:
    """Sums up what is committed; a pulse is what was, since the last one. A crash loses that much of it."""

    def __init__(self, partition: int, now_s: float) -> None:
        """`partition` tells it from the MemoryBanks that share the work; `now_s` of any steady clock."""
        self._partition = partition
        self._begun_s = now_s
        self._sum = Tally()
        self._lags_s: list[float] = []
        self._transactions = 0

    def commit(self, tally: Tally, now: datetime) -> None:
        """Take what was committed just now."""
        if tally == Tally():
            return  # labels only: nothing of it may show
        self._transactions += 1
        # A clock that is ahead would have it arrive before it happened.
        self._lags_s += [max(0.0, (now - at).total_seconds()) for at in tally.oldest]
        self._sum.events += tally.events
        self._sum.readings += tally.readings
        self._sum.gaps += tally.gaps
        self._sum.duplicates += tally.duplicates
        self._sum.ahead += tally.ahead

    def pulse(self, now: datetime, now_s: float, waiting_messages: int) -> Pulse | None:
        """Return the pulse that is due and begin the next; None where ten seconds are not over."""
        length_s = now_s - self._begun_s
        if length_s < EVERY_S:
            return None
        lags_s = sorted(self._lags_s)
        due = Pulse(
            at=now,
            partition=self._partition,
            length_s=length_s,
            lag_p50_s=_quantile(lags_s, 0.5),
            lag_p95_s=_quantile(lags_s, 0.95),
            lag_p99_s=_quantile(lags_s, 0.99),
            lag_max_s=_quantile(lags_s, 1.0),
            transactions=self._transactions,
            messages=len(lags_s),
            events=self._sum.events,
            readings=self._sum.readings,
            gaps=self._sum.gaps,
            duplicates=self._sum.duplicates,
            ahead=self._sum.ahead,
            waiting_messages=waiting_messages,
        )
        self._begun_s, self._sum, self._lags_s, self._transactions = now_s, Tally(), [], 0
        return due


def _quantile(ascending: Sequence[float], part: float) -> float | None:
    """Return the least value that `part` of them do not exceed."""
    return ascending[math.ceil(part * len(ascending)) - 1] if ascending else None

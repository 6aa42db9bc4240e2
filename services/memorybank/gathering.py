"""What a session shows of the metrics that are learned: gathered from the readings of one connector."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from contracts.events import Reading
from memorybank.baselines import METRICS, Metric, Summary

_SHORTEST_S = 60.0
"""A session of less shows nothing of what is usual."""
_TURN_A = 5.0
_MOVES_A_S = 2.0
"""From so much on the current moves: above a sensor's noise (sd 0.3 A at most)."""
_STEADY_AFTER_S = 3.0
_FLOWS_A = 5.0
_LONGEST_GAP_S = 60.0
_EVERY = timedelta(seconds=5)
"""What changes little within a session is looked at so often: twelve values a minute say as much as sixty."""

COMMANDED, CURRENT, SLEW, REVERSALS, FRAME_GAP, METER_GAIN, START_GAP = METRICS

Summaries: TypeAlias = dict[tuple[str, str], Summary]


@dataclass(slots=True)
class Session:
    """A session as it is gathered; `is_whole`: its start was seen."""

    transaction_id: int
    started_at: datetime
    is_whole: bool
    ended_at: datetime
    due_at: datetime
    report_due_at: datetime
    reversals: int = 0
    summaries: Summaries = field(default_factory=dict)

    def add(self, metric: Metric, value: float) -> None:
        """Take a value of a metric."""
        key = metric.name, metric.phase
        summary = self.summaries.get(key)
        if summary is None:
            summary = self.summaries[key] = Summary(histogram={})
        summary.add(metric, value)


@dataclass(slots=True)
class Gathering:
    """A connector's current and the session that runs, if one does; changed in place."""

    at: datetime | None = None
    current_a: float = 0.0
    moved_at: datetime | None = None
    low_a: float = 0.0
    high_a: float = 0.0
    direction: int = 0
    begun_at: datetime | None = None
    session: Session | None = None

    def take(self, reading: Reading) -> Session | None:
        """Take the connector's next reading; return the session that it ends, if it was seen whole."""
        if reading.origin == "ocpp":
            self._report(reading)
            return None
        at, current_a, before_at = reading.at, reading.current_a, self.at
        if current_a is None or (before_at is not None and at <= before_at):
            return None
        ended = None
        session = self.session
        if session is not None and session.transaction_id != reading.transaction_id:
            ended, self.session = _whole(session), None
            session = None
        if session is None and reading.transaction_id is not None:
            session = self.session = self._begun(reading.transaction_id, at)
        if session is not None and before_at is not None:
            self._measure(session, reading, current_a, (at - before_at).total_seconds())
        self.at, self.current_a = at, current_a
        return ended

    def _begun(self, transaction_id: int, at: datetime) -> Session:
        # After a gap, or as the first of all, it may have run before.
        is_whole = self.at is not None and (at - self.at).total_seconds() < _LONGEST_GAP_S
        session = Session(transaction_id, at, is_whole, at, at, at)
        if self.begun_at is not None:
            session.add(START_GAP, (at - self.begun_at).total_seconds())
        self.begun_at, self.moved_at = at, at
        self.low_a = self.high_a = self.current_a
        self.direction = 0
        return session

    def _measure(self, session: Session, reading: Reading, current_a: float, gap_s: float) -> None:
        at = session.ended_at = reading.at
        slew_a_s = abs(current_a - self.current_a) / gap_s
        if slew_a_s >= _MOVES_A_S:
            self.moved_at = at
            session.add(SLEW, slew_a_s)
            self._turn(session, current_a)
        if at < session.due_at:
            return
        session.due_at = at + _EVERY
        if reading.commanded_a is not None:
            session.add(COMMANDED, reading.commanded_a)
        session.add(FRAME_GAP, min(gap_s, _LONGEST_GAP_S))
        if current_a >= _FLOWS_A and self._is_steady(at):
            session.add(CURRENT, current_a)

    def _turn(self, session: Session, current_a: float) -> None:
        self.low_a, self.high_a = min(self.low_a, current_a), max(self.high_a, current_a)
        if self.direction >= 0 and self.high_a - current_a >= _TURN_A:
            session.reversals += self.direction > 0
            self.direction, self.low_a = -1, current_a
        elif self.direction <= 0 and current_a - self.low_a >= _TURN_A:
            session.reversals += self.direction < 0
            self.direction, self.high_a = 1, current_a

    def _report(self, reading: Reading) -> None:
        session = self.session
        if session is None or reading.at < session.report_due_at:
            return
        if reading.current_a is None or self.at is None:
            return
        is_near = abs((reading.at - self.at).total_seconds()) <= _STEADY_AFTER_S
        if is_near and self.current_a >= _FLOWS_A and self._is_steady(self.at):
            session.report_due_at = reading.at + _EVERY
            session.add(METER_GAIN, reading.current_a / self.current_a)

    def _is_steady(self, at: datetime) -> bool:
        return self.moved_at is not None and (at - self.moved_at).total_seconds() >= _STEADY_AFTER_S


def _whole(session: Session) -> Session | None:
    """Return a session that is to be learned from, with what only its end shows."""
    lasted_s = (session.ended_at - session.started_at).total_seconds()
    if not session.is_whole or lasted_s < _SHORTEST_S:
        return None
    session.add(REVERSALS, 60 * session.reversals / lasted_s)
    return session

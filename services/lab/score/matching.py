"""Alarms against the truth: which event each belongs to, and which belong to none. Pure.

The first crossing counts. Alarms of one charge point within 60 s of each other are one alarm, told first by
the first of them. An alarm belongs to one event at most: the one during which it came, at one of its charge
points (an alarm of the whole fleet: to an event of several). All others are false. Nothing is adjusted: an
alarm that stood before an event began did not find it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from contracts.events import FLEET

MERGE = timedelta(seconds=60)
GRACE = timedelta(seconds=60)
"""After an event's end its alarm may still come: a window has to fill."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """An anomaly's opening as a detector told it; `kind` empty: of a baseline, which has no names."""

    charge_point_id: str
    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """One anomaly that was provoked, or a benign run; `accepted`: the names that are right for it."""

    scenario: str
    accepted: frozenset[str]
    charge_point_ids: frozenset[str]
    commanded_at: datetime
    physical_at: datetime | None
    ended_at: datetime
    parameters: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one event. Delays in seconds; None: not detected (or no physical start known)."""

    event: TrueEvent
    alarms: tuple[Alarm, ...] = ()

    @property
    def detected(self) -> bool:
        """Whether an alarm belongs to it."""
        return bool(self.alarms)

    @property
    def delay_s(self) -> float | None:
        """From the first command to the first alarm."""
        return (self.alarms[0].at - self.event.commanded_at).total_seconds() if self.alarms else None

    @property
    def physical_delay_s(self) -> float | None:
        """From the first physical effect to the first alarm; an alarm before it has no delay."""
        if not self.alarms or self.event.physical_at is None:
            return None
        return max(0.0, (self.alarms[0].at - self.event.physical_at).total_seconds())

    @property
    def named_first(self) -> bool:
        """Whether the first alarm has a right name."""
        return bool(self.alarms) and self.alarms[0].kind in self.event.accepted

    @property
    def named(self) -> bool:
        """Whether any alarm within the merge of the first one has a right name: one alarm with its names."""
        if not self.alarms:
            return False
        until = self.alarms[0].at + MERGE
        return any(alarm.kind in self.event.accepted for alarm in self.alarms if alarm.at <= until)


@dataclass(frozen=True, slots=True)
class Judged:
    """All of a stretch of life: events with their alarms, and the false alarms, merged."""

    found: tuple[Found, ...]
    false_alarms: tuple[Alarm, ...]


def judged(events: Sequence[TrueEvent], alarms: Iterable[Alarm]) -> Judged:
    """Return which alarms belong to which events; false ones are merged, those of events are kept apart."""
    of_event: dict[int, list[Alarm]] = {number: [] for number in range(len(events))}
    strays: list[Alarm] = []
    for alarm in sorted(alarms, key=lambda alarm: alarm.at):
        number = next((n for n, event in enumerate(events) if belongs(alarm, event)), None)
        (strays if number is None else of_event[number]).append(alarm)
    found = tuple(Found(event, tuple(of_event[number])) for number, event in enumerate(events))
    return Judged(found, tuple(merged(strays)))


def merged(alarms: Iterable[Alarm]) -> list[Alarm]:
    """Return the alarms, sorted by time, without those within MERGE of the one before at their place."""
    kept: list[Alarm] = []
    last: dict[str, datetime] = {}
    for alarm in alarms:
        before = last.get(alarm.charge_point_id)
        last[alarm.charge_point_id] = alarm.at
        if before is None or alarm.at - before > MERGE:
            kept.append(alarm)
    return kept


def shared_out(false_alarms: Iterable[Alarm], lives: Sequence[TrueEvent]) -> list[tuple[Alarm, ...]]:
    """Return the false alarms of each benign run; one that comes soon after it is the next run's, if any."""
    came: list[list[Alarm]] = [[] for _ in lives]
    for alarm in false_alarms:
        number = max((n for n, life in enumerate(lives) if belongs(alarm, life)), default=None)
        if number is not None:
            came[number].append(alarm)
    return [tuple(alarms) for alarms in came]


def belongs(alarm: Alarm, event: TrueEvent) -> bool:
    """Return whether an alarm came in time, and at one of the event's charge points."""
    if not event.commanded_at <= alarm.at <= event.ended_at + GRACE:
        return False
    if alarm.charge_point_id == FLEET:
        return len(event.charge_point_ids) > 1
    return alarm.charge_point_id in event.charge_point_ids

"""One unit of work: what one transaction stores, and where its sources stand afterwards."""

from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import cast

from msgspec import Struct

from contracts.events import AnyEvent, Reading
from memorybank import ledger
from memorybank.changes import CHANGE_NOTHING, Changes
from memorybank.intake import Numbered, SetAside, Taken
from memorybank.learning import Version
from memorybank.pace import Pulse, Tally
from memorybank.records import Rows
from memorybank.watch import Finding, Watch

_INSTANT = attrgetter("at")


class Advance(Struct, kw_only=True):
    """How a source moves from `before` to `committed`, and what was counted on the way."""

    source_no: int
    before: int
    committed: int
    gap: int = 0
    duplicates: int = 0
    ahead: int = 0
    events: int = 0
    metrics: int = 0
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None

    def seen(self, at: datetime) -> None:
        """Take the instant of an event."""
        if self.first_event_at is None or at < self.first_event_at:
            self.first_event_at = at
        if self.last_event_at is None or at > self.last_event_at:
            self.last_event_at = at


class Gap(Struct, kw_only=True):
    """Numbers of a source, both included, that it believes stored and that are not here."""

    source_no: int
    first_seq: int
    last_seq: int


class Window(Struct, kw_only=True):
    """A stretch of time on a connector whose sessions must count their anomalies again."""

    charge_point_id: str
    connector: int
    started_at: datetime
    ended_at: datetime | None


@dataclass(slots=True)
class Work:
    """Gathered from many batches, stored in one transaction."""

    rows: Rows = field(default_factory=Rows)
    changes: Changes = field(default_factory=Changes)
    advances: dict[int, Advance] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    pulse: Pulse | None = None
    learned: Version | None = None

    def add(
        self, source_no: int, committed: int, topic: str, taken: Taken, watch: Watch, heard_s: float
    ) -> int:
        """Take what is new of a batch; its source is stored up to `committed`; return up to where then."""
        verdict = ledger.judge(committed, taken.committed, taken.first_seq, len(taken.events))
        advance = self.advances.get(source_no)
        if advance is None:
            advance = Advance(source_no=source_no, before=committed, committed=committed)
            self.advances[source_no] = advance
        advance.committed = verdict.committed
        if verdict.gap:
            missing = Gap(source_no=source_no, first_seq=committed + 1, last_seq=committed + verdict.gap)
            self.gaps.append(missing)
        advance.gap += verdict.gap
        advance.duplicates += verdict.duplicates
        advance.ahead += verdict.ahead
        new = taken.events[verdict.skip :] if verdict.skip else taken.events
        self.rows.add(source_no, taken.first_seq + verdict.skip, topic, new)
        happened = _happened(new, is_whole=taken.is_whole)
        instants = sorted(map(_INSTANT, happened))  # in order already, nearly
        if instants:
            advance.seen(instants[0])
            advance.seen(instants[-1])
        kinds = list(map(type, happened))
        for kind, event in zip(kinds, happened, strict=True):
            if kind not in CHANGE_NOTHING:
                self.changes.add(event)
        if taken.channel == "events":
            # Never the truth's channel: who detects does not know it.
            self.findings += watch.observe_all(happened, heard_s)
            readings = kinds.count(Reading)
            events = len(happened) - readings
            advance.events += events
            advance.metrics += readings
            self.tally.add(verdict, happened[0].at if happened else None, events, readings)
        return verdict.committed

    @property
    def empty(self) -> bool:
        """Whether there is nothing to store."""
        return not (self.advances or self.rows.poison or self.findings or self.pulse or self.learned)

    def recount(self) -> list[Window]:
        """Return where sessions must count their anomalies again."""
        begun_or_ended = [
            Window(
                charge_point_id=session.charge_point_id,
                connector=session.connector,
                started_at=session.started_at,
                ended_at=session.ended_at,
            )
            for session in self.changes.sessions.values()
            if session.connector is not None
            and (session.meter_start_wh is not None or session.ended_at is not None)
        ]
        opened_or_closed = [
            Window(
                charge_point_id=anomaly.charge_point_id,
                connector=anomaly.connector,
                started_at=anomaly.started_at,
                # Sessions between its last sign and its close counted it while it was open.
                ended_at=anomaly.updated_at if anomaly.phase == "closed" else None,
            )
            for anomaly in (finding.anomaly for finding in self.findings)
            if anomaly.phase != "updated"
        ]
        return begun_or_ended + opened_or_closed


def _happened(numbered: list[Numbered], *, is_whole: bool) -> list[AnyEvent]:
    """Return the events among what stands at some numbers; `is_whole`: nothing else does."""
    if is_whole:
        return cast("list[AnyEvent]", numbered)
    return [event for event in numbered if not isinstance(event, SetAside)]

"""Learning: sessions that ended, lay in quarantine and had no anomaly near them move the baselines a little.

What is learned is versioned: at most every few minutes the sessions that became clean make version n + 1. A
drift is proposed to people and not learned. Whoever calls has the clock and the store.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeAlias
from uuid import UUID

from msgspec import Struct, structs

from contracts.events import FLEET, Anomaly, Event, Reading
from memorybank import baselines
from memorybank.baselines import BY_NAME, Baseline, Summary
from memorybank.detector import Expectation, Expected
from memorybank.gathering import Gathering, Session

Key: TypeAlias = tuple[str, int, str, str]
"""Charge point, connector, metric, phase."""

_MOST_WAITING = 10_000
_MOST_BASELINES = 200_000
"""Beyond, what was not learned of for longest is forgotten: some 100 MB."""
_MOST_CONNECTORS = 50_000
_SILENT = timedelta(hours=1)
"""A session that nothing was heard of for so long will not teach."""


class Proposal(Struct, frozen=True, kw_only=True):
    """A drift for people to agree with: sessions have a mean of `mean` now, and `known_mean` was usual."""

    charge_point_id: str
    connector: int
    metric: str
    phase: str
    proposed_at: datetime
    known_mean: float
    known_sd: float
    mean: float
    version: int


class Version(Struct, frozen=True, kw_only=True):
    """What became of the baselines: `number`, from how many clean sessions, which of them changed."""

    number: int
    at: datetime
    sessions: int
    changed: list[Baseline]
    proposals: list[Proposal]


@dataclass(slots=True)
class _Waiting:
    """A session in quarantine."""

    charge_point_id: str
    connector: int
    session: Session


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Where and when an anomaly was; `ended_at` None: it is."""

    connector: int
    started_at: datetime
    ended_at: datetime | None


@dataclass(slots=True)
class Learning:
    """All baselines of one memory and the sessions on their way into them; changed in place."""

    quarantine: timedelta = timedelta(minutes=10)
    """What happens so soon before or after a session speaks against it."""
    every: timedelta = timedelta(minutes=10)
    """At most one version in so long."""
    baselines: dict[Key, Baseline] = field(default_factory=dict)
    version: int = 0
    learned_sessions: int = 0
    refused_sessions: int = 0
    """Sessions that were not learned from, since an anomaly was near or too many waited."""
    _gathered: dict[tuple[str, int], Gathering] = field(default_factory=dict)
    _waiting: deque[_Waiting] = field(default_factory=deque)
    _troubles: dict[str, dict[UUID, _Trouble]] = field(default_factory=dict)
    _versioned_at: datetime | None = None

    def observe(self, event: Event) -> None:
        """Take what happened; only readings teach."""
        if type(event) is not Reading:
            return
        charge_point_id, connector = event.charge_point_id, event.connector
        if charge_point_id is None or not connector:
            return
        gathering = self._gathered.get((charge_point_id, connector))
        if gathering is None:
            if len(self._gathered) >= _MOST_CONNECTORS:
                del self._gathered[next(iter(self._gathered))]
            gathering = self._gathered[charge_point_id, connector] = Gathering()
        ended = gathering.take(event)
        if ended is None:
            return
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.popleft()
            self.refused_sessions += 1
        self._waiting.append(_Waiting(charge_point_id, connector, ended))

    def note(self, anomaly: Anomaly) -> None:
        """Take a change of an anomaly: what is near it is not learned from."""
        trouble = _Trouble(anomaly.connector, anomaly.started_at, anomaly.ended_at)
        self._troubles.setdefault(anomaly.charge_point_id, {})[anomaly.id] = trouble

    def advance(self, now: datetime) -> Version | None:
        """Learn from what is clean by `now`; return the new version, if that is one."""
        if self._versioned_at is not None and timedelta(0) <= now - self._versioned_at < self.every:
            return None
        changed: dict[Key, Baseline] = {}
        proposals: list[Proposal] = []
        sessions = 0
        for _ in range(len(self._waiting)):
            waiting = self._waiting.popleft()
            if waiting.session.ended_at + self.quarantine > now:
                self._waiting.append(waiting)
            elif self._is_troubled(waiting):
                self.refused_sessions += 1
            else:
                sessions += 1
                self._learn(waiting, changed, proposals)
        self._forget(now)
        if not sessions:
            return None
        self.learned_sessions += sessions
        self._versioned_at = now
        self.version += 1
        for key, baseline in changed.items():
            changed[key] = self.baselines[key] = structs.replace(baseline, version=self.version)
        return Version(
            number=self.version,
            at=now,
            sessions=sessions,
            changed=list(changed.values()),
            proposals=proposals,
        )

    def expectation(self, charge_point_id: str, connector: int) -> Expectation:
        """Return what a place's detectors may ask: what is usual here, now."""
        return partial(self._expected, charge_point_id, connector)

    def load(self, known: Iterable[Baseline], version: int, agreed: Iterable[Proposal] = ()) -> None:
        """Take up after a restart: the baselines, and the drifts that people agreed with since."""
        self.version = version
        for baseline in known:
            if (baseline.metric, baseline.phase) in BY_NAME and len(baseline.histogram) == baselines.BINS:
                self.baselines[_key(baseline)] = baseline
        for proposal in agreed:
            held = self.baselines.get(_key(proposal))
            if held is not None and held.is_held:
                self.baselines[_key(proposal)] = baselines.agreed(held, proposal.mean)

    def _expected(self, charge_point_id: str, connector: int, metric: str, phase: str) -> Expected | None:
        own = self.baselines.get((charge_point_id, connector, metric, phase))
        fleet = self.baselines.get((FLEET, 0, metric, phase))
        return baselines.expected(own, fleet)

    def _learn(self, waiting: _Waiting, changed: dict[Key, Baseline], proposals: list[Proposal]) -> None:
        at = waiting.session.ended_at
        for (metric, phase), summary in waiting.session.summaries.items():
            own = (waiting.charge_point_id, waiting.connector, metric, phase)
            for key in (own, (FLEET, 0, metric, phase)):
                self._move(key, summary, at, changed, proposals)

    def _move(
        self,
        key: Key,
        summary: Summary,
        at: datetime,
        changed: dict[Key, Baseline],
        proposals: list[Proposal],
    ) -> None:
        known = self.baselines.get(key)
        charge_point_id, connector, metric, phase = key
        if known is None:
            moved = baselines.first(BY_NAME[metric, phase], charge_point_id, connector, summary, at)
        else:
            moved = baselines.learned(known, summary, at)
            if moved.is_held and not known.is_held:
                proposals.append(_proposal(known, moved.recent_mean, at, self.version + 1))
        changed[key] = self.baselines[key] = moved

    def _is_troubled(self, waiting: _Waiting) -> bool:
        begin = waiting.session.started_at - self.quarantine
        end = waiting.session.ended_at + self.quarantine
        return any(
            trouble.connector in (0, waiting.connector)
            and trouble.started_at <= end
            and (trouble.ended_at is None or trouble.ended_at >= begin)
            for place in (waiting.charge_point_id, FLEET)
            for trouble in self._troubles.get(place, {}).values()
        )

    def _forget(self, now: datetime) -> None:
        """Let go what nothing will be asked of: troubles before all sessions, the oldest baselines."""
        starts = [waiting.session.started_at for waiting in self._waiting]
        running = [gathering.session for gathering in self._gathered.values() if gathering.session]
        starts += [session.started_at for session in running if now - session.ended_at < _SILENT]
        before = min([now, *starts]) - 2 * self.quarantine
        for place, troubles in list(self._troubles.items()):
            for anomaly_id, trouble in list(troubles.items()):
                if trouble.ended_at is not None and trouble.ended_at < before:
                    del troubles[anomaly_id]
            if not troubles:
                del self._troubles[place]
        excess = len(self.baselines) - _MOST_BASELINES
        if excess > 0:
            oldest = sorted(self.baselines, key=lambda key: self.baselines[key].updated_at)
            for key in oldest[:excess]:
                del self.baselines[key]


def _key(about: Baseline | Proposal) -> Key:
    return about.charge_point_id, about.connector, about.metric, about.phase


def _proposal(known: Baseline, mean: float, at: datetime, version: int) -> Proposal:
    return Proposal(
        charge_point_id=known.charge_point_id,
        connector=known.connector,
        metric=known.metric,
        phase=known.phase,
        proposed_at=at,
        known_mean=known.anchor_mean if known.anchor_mean is not None else known.mean,
        known_sd=known.anchor_sd if known.anchor_sd is not None else known.sd,
        mean=mean,
        version=version,
    )

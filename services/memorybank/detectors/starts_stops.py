"""Sessions that are over as soon as they began, one after the other: a stop storm, a zero-energy flood.

A storm: every session is stopped from afar within a minute. A flood: sessions of seconds in which nothing
flows, whoever ends them. A driver who pauses and comes back does so once or twice, and charges in between.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Literal, TypeAlias

from contracts.events import Event, Severity, TransactionEnded, TransactionStarted
from memorybank.detector import Layer, Place, Scope, Sign
from memorybank.detectors.orphan_transaction import CONCLUDED

Kind: TypeAlias = Literal["stop-storm", "zero-energy-flood"]

FROM_AFAR = frozenset({"Remote", "HardReset", "SoftReset"})
"""OCPP's reasons of a stop that the central system commanded."""
_TOLD_AGAIN_S = 10.0
_LEAST_HOLD_S = 30.0


@dataclass(slots=True)
class Run:
    """Sessions of one kind, one after the other; changed in place."""

    kind: Kind
    least: int
    """From so many on it is told of."""
    pause_s: float
    """Longer apart two sessions do not belong together."""
    count: int = 0
    since_s: float = 0.0
    ended_s: float = 0.0
    lasted_s: float = 0.0
    """All sessions together."""
    energy_wh: float = 0.0
    told_s: float = float("-inf")

    def add(self, started_s: float, ended_s: float, energy_wh: float) -> None:
        """Take the next session of this kind."""
        if not self.count or not 0.0 <= started_s - self.ended_s <= self.pause_s:
            self.clear()
            self.since_s = started_s
        self.count += 1
        self.ended_s = ended_s
        self.lasted_s += ended_s - started_s
        self.energy_wh += energy_wh

    def clear(self) -> None:
        """Forget them: another session came in between."""
        self.count, self.lasted_s, self.energy_wh, self.told_s = 0, 0.0, 0.0, float("-inf")

    @property
    def period_s(self) -> float:
        """From start to start, as far as there was more than one."""
        between = self.ended_s - self.since_s - self.lasted_s / self.count
        return between / (self.count - 1) if self.count > 1 else 0.0

    def lasts(self, now_s: float) -> bool:
        """Return whether there were enough, and the next one is not yet missing."""
        if self.count < self.least:
            return False
        return now_s - self.ended_s <= max(_LEAST_HOLD_S, 1.5 * self.period_s)


@dataclass(slots=True)
class State:
    """The session that runs and those of each kind before it; changed in place."""

    storm: Run
    flood: Run
    transaction_id: int | None = None
    started_s: float = 0.0
    meter_start_wh: float = 0.0
    shows: bool = False
    """Whether one of the two is told of."""


@dataclass(frozen=True, slots=True)
class StartsStops:
    """The detector and its thresholds."""

    storm_sessions: int = 3
    """Sessions stopped from afar, one after the other: who pauses and comes back makes two (H9)."""
    storm_session_s: float = 60.0
    """Seconds up to which such a session is one that somebody cut off."""
    storm_least_s: float = 4.5
    """Seconds from which on such a session is one at all: shorter ones swing, which reversals tell of."""
    storm_pause_s: float = 660.0
    """Seconds between two of them, at most: the next driver of a busy place comes within ten minutes."""
    flood_sessions: int = 4
    """Sessions without energy, one after the other: a car that refuses is tried again twice or so."""
    flood_session_s: float = 15.0
    """Seconds up to which such a session is none: a slow vehicle has drawn nothing yet."""
    flood_pause_s: float = 90.0
    """Seconds between two of them, at most."""
    nothing_wh: float = 1.0
    """Watt-hours up to which nothing flowed: OCPP's registers are whole ones."""
    name: ClassVar[str] = "starts_stops"
    layer: ClassVar[Layer] = "consistency"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (TransactionStarted, TransactionEnded)

    def start(self, _place: Place) -> State:
        """Return the state before the first event."""
        return State(
            Run("stop-storm", self.storm_sessions, self.storm_pause_s),
            Run("zero-energy-flood", self.flood_sessions, self.flood_pause_s),
        )

    def step(self, state: State, event: TransactionStarted | TransactionEnded) -> Sign | None:
        """Take the connector's next start or end; an end whose start is unknown says nothing."""
        at_s = event.at.timestamp()
        if isinstance(event, TransactionStarted):
            state.transaction_id, state.started_s = event.transaction_id, at_s
            state.meter_start_wh = event.meter_start_wh
            return None
        if event.transaction_id != state.transaction_id:
            return None
        state.transaction_id = None
        if event.reason in CONCLUDED:
            return None  # when it ended, and with how much energy, nobody told
        run = self._run_of(state, event, at_s)
        if run is None:
            state.storm.clear()
            state.flood.clear()
            return None
        run.add(state.started_s, at_s, max(0.0, event.meter_stop_wh - state.meter_start_wh))
        if run.count < run.least:
            return None
        state.shows = True
        run.told_s = at_s
        return _sign(run)

    def tick(self, state: State, now: datetime) -> Sign | None:
        """Tell again of what lasts from one session to the next."""
        if not state.shows:
            return None
        now_s = now.timestamp()
        lasting = [run for run in (state.storm, state.flood) if run.lasts(now_s)]
        state.shows = bool(lasting)
        for run in lasting:
            if now_s - run.told_s >= _TOLD_AGAIN_S:
                run.told_s = now_s
                return _sign(run)
        return None

    def _run_of(self, state: State, ended: TransactionEnded, at_s: float) -> Run | None:
        """Return to which a session belongs that ends now; None: it is like others."""
        lasted_s, energy_wh = at_s - state.started_s, ended.meter_stop_wh - state.meter_start_wh
        if 0.0 <= lasted_s <= self.flood_session_s and energy_wh <= self.nothing_wh:
            return state.flood
        if self.storm_least_s <= lasted_s <= self.storm_session_s and ended.reason in FROM_AFAR:
            return state.storm
        return None


def _sign(run: Run) -> Sign:
    mean_s, span_s = run.lasted_s / run.count, run.ended_s - run.since_s
    per_h = 3600 / run.period_s if run.period_s > 0.0 else 0.0
    end = "stopped from afar" if run.kind == "stop-storm" else f"over, with {run.energy_wh:.0f} Wh in all,"
    return Sign(
        kind=run.kind,
        since=datetime.fromtimestamp(run.since_s, UTC),
        score=round(run.count / run.least, 2),
        threshold=1.0,
        deviation=round(per_h, 1),
        severity=_severity(run),
        explanation=(
            f"{run.count} sessions one after the other were {end} after {mean_s:.0f} s on average, within"
            f" {span_s:.0f} s ({per_h:.0f} an hour, {run.energy_wh / run.count:.0f} Wh each)"
        ),
        pattern={
            "session_s": round(mean_s, 1),
            "period_s": round(run.period_s, 1),
            "energy_wh": round(run.energy_wh / run.count, 1),
        },
    )


def _severity(run: Run) -> Severity:
    """Return how bad it is: three openings under load may be all that a contactor survives (EVerest).

    Where nothing flows, nothing wears but the records, until they are full of it.
    """
    if run.kind == "zero-energy-flood":
        return "warning" if run.count >= 10 else "info"
    return "critical" if run.count >= 10 else "warning"


DETECTOR = StartsStops()

"""Phantom session: a transaction runs, the status says Charging, the module offers plenty, and nothing flows.

A vehicle that takes nothing is SuspendedEV, a charge point that gives nothing SuspendedEVSE: then the status
says so. A battery that fills up lets the current fall slowly; a converter that delivers nothing does not.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from contracts.events import Event, Reading, Severity, StatusChanged
from memorybank.detector import Layer, Place, Scope, Sign, no_tick
from memorybank.detectors.telling import Telling

KIND = "phantom-session"

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class State(Telling):
    """The session, when something flowed in it, and since when nothing does; changed in place."""

    status: str = ""
    transaction_id: int | None = None
    flowed_at: datetime = _LONG_AGO
    """When it was last seen that plenty flowed in this session."""
    flowed_a: float = 0.0
    nothing_at: datetime | None = None
    """Since when nothing flows."""
    most_a: float = 0.0
    """The most that was measured since then."""


@dataclass(frozen=True, slots=True)
class PhantomSession:
    """The detector and its thresholds."""

    nothing_a: float = 1.5
    """Amperes up to which nothing flows: a sensor may be 0.5 A off, with a noise of 0.3 A."""
    plenty_a: float = 5.0
    """Amperes from which a current is one that a session lives on: no vehicle asks for less than 6 A."""
    fell_s: float = 10.0
    """Seconds in which the current fell from plenty to nothing: a taper of 1 A in four seconds takes more."""
    hold_s: float = 12.0
    """Seconds for which nothing must flow: status and readings come from two sources, readings get lost."""
    begin_s: float = 90.0
    """The same where nothing flowed in the session yet: tests before the first ampere take up to a minute."""
    full_soc_percent: float = 97.0
    """From so much charge on a vehicle takes next to nothing."""
    name: ClassVar[str] = "phantom_session"
    layer: ClassVar[Layer] = "consistency"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (Reading, StatusChanged)
    origins: ClassVar[frozenset[str]] = frozenset({"can"})
    tick = no_tick

    def start(self, _place: Place) -> State:
        """Return the state before the first event."""
        return State()

    def step(self, state: State, event: Reading | StatusChanged) -> Sign | None:
        """Take the connector's next reading or status."""
        if isinstance(event, StatusChanged):
            if event.connector:  # that of the whole station is of no session
                state.status = event.status
                state.nothing_at = None
            return None
        transaction_id, current_a = event.transaction_id, event.current_a
        if transaction_id is None or current_a is None:
            return None
        if transaction_id != state.transaction_id:
            state.transaction_id, state.flowed_at, state.nothing_at = transaction_id, _LONG_AGO, None
        if current_a > self.nothing_a:
            state.nothing_at = None
            if current_a >= self.plenty_a:
                state.flowed_at, state.flowed_a = event.at, current_a
            return None
        return self._judged(state, event, current_a)

    def _judged(self, state: State, reading: Reading, current_a: float) -> Sign | None:
        """Return what a session shows in which nothing flows now."""
        offered_a = reading.offered_a or 0.0
        if (
            state.status != "Charging"
            or offered_a < self.plenty_a
            or (reading.soc_percent or 0.0) >= self.full_soc_percent
        ):
            state.nothing_at = None
            return None
        if state.nothing_at is None:
            state.nothing_at, state.most_a = reading.at, current_a
        state.most_a = max(state.most_a, current_a)
        lasted = reading.at - state.nothing_at
        has_flowed = state.flowed_at is not _LONG_AGO
        if lasted < timedelta(seconds=self.hold_s if has_flowed else self.begin_s):
            return None
        if has_flowed and state.nothing_at - state.flowed_at > timedelta(seconds=self.fell_s):
            return None  # the vehicle took less and less
        if not state.is_due(reading.at.timestamp(), state.nothing_at.timestamp()):
            return None
        return self._sign(state, offered_a, lasted.total_seconds(), has_flowed=has_flowed)

    def _sign(self, state: State, offered_a: float, lasted_s: float, *, has_flowed: bool) -> Sign:
        grade: Severity = "critical" if lasted_s >= 1800 else "warning" if lasted_s >= 60 else "info"
        before = f"{state.flowed_a:.0f} A flowed before" if has_flowed else "nothing ever flowed in it"
        return Sign(
            kind=KIND,
            since=state.since,
            score=round(lasted_s / (self.hold_s if has_flowed else self.begin_s), 2),
            threshold=1.0,
            deviation=round(offered_a - state.most_a, 1),
            severity=grade,
            explanation=(
                f"transaction {state.transaction_id} is {state.status} and {offered_a:.0f} A are offered, but"
                f" for {lasted_s:.0f} s no more than {max(0.0, state.most_a):.1f} A flowed; {before}"
            ),
            pattern={"offered_a": round(offered_a, 1), "most_a": round(state.most_a, 2)},
        )


DETECTOR = PhantomSession()

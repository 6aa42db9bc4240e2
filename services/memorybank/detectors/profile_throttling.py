"""Profile throttling: a limit that keeps a session at next to nothing, with no cause at the place.

What lowers a current by itself leaves the limit where it is: heat (the module derates), a full battery, the
vehicle. What controls limits for a reason moves them again, and did so before: the sun, the neighbour on a
shared connection. A session whose begin is delayed had no current yet.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from contracts.events import CommandSent, Event, Reading, Severity
from memorybank.detector import Layer, Place, Scope, Sign, no_tick
from memorybank.detectors.sent_limits import SentLimits, SentProfile

KIND = "profile-throttling"

_TOLD_AGAIN_S = 10.0
_NOMINAL_V = 400.0
_SAME_A = 0.5
_AC_RATING_A = 32.0
_AC_BELOW_V = 300.0


@dataclass(slots=True)
class State:
    """The limit in force, the session, and what was usual before; changed in place."""

    place: Place
    low_a: float
    """What is next to nothing here."""
    limits: SentLimits
    voltage_v: float = _NOMINAL_V
    usual_a: float = 0.0
    """The highest limit seen at the place."""
    transaction_id: int | None = None
    peak_a: float = 0.0
    """The highest current of the session."""
    moves: int = 0
    """How often the limit moved in the session."""
    is_controlled: bool = False
    """Whether the limits of some session here moved often."""
    held_a: float = 0.0
    held_s: float = 0.0
    """Since when the limit is that."""
    overridden: SentProfile | None = None
    """The profile below the one that leads, where that is of a higher level and says much less."""
    said_s: float = float("-inf")


@dataclass(frozen=True, slots=True)
class ProfileThrottling:
    """The detector and its thresholds."""

    low_a: float = 6.5
    """Amperes up to which a limit is next to nothing: IEC 61851-1 knows none below 6 A but 0."""
    far_below: float = 0.05
    """Share of the usual limit up to which one is next to nothing too."""
    usual: float = 0.5
    """Share of the usual limit below which one is low."""
    hold_s: float = 240.0
    """Seconds for which such a limit stands still: photovoltaic control waits for 180 s (H3)."""
    begin_s: float = 700.0
    """The same where no current flowed yet: the begin may be delayed by up to 600 s (H5)."""
    override_s: float = 90.0
    """The same where a profile of a higher level overrides the one that was there."""
    control_moves: int = 3
    """Moves of the limit within a session that show that somebody controls it, for alternating current."""
    least_peak_a: float = 12.0
    """Amperes that must have flowed before, of alternating current or to be switched off: from less the
    sun's control switches off (H3)."""
    full_soc_percent: float = 97.0
    """From so much charge on a low limit keeps nothing back."""
    rated_a: float = 300.0
    """What a connector can deliver, where it has shown nothing yet."""
    name: ClassVar[str] = "profile_throttling"
    layer: ClassVar[Layer] = "residual"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (Reading, CommandSent)
    origins: ClassVar[frozenset[str]] = frozenset({"can"})
    tick = no_tick

    def start(self, place: Place) -> State:
        """Return the state before the first event."""
        return State(place, self.low_a, place.core(SentLimits))

    def step(self, state: State, event: Reading | CommandSent) -> Sign | None:
        """Take the connector's next reading or command."""
        if isinstance(event, CommandSent):
            if state.limits.note(event, state.voltage_v) is not None or "Profile" in event.command:
                state.overridden = self._overridden(state.limits)
            return None
        limit_a = event.commanded_a
        if limit_a is None:
            return None
        if event.transaction_id != state.transaction_id:
            state.transaction_id, state.moves, state.peak_a = event.transaction_id, -1, 0.0
            state.held_a = float("inf")
        if event.transaction_id is None:
            return None  # between sessions a limit keeps nothing back
        if event.voltage_v:
            state.voltage_v = event.voltage_v
        if limit_a != state.held_a and abs(limit_a - state.held_a) > _SAME_A:
            self._moved(state, event, limit_a)
        if limit_a > state.low_a and state.overridden is None:
            current_a = event.current_a
            if current_a is not None and current_a > state.peak_a:
                state.peak_a = current_a
            return None
        return self._judged(state, event, limit_a)

    def _overridden(self, limits: SentLimits) -> SentProfile | None:
        for profile in limits.profiles:
            leading = limits.leading(profile.purpose)
            if (
                leading is not None
                and leading.stack_level > profile.stack_level
                and leading.limit_a <= self.usual * profile.limit_a
            ):
                return profile
        return None

    def _moved(self, state: State, reading: Reading, limit_a: float) -> None:
        """Take note of a limit that was not in force before."""
        state.held_a, state.held_s, state.said_s = limit_a, reading.at.timestamp(), float("-inf")
        state.moves += 1
        if limit_a > state.low_a:
            state.usual_a = max(state.usual_a, limit_a)
            state.low_a = max(self.low_a, self.far_below * min(self._usual_a(state), self.rated_a))
        if state.moves >= self.control_moves:
            state.is_controlled = True

    def _hold_s(self, state: State) -> float:
        """Return for how long a low limit must stand still here and now to keep something back."""
        if state.overridden is not None:
            return self.override_s
        if state.voltage_v < _AC_BELOW_V:
            is_sun = state.is_controlled or state.peak_a < self.least_peak_a
            return float("inf") if is_sun else self.hold_s
        if state.held_a >= _SAME_A:
            return self.hold_s
        if state.peak_a < _SAME_A:
            return self.begin_s
        return self.hold_s if state.peak_a >= self.least_peak_a else float("inf")

    def _judged(self, state: State, reading: Reading, limit_a: float) -> Sign | None:
        at_s, current_a = reading.at.timestamp(), reading.current_a or 0.0
        lasted_s = at_s - state.held_s
        if lasted_s < self.override_s or 0.0 <= at_s - state.said_s < _TOLD_AGAIN_S:
            return None
        hold_s, usual_a = self._hold_s(state), self._usual_a(state)
        if lasted_s < hold_s or limit_a > self.usual * usual_a:
            return None
        if current_a < 0.8 * limit_a - 1.0 or (reading.soc_percent or 0.0) >= self.full_soc_percent:
            return None  # the vehicle would take no more
        state.said_s = at_s
        return self._sign(state, limit_a, usual_a, lasted_s, lasted_s / hold_s)

    def _usual_a(self, state: State) -> float:
        """Return the limit that is usual here: learned, or overridden, or seen, or else the rating."""
        learned = state.place.expected("commanded_a", "charging")
        if learned is not None:
            return learned.mean
        if state.overridden is not None:
            return min(state.overridden.limit_a, self.rated_a)
        if state.usual_a:
            return min(state.usual_a, self.rated_a)
        return _AC_RATING_A if state.voltage_v < _AC_BELOW_V else self.rated_a

    def _sign(self, state: State, limit_a: float, usual_a: float, lasted_s: float, score: float) -> Sign:
        kept_back_a = max(0.0, (state.peak_a or usual_a) - limit_a)
        full_minutes = kept_back_a / self.rated_a * lasted_s / 60
        grade: Severity = "critical" if full_minutes >= 30 else "warning" if full_minutes >= 3 else "info"
        override = f"; it overrides one of {state.overridden.limit_a:.0f} A" if state.overridden else ""
        return Sign(
            kind=KIND,
            since=datetime.fromtimestamp(state.held_s, UTC),
            score=round(score, 2),
            threshold=1.0,
            deviation=round(usual_a - limit_a, 1),
            severity=grade,
            explanation=(
                f"limit held at {limit_a:.0f} A for {lasted_s:.0f} s of a session, {usual_a:.0f} A are usual"
                f"{override}, with no cause at the charge point"
            ),
            pattern={"limit_a": round(limit_a, 1), "share_of_usual": round(limit_a / usual_a, 3)},
        )


DETECTOR = ProfileThrottling()

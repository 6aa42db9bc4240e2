"""Clocks out of step: the instants that a charge point's messages name, against those at which they arrive.

Nothing can be told before it was: one message from ahead is enough. Behind are also those that waited for a
connection (H7), so messages have to be late by the same time for a while: a queue that empties catches up.
The same values of the same instant, again and again, were sent twice.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from contracts import ocpp_time
from contracts.events import Event, OcppMessageSeen, Severity
from memorybank.detector import Layer, Place, Scope, Sign
from memorybank.detectors.telling import Standing

KIND = "clock-desync"

_STAMPED = frozenset({"MeterValues", "StatusNotification", "StartTransaction", "StopTransaction"})
_CONNECTORS = 8
"""Of so many the last values are remembered."""
_CHAIN_S = 120.0
"""Seconds between repetitions that belong together: two of the slowest intervals."""
_GRAVE_S, _WARNING_S = 3600.0, 30.0
"""A tariff's hour; the interval at which the slowest values come would be the wrong one."""


@dataclass(slots=True)
class State(Standing):
    """How messages arrived lately; changed in place."""

    late_s: float = 0.0
    """By how much they are late, the same for a while."""
    late_since_s: float = 0.0
    late: int = 0
    """How many of them in turn."""
    values: dict[int, int] = field(default_factory=dict)
    """The hash of the last ones of each connector, and of their instant."""
    repeats: int = 0
    repeated_s: float = float("-inf")
    since_s: float | None = None
    """Since when it is out of step."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """The detector and its thresholds."""

    ahead_s: float = 10.0
    """Seconds by which a message may be from the future: clocks are set by Heartbeat, and drift between."""
    late_s: float = 10.0
    """Seconds by which it may be late, beside the clock's: a mobile network's worst."""
    same_s: float = 5.0
    """Seconds by which messages that are late by the same time may differ."""
    late_messages: int = 3
    """So many of them in turn, ..."""
    late_for_s: float = 60.0
    """... over so many seconds."""
    repeats: int = 3
    """Values that came again: one or two may after a broken connection, whose answer was lost."""
    name: ClassVar[str] = "arrival"
    layer: ClassVar[Layer] = "consistency"
    scope: ClassVar[Scope] = "charge_point"
    takes: ClassVar[tuple[type[Event], ...]] = (OcppMessageSeen,)
    messages: ClassVar[frozenset[tuple[str, str]]] = frozenset(("call", action) for action in _STAMPED)

    def start(self, _place: Place) -> State:
        """Return the state before the first message."""
        return State()

    def step(self, state: State, event: OcppMessageSeen) -> Sign | None:
        """Take the charge point's next message, or one to it."""
        action, at = event.action, event.at
        if action not in _STAMPED or event.direction != "received" or event.message_type != "call":
            return None
        try:
            payload = event.payload
            values = payload["meterValue"] if action == "MeterValues" else None
            newest = values[-1] if values else payload
            stamp = newest["timestamp"]
            skew_s = (ocpp_time.parse(stamp) - at).total_seconds()
            at_s = at.timestamp()
            if values:
                self._compare(state, payload.get("connectorId", 0), newest, at_s)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError):
            return None  # an instant is optional, and what is none the CSMS refuses
        self._wait(state, -skew_s, at_s)
        if skew_s <= self.ahead_s and not state.late and not state.repeats:
            state.since_s = state.sign = None
            return None
        return state.show(at_s, self._judged(state, skew_s, at_s))

    def tick(self, state: State, now: datetime) -> Sign | None:
        """Tell again what the last message showed, which may be a minute old."""
        return state.again(now) if state.sign is not None else None

    def _wait(self, state: State, late_s: float, at_s: float) -> None:
        """Count messages that are late by the same time."""
        if late_s <= self.late_s:
            state.late = 0
        elif state.late and abs(late_s - state.late_s) <= self.same_s:
            state.late += 1
        else:
            state.late, state.late_s, state.late_since_s = 1, late_s, at_s

    def _compare(self, state: State, connector: int, newest: dict[str, Any], at_s: float) -> None:
        """Count values that came before."""
        samples = newest.get("sampledValue")
        if not samples:
            return
        before = state.values.get(connector)
        if before is None and len(state.values) >= _CONNECTORS:
            return
        first, last = str(samples[0].get("value")), str(samples[-1].get("value"))
        now = hash((newest["timestamp"], len(samples), first, last))
        if now == before:
            state.repeats = state.repeats + 1 if at_s - state.repeated_s <= _CHAIN_S else 1
            state.repeated_s = at_s
        state.values[connector] = now

    def _judged(self, state: State, skew_s: float, at_s: float) -> Sign | None:
        said, score, since_s, off_s = [], 0.0, at_s, 0.0
        if skew_s > self.ahead_s:
            said.append(f"a message names an instant {_duration(skew_s)} after its arrival")
            score, off_s = skew_s / self.ahead_s, skew_s
        elif state.late >= self.late_messages and at_s - state.late_since_s >= self.late_for_s:
            said.append(
                f"{state.late} messages in turn came {_duration(-skew_s)} after the instants they name"
            )
            score, off_s, since_s = -skew_s / self.late_s, -skew_s, state.late_since_s
        if state.repeats >= self.repeats and at_s - state.repeated_s <= _CHAIN_S:
            said.append(f"values came again {state.repeats} times, each of the same instant")
            score = max(score, state.repeats / self.repeats)
        if not said:
            state.since_s = None
            return None
        if state.since_s is None:
            state.since_s = since_s
        grade: Severity = "critical" if off_s >= _GRAVE_S else "warning" if off_s >= _WARNING_S else "info"
        return Sign(
            kind=KIND,
            since=datetime.fromtimestamp(state.since_s, UTC),
            score=round(score, 2),
            threshold=1.0,
            deviation=round(off_s, 1),
            severity=grade,
            explanation="; ".join(said),
            pattern={"skew_s": round(skew_s, 1)} if off_s else {"repeats": float(state.repeats)},
        )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


DETECTOR = Arrival()

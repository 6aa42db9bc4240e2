"""Orders on the bus that nobody gave: a stop in a running transaction, a start without one, a limit.

A frame has no sender. But the charge point says with each reading which transaction runs and which limit it
sent last: an order on the bus that fits neither is somebody else's.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from contracts.can_frames import SET_LIMIT_ID, START_ID, STOP_ID, SetLimit
from contracts.events import CanFrameSeen, Event, Reading, Severity, SystemEvent
from memorybank.detector import Layer, Place, Scope, Sign, no_tick

COMMAND = "can-command-injection"
LIMIT = "can-limit-injection"

_LIMIT_DIGITS = 2 * SetLimit.layout.size
_GAP_S = 3.5
"""Readings come each second: after a longer gap the charge point may have started anew, and ordered."""
_TOLD_AGAIN_S = 10.0
_FORGET_S = 90.0
"""Strange orders so far apart do not belong together."""
_IDLE_S = 20.0
"""So long after its last order a limit that holds no session back is over: nobody gives another one then."""


@dataclass(slots=True)
class Strange:
    """The orders of one kind that nobody gave; changed in place."""

    count: int = 0
    since_s: float = 0.0
    last_s: float = float("-inf")
    told_s: float = float("-inf")

    def add(self, at_s: float) -> None:
        """Take one more."""
        if at_s - self.last_s > _FORGET_S:
            self.count, self.since_s, self.told_s = 0, at_s, float("-inf")
        self.count += 1
        self.last_s = at_s

    def is_due(self, now_s: float) -> bool:
        """Return whether to tell of them now, and take note that it is done."""
        if now_s - self.told_s < _TOLD_AGAIN_S:
            return False
        self.told_s = now_s
        return True


@dataclass(slots=True)
class State:
    """The last reading, and the orders since then that are still to be judged; changed in place."""

    commands: Strange
    limits: Strange
    read_s: float = float("-inf")
    transaction_id: int | None = None
    commanded_a: float | None = None
    online_s: float | None = None
    """Since when the CSMS gives transactions their numbers (infinite: it does not); None: not known, as in a
    CAN log, which has none."""
    stop_s: float | None = None
    """When a stop came in the transaction that runs."""
    start_s: float | None = None
    """When a start came and no transaction ran."""
    limit_a: int | None = None
    """The limit that stands on the bus, where it is not the charge point's."""
    limit_s: float = 0.0
    stood: int = 0
    """Readings for which it has stood."""


@dataclass(frozen=True, slots=True)
class BusOrders:
    """The detector and its thresholds."""

    stop_s: float = 1.5
    """Seconds after a stop for which its transaction must run on: a charge point ends it when it stops."""
    start_s: float = 10.0
    """Seconds after a start without a transaction: the CSMS numbers one within a second, a slow one later."""
    off_a: float = 0.6
    """Amperes between a limit on the bus and the charge point's, from which on they are two: frames carry
    whole amperes."""
    frames: int = 2
    """Strange limits, one after the other."""
    stands: int = 4
    """Readings, one a second, for which one alone must stand."""
    name: ClassVar[str] = "bus_orders"
    layer: ClassVar[Layer] = "consistency"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (CanFrameSeen, Reading, SystemEvent)
    can_ids: ClassVar[frozenset[int]] = frozenset({START_ID, STOP_ID, SET_LIMIT_ID})
    origins: ClassVar[frozenset[str]] = frozenset({"can"})
    tick = no_tick

    def start(self, _place: Place) -> State:
        """Return the state before the first event."""
        return State(Strange(), Strange())

    def step(self, state: State, event: CanFrameSeen | Reading | SystemEvent) -> Sign | None:
        """Take the connector's next order, reading, or word on its connection."""
        if isinstance(event, Reading):
            return self._read(state, event)
        at_s = event.at.timestamp()
        if isinstance(event, SystemEvent):
            if event.service == "chargepoint":
                _reported(state, event.name, at_s)
        elif at_s - state.read_s <= _GAP_S:
            self._ordered(state, event, at_s)
        return None

    def _ordered(self, state: State, frame: CanFrameSeen, at_s: float) -> None:
        """Note an order that the last reading does not explain; the next ones may."""
        if frame.can_id == SET_LIMIT_ID:
            if len(frame.data) != _LIMIT_DIGITS:
                return  # no module obeys it
            (limit_a,) = SetLimit.layout.unpack(bytes.fromhex(frame.data))
            if state.commanded_a is not None and abs(limit_a - state.commanded_a) >= self.off_a:
                state.limit_a, state.limit_s, state.stood = limit_a, at_s, 0
            else:
                state.limit_a = None
        elif frame.can_id == STOP_ID:
            if state.transaction_id is not None and state.stop_s is None:
                state.stop_s = at_s
        elif state.transaction_id is None and state.start_s is None:
            state.start_s = at_s

    def _read(self, state: State, reading: Reading) -> Sign | None:
        at_s, before_s, before_a = reading.at.timestamp(), state.read_s, state.commanded_a
        same = reading.transaction_id == state.transaction_id
        state.read_s, state.commanded_a = at_s, reading.commanded_a
        state.transaction_id = reading.transaction_id
        if not same or at_s - before_s > _GAP_S:
            state.stop_s = state.start_s = None
            if state.online_s is None and reading.transaction_id is not None:
                state.online_s = at_s
        if state.stop_s is None and state.start_s is None and state.limit_a is None:
            return None
        # One sign a reading: the limit's turn comes with the next one.
        return self._command(state, reading, at_s) or self._limit(state, reading, before_a, at_s)

    def _command(self, state: State, reading: Reading, at_s: float) -> Sign | None:
        if state.stop_s is not None and at_s - state.stop_s >= self.stop_s:
            stopped_s, state.stop_s = state.stop_s, None
            state.commands.add(stopped_s)
            if state.commands.is_due(at_s):
                return self._stopped(state, reading, stopped_s)
        if state.start_s is not None and at_s - state.start_s >= self.start_s:
            started_s, state.start_s = state.start_s, None
            if state.online_s is not None and state.online_s <= started_s:
                state.commands.add(started_s)
                if state.commands.is_due(at_s):
                    return self._started(state, reading, at_s - started_s)
        return None

    def _limit(self, state: State, reading: Reading, before_a: float | None, at_s: float) -> Sign | None:
        commanded_a, limit_a = reading.commanded_a, state.limit_a
        if limit_a is None or commanded_a is None or abs(limit_a - commanded_a) < self.off_a:
            state.limit_a = None  # the charge point's own, newer than the reading before
            return None
        if reading.transaction_id is None and at_s - state.limit_s > _IDLE_S:
            state.limit_a = None
            return None
        if commanded_a != before_a:
            return None  # it sent one of its own meanwhile
        state.stood += 1
        if state.stood == 1:
            state.limits.add(state.limit_s)
        if state.limits.count < self.frames and state.stood < self.stands:
            return None
        if not state.limits.is_due(at_s):
            return None
        return self._strange_limit(state, limit_a, commanded_a, at_s)

    def _stopped(self, state: State, reading: Reading, stopped_s: float) -> Sign:
        return self._sign(
            state.commands,
            COMMAND,
            deviation=reading.commanded_a or 0.0,
            severity="critical" if state.commands.count >= 3 else "warning",
            explanation=(
                f"the module was ordered to stop on the bus at {_clock(stopped_s)}, and transaction"
                f" {reading.transaction_id} runs on with {reading.commanded_a or 0.0:.0f} A allowed:"
                f" {_times(state.commands.count)} so far"
            ),
            pattern={"order": float(STOP_ID)},
        )

    def _started(self, state: State, reading: Reading, ago_s: float) -> Sign:
        current_a = reading.current_a or 0.0
        return self._sign(
            state.commands,
            COMMAND,
            deviation=current_a,
            severity="critical" if current_a >= 1.0 else "warning",
            explanation=(
                f"the module was ordered to start on the bus {ago_s:.0f} s ago and no transaction began;"
                f" {max(0.0, current_a):.0f} A flow: {_times(state.commands.count)} so far"
            ),
            pattern={"order": float(START_ID)},
        )

    def _strange_limit(self, state: State, limit_a: int, commanded_a: float, at_s: float) -> Sign:
        span_s = max(1.0, at_s - state.limits.since_s)
        return self._sign(
            state.limits,
            LIMIT,
            deviation=abs(limit_a - commanded_a),
            severity="critical" if limit_a > commanded_a else "warning",
            explanation=(
                f"a limit of {limit_a} A stands on the bus where the charge point ordered"
                f" {commanded_a:.0f} A: {_times(state.limits.count)} within {span_s:.0f} s"
            ),
            pattern={"limit_a": float(limit_a), "off_a": round(limit_a - commanded_a, 1)},
        )

    def _sign(
        self,
        strange: Strange,
        kind: str,
        *,
        deviation: float,
        severity: Severity,
        explanation: str,
        pattern: dict[str, float],
    ) -> Sign:
        return Sign(
            kind=kind,
            since=datetime.fromtimestamp(strange.since_s, UTC),
            score=float(strange.count),
            threshold=1.0,
            deviation=round(deviation, 1),
            severity=severity,
            explanation=explanation,
            pattern=pattern,
        )


def _reported(state: State, name: str, at_s: float) -> None:
    """Take note of whether the CSMS is there; a charge point that starts orders what it wants."""
    if name == "csms_lost":
        state.online_s = float("inf")
    elif name == "csms_connected":
        state.online_s = at_s
    state.start_s = None


def _clock(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%H:%M:%S} UTC"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


DETECTOR = BusOrders()

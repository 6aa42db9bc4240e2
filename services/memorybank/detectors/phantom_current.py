"""Phantom current: a current flows, and no transaction accounts for it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from contracts.events import Event, Reading, SystemEvent
from memorybank.detector import Layer, Place, Scope, Sign, no_tick

KIND = "phantom-current"

_GAP_S = 30.0
_TOLD_AGAIN_S = 10.0


@dataclass(slots=True)
class State:
    """Since when a current flows without a transaction, and what it made; changed in place."""

    since_s: float | None = None
    read_s: float = 0.0
    told_s: float = float("-inf")
    current_a: float = 0.0
    """What flowed last."""
    peak_a: float = 0.0
    energy_wh: float = 0.0
    online_s: float | None = None
    """Since when the CSMS gives transactions their numbers (infinite: it does not); None: not known, as in a
    CAN log, which has none."""


@dataclass(frozen=True, slots=True)
class PhantomCurrent:
    """The detector and its thresholds."""

    flows_a: float = 2.0
    """Amperes from which on a current flows: a sensor may be 0.5 A off, with a noise of 0.3 A."""
    hold_s: float = 8.0
    """Seconds for which it must: so late a transaction's number may come."""
    falls_a: float = 0.8
    """Amperes from one reading to the next by which a current comes down, as after any transaction."""
    back_s: float = 15.0
    """Seconds after the CSMS was away: until then what began meanwhile has its number."""
    grave_wh: float = 100.0
    """From so much energy on that nobody pays for it is critical."""
    name: ClassVar[str] = "phantom_current"
    layer: ClassVar[Layer] = "consistency"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (Reading, SystemEvent)
    origins: ClassVar[frozenset[str]] = frozenset({"can"})
    tick = no_tick

    def start(self, _place: Place) -> State:
        """Return the state before the first event."""
        return State()

    def step(self, state: State, event: Reading | SystemEvent) -> Sign | None:
        """Take the connector's next reading, or word on its connection."""
        if isinstance(event, Reading):
            current_a = event.current_a
            if event.transaction_id is not None or current_a is None or current_a < self.flows_a:
                state.since_s = None
                if state.online_s is None and event.transaction_id is not None:
                    state.online_s = event.at.timestamp()
                return None
            return self._flows(state, event, current_a)
        if event.service == "chargepoint":
            if event.name == "csms_lost":
                state.online_s = float("inf")
            elif event.name == "csms_connected":
                state.online_s = event.at.timestamp() + self.back_s
        return None

    def _flows(self, state: State, reading: Reading, current_a: float) -> Sign | None:
        at_s = reading.at.timestamp()
        passed_s, fell_a = at_s - state.read_s, state.current_a - current_a
        state.read_s, state.current_a = at_s, current_a
        is_known = 0.0 <= passed_s <= _GAP_S and state.online_s is not None and at_s >= state.online_s
        if state.since_s is None or fell_a >= self.falls_a or not is_known:
            state.since_s, state.told_s, state.peak_a, state.energy_wh = at_s, float("-inf"), 0.0, 0.0
            return None
        state.peak_a = max(state.peak_a, current_a)
        state.energy_wh += current_a * (reading.voltage_v or 0.0) * passed_s / 3600
        lasted_s = at_s - state.since_s
        if lasted_s < self.hold_s or at_s - state.told_s < _TOLD_AGAIN_S:
            return None
        state.told_s = at_s
        return Sign(
            kind=KIND,
            since=datetime.fromtimestamp(state.since_s, UTC),
            score=round(lasted_s / self.hold_s, 2),
            threshold=1.0,
            deviation=round(state.peak_a, 1),
            severity="critical" if state.energy_wh >= self.grave_wh else "warning",
            explanation=(
                f"{current_a:.0f} A flow and have for {lasted_s:.0f} s, {state.energy_wh:.0f} Wh so far, with"
                " no transaction at the connector"
            ),
            pattern={"current_a": round(state.peak_a, 1)},
        )


DETECTOR = PhantomCurrent()

"""States of charge that cannot be: they stand while energy flows, or go by less or more than it makes them.

How much energy a step takes is learned in the session, as vehicles tell it in tenths of a percent or in whole
ones. Beside that it is held against the largest and the smallest battery.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from contracts.events import Event, Reading, Severity
from memorybank.detector import Layer, Place, Scope, Sign, no_tick
from memorybank.detectors.telling import Telling

KIND = "soc-spoofing"

_EVERY = timedelta(seconds=5)
"""A state of charge moves within minutes: every reading would say no more."""
_PAST = datetime(2000, 1, 1, tzinfo=UTC)
_LONG_S = 30.0
"""What flowed in a longer gap between readings is not known."""
_FLOWS_W = 500.0
_SAME_PERCENT = 0.05
_FULL_PERCENT = 99.0
"""From here on a vehicle tells it is full when it likes."""
_SETTLED = 3
"""Looks in turn that say the same: a module whose frames somebody replays goes to and fro."""
_TOLD = 7
"""Looks in turn for which one is told of."""
_MOVES = 2
"""Steps of it after which is known how much energy one takes."""
_ANCHOR_WH = 20_000.0
_GRAVE_WH = 5000.0


@dataclass(slots=True)
class State(Telling):
    """The session's energy and state of charge; changed in place."""

    late_at: datetime = _PAST
    due_at: datetime = _PAST
    """Readings between the two are passed over."""
    at_s: float = float("-inf")
    power_w: float = 0.0
    transaction_id: int | None = None
    soc_percent: float | None = None
    anchor_percent: float = 0.0
    """What it was when `anchor_wh` began."""
    anchor_wh: float = 0.0
    """The energy since."""
    still_wh: float = 0.0
    """The energy since it moved last."""
    still_s: float = 0.0
    step_wh: float = 0.0
    """The most that a step took lately."""
    moves: int = 0
    odd: int = 0
    """How many looks in turn were out of bounds."""


@dataclass(frozen=True, slots=True)
class StateOfCharge:
    """The detector and its thresholds."""

    steps: float = 3.0
    """Times the energy of its usual step for which it may stand."""
    least_wh: float = 400.0
    """Wh for which it may stand in any case: half a percent of a usual battery."""
    largest_wh: float = 250_000.0
    """The largest battery of a car, and some; for a percent of it may stand what was not seen to move."""
    smallest_wh: float = 8000.0
    """The smallest one, of a plug-in hybrid."""
    slack_percent: float = 3.0
    """By which it may be off what flowed: batteries correct themselves."""
    name: ClassVar[str] = "state_of_charge"
    layer: ClassVar[Layer] = "consistency"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (Reading,)
    origins: ClassVar[frozenset[str]] = frozenset({"can"})
    tick = no_tick

    def start(self, _place: Place) -> State:
        """Return the state before the first reading."""
        return State()

    def step(self, state: State, event: Reading) -> Sign | None:
        """Take the connector's next reading; most are passed over."""
        at = event.at
        if state.late_at < at < state.due_at:
            return None
        soc_percent, power_w = event.soc_percent, event.power_w
        if soc_percent is None or power_w is None:
            return None
        state.late_at, state.due_at = at - _EVERY, at + _EVERY
        at_s = at.timestamp()
        gap_s, before_w = at_s - state.at_s, state.power_w
        state.at_s, state.power_w = at_s, power_w
        is_another = event.transaction_id != state.transaction_id or not 0.0 < gap_s <= _LONG_S
        if is_another or state.soc_percent is None:
            state.transaction_id, state.moves, state.step_wh = event.transaction_id, 0, 0.0
            self._anchor(state, soc_percent, at_s)
            return None
        if power_w < _FLOWS_W or before_w < _FLOWS_W:
            if power_w < _FLOWS_W and before_w < _FLOWS_W:  # at rest another vehicle may come
                self._anchor(state, soc_percent, at_s)
            return None
        flowed_wh = (before_w + power_w) / 2 * gap_s / 3600
        state.anchor_wh += flowed_wh
        state.still_wh += flowed_wh
        if abs(soc_percent - state.soc_percent) > _SAME_PERCENT:
            self._moved(state, soc_percent, at_s)
        return self._judged(state, soc_percent, at_s)

    def _anchor(self, state: State, soc_percent: float, at_s: float) -> None:
        """Begin to count anew from here."""
        state.soc_percent = state.anchor_percent = soc_percent
        state.anchor_wh = state.still_wh = 0.0
        state.still_s, state.odd = at_s, 0

    def _moved(self, state: State, soc_percent: float, at_s: float) -> None:
        """Take a step of it; the first one of a session began before."""
        if state.moves and state.still_wh <= self._stands_wh(state):
            state.step_wh = max(state.still_wh, 0.8 * state.step_wh)
        state.moves += 1
        state.soc_percent, state.still_wh, state.still_s = soc_percent, 0.0, at_s

    def _stands_wh(self, state: State) -> float:
        """Return the energy for which it may stand."""
        if state.moves <= _MOVES:
            return self.largest_wh / 100
        return max(self.least_wh, self.steps * state.step_wh)

    def _judged(self, state: State, soc_percent: float, at_s: float) -> Sign | None:
        rose_percent, flowed_wh = soc_percent - state.anchor_percent, state.anchor_wh
        most_percent = 100 * flowed_wh / self.smallest_wh + self.slack_percent
        least_percent = 100 * flowed_wh / self.largest_wh - self.slack_percent
        if least_percent <= rose_percent <= most_percent:
            state.odd = 0
        else:
            state.odd += 1
        stands_wh = self._stands_wh(state)
        if state.odd >= _SETTLED:
            said = (
                f"the state of charge went by {rose_percent:+.1f} % while {flowed_wh / 1000:.2f} kWh flowed"
            )
            off_percent = max(rose_percent - most_percent, least_percent - rose_percent)
            score = 1.0 + off_percent / self.slack_percent
            if state.odd >= _TOLD:  # it is an instant; from here on it may be right
                self._anchor(state, soc_percent, at_s)
        elif state.still_wh > stands_wh and soc_percent < _FULL_PERCENT:
            flowed_wh, score = state.still_wh, state.still_wh / stands_wh
            said = (
                f"the state of charge stood at {soc_percent:.1f} % while {flowed_wh / 1000:.2f} kWh flowed,"
                f" and {stands_wh / 1000:.2f} kWh are enough to move it"
            )
        else:
            if not state.odd and flowed_wh >= _ANCHOR_WH:
                state.anchor_percent, state.anchor_wh = soc_percent, 0.0
            return None
        if not state.is_due(at_s, state.still_s):
            return None
        grade: Severity = "critical" if flowed_wh >= _GRAVE_WH else "warning"
        return Sign(
            kind=KIND,
            since=state.since,
            score=round(score, 2),
            threshold=1.0,
            deviation=round(flowed_wh, 1),
            severity=grade,
            explanation=said,
            pattern={"soc_percent": round(soc_percent, 1)},
        )


DETECTOR = StateOfCharge()

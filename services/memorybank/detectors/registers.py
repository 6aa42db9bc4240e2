"""Meters that lie: what MeterValues tell, against the integral of current and voltage on the bus.

Compared is at the instant that MeterValues name. Power that is a multiple of what flowed: a scaled meter.
With the right power, an energy register that falls, stands, or is in another unit. One that comes back to
what flowed in all is well again; what comes so late that its instant is forgotten (H7) is not judged.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from msgspec import Struct

from contracts.events import Event, Reading, Severity
from memorybank.detector import Layer, Place, Scope, Sign
from memorybank.detectors.flowed import Flowed
from memorybank.detectors.telling import Standing

SCALED, ROLLED_BACK, FROZEN, SWAPPED = (
    "meter-scaling",
    "register-rollback",
    "register-freeze",
    "register-unit-swap",
)

_AHEAD_S = 10.0
"""MeterValues further ahead of the bus are of a wrong clock."""
_SAME_S = 0.1
_MILLISECOND_S = 0.001
"""OCPP's instants are cut to milliseconds, so they are a bit before those of the bus."""
_ANCHOR_WH = 250.0
_PROBE_WH = 30.0
_UNIT = 1000.0
_GRAVE_WH, _GRAVE_W = 1000.0, 10_000.0


class _Point(Struct, frozen=True, gc=False):
    """A register that was told, what had flowed by then, and what may have flowed beside that."""

    register_wh: float
    flowed_wh: float
    unsure_wh: float


@dataclass(slots=True)
class State(Standing):
    """What flowed, and with which registers the next is compared; changed in place.

    What stands is what the last comparison showed.
    """

    flowed: Flowed = field(default_factory=Flowed)
    waiting: Reading | None = None
    """MeterValues of an instant that the bus has not reached yet."""
    anchor: _Point | None = None
    """With which the next is compared."""
    before: _Point | None = None
    """The one from before the fault."""
    told_wh: float = 0.0
    """The register as it was told last."""
    well_at: datetime | None = None
    """When the last well comparison was."""


@dataclass(frozen=True, slots=True)
class Registers:
    """The detector and its thresholds."""

    tolerance: float = 0.04
    """Share by which meter and bus may differ: a meter of class 2 and a module's sensor, 1 % and some."""
    tolerance_wh: float = 10.0
    """The same in Wh: registers are whole, and a bias of half an ampere counts at small currents."""
    least_w: float = 1000.0
    """Watts from which a scaled power can be told from a sensor's bias."""
    name: ClassVar[str] = "registers"
    layer: ClassVar[Layer] = "consistency"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (Reading,)

    def start(self, _place: Place) -> State:
        """Return the state before the first reading."""
        return State()

    def step(self, state: State, event: Reading) -> Sign | None:
        """Take the connector's next reading, of the bus or of MeterValues."""
        if event.origin == "can":
            if event.power_w is not None:
                state.flowed.add(event.at.timestamp(), event.power_w)
                if state.waiting is not None:
                    return self._reached(state, state.waiting)
            return None
        if event.energy_wh is None:
            return None
        at_s = event.at.timestamp()
        ahead_s = at_s - state.flowed.last_s
        if ahead_s > 0.0:
            if ahead_s <= _AHEAD_S and state.waiting is None:
                state.waiting = event
            return None
        return self._compared(state, event, at_s, event.energy_wh)

    def tick(self, state: State, now: datetime) -> Sign | None:
        """Tell again what the last MeterValues showed, which may be a minute old."""
        return state.again(now) if state.sign is not None else None

    def _reached(self, state: State, event: Reading) -> Sign | None:
        """Compare the MeterValues that came before their instant's reading did."""
        at_s = event.at.timestamp()
        if event.energy_wh is None or at_s > state.flowed.last_s:
            return None
        state.waiting = None
        return self._compared(state, event, at_s, event.energy_wh)

    def _compared(self, state: State, event: Reading, at_s: float, register_wh: float) -> Sign | None:
        flowed = state.flowed.at(at_s + _MILLISECOND_S)
        if flowed is None:
            return None
        flowed_wh, flowed_w, since_s = flowed
        told_w = flowed_w if event.power_w is None or since_s > _SAME_S else event.power_w
        is_scaled = flowed_w >= self.least_w and abs(told_w - flowed_w) > self.tolerance * flowed_w
        now, anchor = _Point(register_wh, flowed_wh, state.flowed.unsure_wh), state.anchor
        if is_scaled:
            sign: Sign | None = self._scaled(state, event.at, told_w, flowed_w)
            state.before, state.anchor = state.before or anchor, now
        elif anchor is None:
            sign, state.anchor = None, now
        elif self._agree(anchor, now):
            risen_wh = flowed_wh - anchor.flowed_wh
            if state.sign is not None and risen_wh < _PROBE_WH:
                return None  # so little flowed that a standing register looks well
            if state.sign is not None or risen_wh >= _ANCHOR_WH:
                state.anchor = now
            sign = None
        elif state.before is not None and self._agree(state.before, now):
            sign, state.anchor, state.before = None, now, None
        else:
            if state.sign is None:
                state.before = anchor
            sign, state.anchor = self._wrong(state, event.at, anchor, now), now
        state.told_wh = register_wh
        if sign is None:
            state.sign, state.well_at = None, event.at
            return None
        return state.show(at_s, sign)

    def _agree(self, then: _Point, now: _Point) -> bool:
        """Return whether the register rose by what flowed, or by what may have flowed unseen beside it."""
        flowed_wh = now.flowed_wh - then.flowed_wh
        apart_wh = now.register_wh - then.register_wh - flowed_wh
        slack_wh = self.tolerance_wh + self.tolerance * flowed_wh
        return -slack_wh <= apart_wh <= slack_wh + now.unsure_wh - then.unsure_wh

    def _scaled(self, state: State, at: datetime, told_w: float, flowed_w: float) -> Sign:
        shown = state.sign
        gain, apart_w = told_w / flowed_w, abs(told_w - flowed_w)
        grade: Severity = "critical" if apart_w >= _GRAVE_W else "warning"
        return Sign(
            kind=SCALED,
            since=shown.since if shown else state.well_at or at,
            score=round(abs(gain - 1) / self.tolerance, 2),
            threshold=1.0,
            deviation=round(apart_w, 1),
            severity=grade,
            explanation=(
                f"the meter told {told_w / 1000:.2f} kW while {flowed_w / 1000:.2f} kW flowed by current and"
                f" voltage on the bus: {gain:.2f} times as much"
            ),
            pattern={"gain": round(gain, 3)},
        )

    def _wrong(self, state: State, at: datetime, then: _Point, now: _Point) -> Sign:
        shown = state.sign
        rose_wh, flowed_wh = now.register_wh - then.register_wh, now.flowed_wh - then.flowed_wh
        first = state.before or then
        due_wh = first.register_wh + now.flowed_wh - first.flowed_wh
        apart_wh = abs(now.register_wh - due_wh)
        grade: Severity = "critical" if apart_wh >= _GRAVE_WH else "warning"
        fell_wh = state.told_wh - now.register_wh
        way = f"fell by {fell_wh:.0f}" if fell_wh > 0.0 else f"rose by {rose_wh:.0f}"
        return Sign(
            kind=shown.kind if shown else _kind(now.register_wh, due_wh, fell_wh, rose_wh < flowed_wh),
            since=shown.since if shown else state.well_at or at,
            score=round(abs(rose_wh - flowed_wh) / (self.tolerance_wh + self.tolerance * flowed_wh), 2),
            threshold=1.0,
            deviation=round(apart_wh, 1),
            severity=grade,
            explanation=(
                f"the register {way} Wh while {flowed_wh:.0f} Wh flowed by current and voltage on the bus;"
                f" it tells {now.register_wh:.0f} Wh where {due_wh:.0f} Wh are due"
            ),
            pattern={"share": round(rose_wh / flowed_wh, 3) if flowed_wh > 1.0 else 0.0},
        )


def _kind(told_wh: float, due_wh: float, fell_wh: float, is_behind: bool) -> str:
    """Return what is wrong with a register that tells so much where so much is due."""
    is_thousandth = told_wh >= 1.0 and abs(told_wh * _UNIT - due_wh) <= _UNIT
    if is_thousandth or abs(told_wh / _UNIT - due_wh) <= 0.01 * due_wh:
        return SWAPPED
    if fell_wh > 1.0:
        return ROLLED_BACK
    return FROZEN if is_behind else SCALED


DETECTOR = Registers()

"""Impersonation of a charge point: another serial number under its identity, or a fight for its connection.

The central system keeps one connection to an identity: who connects takes it from whoever had it, and who had
it comes back. A line that broke unnoticed makes a charge point take its own place once, not again and again.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import ClassVar

from contracts.events import Event, SystemEvent
from memorybank.detector import Layer, Place, Scope, Sign, no_tick
from memorybank.detectors.telling import Telling

KIND = "charge-point-impersonation"


@dataclass(slots=True)
class State:
    """Who is known under this identity, and when its connection was taken over; changed in place."""

    charge_point_id: str
    serial_number: str | None = None
    """The first one that booted."""
    other: str | None = None
    """Another one that booted since."""
    other_s: float = float("-inf")
    """When that one booted first, unless the first one did so since."""
    taken_s: deque[float] = field(default_factory=lambda: deque(maxlen=32))
    telling: Telling = field(default_factory=Telling)


@dataclass(frozen=True, slots=True)
class ChargePointImpersonation:
    """The detector and its thresholds."""

    takeovers: int = 4
    """Connections that took another's place within `window_s`: two that fight for it, twice each."""
    window_s: float = 180.0
    """Seconds: a charge point comes back within seconds, an impostor may take a minute."""
    adopted_s: float = 3600.0
    """Seconds after which another serial number is the charge point's: its controller was exchanged."""
    name: ClassVar[str] = "charge_point_impersonation"
    layer: ClassVar[Layer] = "consistency"
    scope: ClassVar[Scope] = "charge_point"
    takes: ClassVar[tuple[type[Event], ...]] = (SystemEvent,)
    tick = no_tick

    def start(self, place: Place) -> State:
        """Return the state before the first event."""
        return State(place.charge_point_id)

    def step(self, state: State, event: SystemEvent) -> Sign | None:
        """Take the charge point's next boot, or the next connection that took another one's place."""
        if event.name not in ("charge_point_booted", "connection_replaced"):
            return None
        at_s = event.at.timestamp()
        while state.taken_s and not 0.0 <= at_s - state.taken_s[0] <= self.window_s:
            state.taken_s.popleft()
        is_other = False
        if event.name == "connection_replaced":
            state.taken_s.append(at_s)
        else:
            is_other = self._is_other(state, event.detail.get("serial_number"), at_s)
        if not is_other and len(state.taken_s) < self.takeovers:
            return None
        since_s = min([at_s, *state.taken_s])
        return self._sign(state, at_s) if state.telling.is_due(at_s, since_s) else None

    def _is_other(self, state: State, serial_number: object, at_s: float) -> bool:
        """Return whether a boot is that of another one than is known here."""
        if not isinstance(serial_number, str) or not serial_number:
            return False
        if state.other is not None and at_s - state.other_s > self.adopted_s:
            state.serial_number, state.other = state.other, None
        if state.serial_number is None or serial_number == state.serial_number:
            state.serial_number, state.other = serial_number, None
            return False
        if serial_number != state.other:
            state.other, state.other_s = serial_number, at_s
        return True

    def _sign(self, state: State, at_s: float) -> Sign:
        taken, said = len(state.taken_s), []
        if state.other is not None:
            said.append(
                f'serial number "{state.other}" booted as {state.charge_point_id}, which is'
                f' "{state.serial_number}"'
            )
        if taken:
            times = "once" if taken == 1 else f"{taken} times within {at_s - state.taken_s[0]:.0f} s"
            said.append(f"its connection was taken over {times}")
        is_fought_for = state.other is not None and taken > 0
        return Sign(
            kind=KIND,
            since=state.telling.since,
            score=round(max(taken / self.takeovers, 1.0 if state.other is not None else 0.0), 2),
            threshold=1.0,
            deviation=float(taken),
            severity="critical" if is_fought_for else "warning",
            explanation="; ".join(said),
            pattern={"other_serial_number": float(state.other is not None), "takeovers": float(taken)},
        )


DETECTOR = ChargePointImpersonation()

"""Impersonation of a charge point: another serial number under its identity, or a fight for its connection.

The central system keeps one connection to an identity: who connects takes it from whoever had it, and who had
it comes back. A line that broke unnoticed makes a charge point take its own place once, not again and again.
Who does not know the password is refused, while the charge point itself is there.
"""

from dataclasses import dataclass
from typing import ClassVar

from contracts.events import Event, SystemEvent
from memorybank.detector import Layer, Place, Scope, Sign, no_tick
from memorybank.detectors.telling import Telling

KIND = "charge-point-impersonation"

_KEPT = 32
_NO_RIGHT = frozenset({401, 403})
"""HTTP's statuses of who may not connect as that."""


@dataclass(slots=True, kw_only=True)
class State(Telling):
    """Who is known under this identity, and when its connection was taken over; changed in place."""

    charge_point_id: str
    serial_number: str | None = None
    """The first one that booted."""
    other: str | None = None
    """Another one that booted since."""
    other_s: float = float("-inf")
    """When that one booted first, unless the first one did so since."""
    is_connected: bool = False
    taken_s: tuple[float, ...] = ()
    """When its connection was taken over lately."""
    refused_s: tuple[float, ...] = ()
    """When somebody was refused lately while it was there."""


@dataclass(frozen=True, slots=True)
class ChargePointImpersonation:
    """The detector and its thresholds."""

    takeovers: int = 4
    """Connections that took another's place within `window_s`: two that fight for it, twice each."""
    refusals: int = 3
    """Connections that were refused within `window_s` while the charge point had its own."""
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
        return State(charge_point_id=place.charge_point_id)

    def step(self, state: State, event: SystemEvent) -> Sign | None:
        """Take the charge point's next boot, or what became of a connection in its name."""
        at_s, is_other = event.at.timestamp(), False
        match event.name:
            case "connection_opened":
                state.is_connected = True
                return None
            case "connection_closed":
                state.is_connected = False
                return None
            case "connection_replaced":
                state.is_connected = True
                state.taken_s = _noted(state.taken_s, at_s)
            case "connection_refused":
                if not state.is_connected or event.detail.get("status") not in _NO_RIGHT:
                    return None
                state.refused_s = _noted(state.refused_s, at_s)
            case "charge_point_booted":
                is_other = self._is_other(state, event.detail.get("serial_number"), at_s)
            case _:
                return None
        state.taken_s, state.refused_s = (
            self._recent(state.taken_s, at_s),
            self._recent(state.refused_s, at_s),
        )
        if not (is_other or len(state.taken_s) >= self.takeovers or len(state.refused_s) >= self.refusals):
            return None
        since_s = min([at_s, *state.taken_s, *state.refused_s])
        return self._sign(state, at_s) if state.is_due(at_s, since_s) else None

    def _recent(self, instants_s: tuple[float, ...], now_s: float) -> tuple[float, ...]:
        while instants_s and not 0.0 <= now_s - instants_s[0] <= self.window_s:
            instants_s = instants_s[1:]
        return instants_s

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
        said = []
        if state.other is not None:
            said.append(
                f'serial number "{state.other}" booted as {state.charge_point_id}, which is'
                f' "{state.serial_number}"'
            )
        if state.taken_s:
            said.append(f"its connection was taken over {_often(state.taken_s, at_s)}")
        if state.refused_s:
            said.append(f"somebody else was refused in its name {_often(state.refused_s, at_s)}")
        taken, refused = len(state.taken_s), len(state.refused_s)
        scores = (float(state.other is not None), taken / self.takeovers, refused / self.refusals)
        is_fought_for = state.other is not None and taken > 0
        return Sign(
            kind=KIND,
            since=state.since,
            score=round(max(scores), 2),
            threshold=1.0,
            deviation=float(taken + refused),
            severity="critical" if is_fought_for else "warning" if state.other or taken else "info",
            explanation="; ".join(said),
            pattern={
                "other_serial_number": float(state.other is not None),
                "takeovers": float(taken),
                "refusals": float(refused),
            },
        )


def _noted(instants_s: tuple[float, ...], at_s: float) -> tuple[float, ...]:
    return (*instants_s, at_s)[-_KEPT:]


def _often(instants_s: tuple[float, ...], now_s: float) -> str:
    count = len(instants_s)
    return "once" if count == 1 else f"{count} times within {now_s - instants_s[0]:.0f} s"


DETECTOR = ChargePointImpersonation()

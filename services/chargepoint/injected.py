"""The charge point under the injections in force: its meter, its clock, what it tells of transactions. Pure.

Whoever performs injections says what `began` and `ended`. Nothing of this reaches the bus: there the truth
goes on, so that what is told and what flows can be compared.
"""

from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from contracts.events import Reading
from contracts.injections import (
    ClockShift,
    MeterGain,
    MeterRegister,
    MeterRepeats,
    Network,
    TransactionMessages,
)

ChargePointInjection: TypeAlias = (
    MeterGain | MeterRegister | ClockShift | MeterRepeats | Network | TransactionMessages
)
_Kind = TypeVar("_Kind")


class Begun(Struct, frozen=True):
    """One injection, and what the energy register said when it began."""

    id: UUID
    injection: ChargePointInjection
    energy_wh: float


class InForce(Struct, frozen=True):
    """What is in force, oldest first."""

    begun: tuple[Begun, ...] = ()

    def last(self, kind: type[_Kind]) -> _Kind | None:
        """Return the injection of this kind that began last."""
        for begun in reversed(self.begun):
            if isinstance(begun.injection, kind):
                return begun.injection
        return None


def began(
    in_force: InForce, injection_id: UUID, injection: ChargePointInjection, energy_wh: float
) -> InForce:
    """Return what is in force once this injection is too; `energy_wh` is what the register says now."""
    return InForce((*ended(in_force, injection_id).begun, Begun(injection_id, injection, energy_wh)))


def ended(in_force: InForce, injection_id: UUID) -> InForce:
    """Return what is in force without this injection."""
    return InForce(tuple(begun for begun in in_force.begun if begun.id != injection_id))


def energy_wh(in_force: InForce, true_wh: float) -> float:
    """Return what the register is said to be.

    A gain scales what flows from its begin on (the register would fall or leap otherwise, which is another
    fault); what is frozen stays at its begin.
    """
    told_wh = true_wh
    for begun in in_force.begun:
        match begun.injection:
            case MeterGain(gain=gain):
                told_wh += (gain - 1) * (true_wh - begun.energy_wh)
            case MeterRegister(back_wh=back_wh, frozen=frozen, unit_factor=unit_factor):
                still_wh = begun.energy_wh if frozen else told_wh
                told_wh = max(0.0, still_wh - back_wh) * unit_factor
    return told_wh


def told(in_force: InForce, reading: Reading) -> Reading:
    """Return the reading of which MeterValues tell, in place of the true one."""
    if not in_force.begun:
        return reading
    gain = 1.0
    for begun in in_force.begun:
        if isinstance(begun.injection, MeterGain):
            gain *= begun.injection.gain
    return replace(
        reading,
        at=clock(in_force, reading.at),
        current_a=None if reading.current_a is None else reading.current_a * gain,
        power_w=None if reading.power_w is None else reading.power_w * gain,
        energy_wh=None if reading.energy_wh is None else energy_wh(in_force, reading.energy_wh),
    )


def clock(in_force: InForce, at: datetime) -> datetime:
    """Return what the charge point's clock says at an instant."""
    shift = in_force.last(ClockShift)
    return at if shift is None else at + timedelta(seconds=shift.offset_s)


def connector(in_force: InForce, number: int) -> int:
    """Return which connector MeterValues and statuses name."""
    messages = in_force.last(TransactionMessages)
    return number + 1 if messages is not None and messages.way == "elsewhere" else number


def stops(in_force: InForce) -> int:
    """Return how many StopTransactions are sent where one should be."""
    messages = in_force.last(TransactionMessages)
    if messages is None:
        return 1
    return {"orphan": 0, "twice": 2, "elsewhere": 1}[messages.way]

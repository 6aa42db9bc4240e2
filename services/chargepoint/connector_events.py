"""What a connector's machine is told (events) and what it asks of its shell (actions)."""

from datetime import datetime
from typing import Any, TypeAlias

from msgspec import Struct

from chargepoint.statuses import Status
from contracts import can_frames
from contracts.can_frames import Frame


class Transaction(Struct, frozen=True):
    """A running transaction; `transaction_id` is the CSMS's, None until it answered."""

    local_id: str
    id_tag: str
    started_at: datetime
    transaction_id: int | None = None
    reservation_id: int | None = None


class Reservation(Struct, frozen=True):
    """A connector kept for one id tag until a monotonic instant."""

    reservation_id: int
    id_tag: str
    until_s: float


class CablePlugged(Struct, frozen=True):
    """The driver plugged the cable in."""

    at: datetime


class CableUnplugged(Struct, frozen=True):
    """The driver pulled the cable out."""


class StartAccepted(Struct, frozen=True):
    """An id tag may charge here; without a cable it is waited for until `until_s`."""

    local_id: str
    id_tag: str
    at: datetime
    until_s: float


class StopAccepted(Struct, frozen=True):
    """The running transaction is to end, with one of OCPP's reasons."""

    reason: str
    id_tag: str | None = None


class TransactionNumbered(Struct, frozen=True):
    """The CSMS gave a transaction its id."""

    local_id: str
    transaction_id: int


class LimitChanged(Struct, frozen=True):
    """Smart charging allows another current; `commanded`: an OCPP command says so, not the clock."""

    limit_a: float
    commanded: bool = False


class ModuleReported(Struct, frozen=True):
    """A 0x300 and what came with it. `status`: None when no 0x302 did."""

    now_s: float
    current_a: float
    offered_a: float | None = None
    status: can_frames.Status | None = None


class ForeignStopHeard(Struct, frozen=True):
    """A 0x201 on the bus that is not ours."""


class Ticked(Struct, frozen=True):
    """Time passed; comes every second."""

    now_s: float


class AvailabilityChanged(Struct, frozen=True):
    """The CSMS takes the connector out of service or puts it back; a transaction ends first."""

    operative: bool


class ReservationMade(Struct, frozen=True):
    """The connector is kept for an id tag."""

    reservation: Reservation


class ReservationEnded(Struct, frozen=True):
    """The reservation was cancelled."""


Event: TypeAlias = (
    CablePlugged
    | CableUnplugged
    | StartAccepted
    | StopAccepted
    | TransactionNumbered
    | LimitChanged
    | ModuleReported
    | ForeignStopHeard
    | Ticked
    | AvailabilityChanged
    | ReservationMade
    | ReservationEnded
)


class Notify(Struct, frozen=True):
    """Tell the CSMS the status."""

    status: Status
    error_code: str


class Send(Struct, frozen=True):
    """Put a frame on the bus."""

    frame: Frame


class BeginTransaction(Struct, frozen=True):
    """Tell the CSMS of a transaction's start."""

    transaction: Transaction


class EndTransaction(Struct, frozen=True):
    """Tell the CSMS of a transaction's end."""

    transaction: Transaction
    reason: str
    id_tag: str | None


class Record(Struct, frozen=True):
    """Remember a fact; `transition_refused` names an event that has no place in the status."""

    name: str
    detail: dict[str, Any]


Action: TypeAlias = Notify | Send | BeginTransaction | EndTransaction | Record

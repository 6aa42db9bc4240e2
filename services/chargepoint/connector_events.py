"""What a connector's machine is told (events) and what it asks of its shell (actions)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from chargepoint.statuses import Status
from contracts import can_frames
from contracts.can_frames import Frame


@dataclass(frozen=True, slots=True)
class Transaction:
    """A running transaction; `transaction_id` is the CSMS's, None until it answered."""

    local_id: str
    id_tag: str
    started_at: datetime
    transaction_id: int | None = None
    reservation_id: int | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """A connector kept for one id tag until a monotonic instant."""

    reservation_id: int
    id_tag: str
    until_s: float


@dataclass(frozen=True, slots=True)
class CablePlugged:
    """The driver plugged the cable in."""

    at: datetime


@dataclass(frozen=True, slots=True)
class CableUnplugged:
    """The driver pulled the cable out."""


@dataclass(frozen=True, slots=True)
class StartAccepted:
    """An id tag may charge here; without a cable it is waited for until `until_s`."""

    local_id: str
    id_tag: str
    at: datetime
    until_s: float


@dataclass(frozen=True, slots=True)
class StopAccepted:
    """The running transaction is to end, with one of OCPP's reasons."""

    reason: str
    id_tag: str | None = None


@dataclass(frozen=True, slots=True)
class TransactionNumbered:
    """The CSMS gave a transaction its id."""

    local_id: str
    transaction_id: int


@dataclass(frozen=True, slots=True)
class LimitChanged:
    """Smart charging allows another current; `commanded`: an OCPP command says so, not the clock."""

    limit_a: float
    commanded: bool = False


@dataclass(frozen=True, slots=True)
class ModuleReported:
    """A 0x300 and what came with it. `status`: None when no 0x302 did."""

    now_s: float
    current_a: float
    offered_a: float | None = None
    status: can_frames.Status | None = None


@dataclass(frozen=True, slots=True)
class ForeignStopHeard:
    """A 0x201 on the bus that is not ours."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time passed; comes every second."""

    now_s: float


@dataclass(frozen=True, slots=True)
class AvailabilityChanged:
    """The CSMS takes the connector out of service or puts it back; a transaction ends first."""

    operative: bool


@dataclass(frozen=True, slots=True)
class ReservationMade:
    """The connector is kept for an id tag."""

    reservation: Reservation


@dataclass(frozen=True, slots=True)
class ReservationEnded:
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


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell the CSMS the status."""

    status: Status
    error_code: str


@dataclass(frozen=True, slots=True)
class Send:
    """Put a frame on the bus."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class BeginTransaction:
    """Tell the CSMS of a transaction's start."""

    transaction: Transaction


@dataclass(frozen=True, slots=True)
class EndTransaction:
    """Tell the CSMS of a transaction's end."""

    transaction: Transaction
    reason: str
    id_tag: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """Remember a fact; `transition_refused` names an event that has no place in the status."""

    name: str
    detail: dict[str, Any]


Action: TypeAlias = Notify | Send | BeginTransaction | EndTransaction | Record

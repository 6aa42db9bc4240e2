"""OCPP's nine statuses and what leads from one to another, as a table.

The table is OCPP 1.6's (section 4.9) with one addition: a connector that waits with its cable plugged can be
taken out of service. OCPP knows no way from Preparing to Unavailable, and here the cable stays plugged in.
"""

import enum
from collections.abc import Mapping


class Status(enum.StrEnum):
    """The status of a connector, in OCPP's words."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EVSE = "SuspendedEVSE"
    SUSPENDED_EV = "SuspendedEV"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


class Trigger(enum.Enum):
    """What can change a status: the columns of the table."""

    PLUGGED = "cable plugged"
    UNPLUGGED = "cable unplugged"
    TAG_ACCEPTED = "id tag accepted for a start"
    TIMED_OUT = "no cable within ConnectionTimeOut"
    DELIVERS = "energy is delivered"
    EVSE_WITHHOLDS = "the charge point or its module offers nothing"
    EV_WITHHOLDS = "the vehicle takes nothing"
    ENDED = "transaction ended"
    RESERVATION_MADE = "reservation made"
    TAKEN_OUT = "taken out of service"
    FAULT_RAISED = "fault raised"
    BACK_TO_FREE = "nothing in the way any more, no cable"
    BACK_TO_PLUGGED = "nothing in the way any more, cable plugged"
    BACK_TO_TRANSACTION = "nothing in the way any more, transaction running"
    BACK_OUT_OF_SERVICE = "fault gone, out of service"


_S, _T = Status, Trigger

_TRANSACTION_RUNS: Mapping[Trigger, Status] = {
    _T.DELIVERS: _S.CHARGING,
    _T.EVSE_WITHHOLDS: _S.SUSPENDED_EVSE,
    _T.EV_WITHHOLDS: _S.SUSPENDED_EV,
    _T.ENDED: _S.FINISHING,
    _T.FAULT_RAISED: _S.FAULTED,
}

TRANSITIONS: Mapping[Status, Mapping[Trigger, Status]] = {
    _S.AVAILABLE: {
        _T.PLUGGED: _S.PREPARING,
        _T.TAG_ACCEPTED: _S.PREPARING,
        _T.RESERVATION_MADE: _S.RESERVED,
        _T.TAKEN_OUT: _S.UNAVAILABLE,
        _T.FAULT_RAISED: _S.FAULTED,
    },
    _S.PREPARING: {
        _T.PLUGGED: _S.PREPARING,  # the id tag came first
        _T.TAG_ACCEPTED: _S.PREPARING,  # the cable came first
        _T.UNPLUGGED: _S.AVAILABLE,
        _T.TIMED_OUT: _S.AVAILABLE,
        _T.DELIVERS: _S.CHARGING,
        _T.EVSE_WITHHOLDS: _S.SUSPENDED_EVSE,
        _T.EV_WITHHOLDS: _S.SUSPENDED_EV,
        _T.TAKEN_OUT: _S.UNAVAILABLE,
        _T.FAULT_RAISED: _S.FAULTED,
    },
    _S.CHARGING: _TRANSACTION_RUNS,
    _S.SUSPENDED_EVSE: _TRANSACTION_RUNS,
    _S.SUSPENDED_EV: _TRANSACTION_RUNS,
    _S.FINISHING: {
        _T.UNPLUGGED: _S.AVAILABLE,
        _T.TAG_ACCEPTED: _S.PREPARING,
        _T.TAKEN_OUT: _S.UNAVAILABLE,
        _T.FAULT_RAISED: _S.FAULTED,
    },
    _S.RESERVED: {
        _T.RESERVATION_MADE: _S.RESERVED,  # the same one, changed
        _T.PLUGGED: _S.RESERVED,
        _T.UNPLUGGED: _S.RESERVED,
        _T.TAG_ACCEPTED: _S.PREPARING,
        _T.BACK_TO_FREE: _S.AVAILABLE,
        _T.BACK_TO_PLUGGED: _S.PREPARING,
        _T.TAKEN_OUT: _S.UNAVAILABLE,
        _T.FAULT_RAISED: _S.FAULTED,
    },
    _S.UNAVAILABLE: {
        _T.PLUGGED: _S.UNAVAILABLE,
        _T.UNPLUGGED: _S.UNAVAILABLE,
        _T.TAKEN_OUT: _S.UNAVAILABLE,
        _T.BACK_TO_FREE: _S.AVAILABLE,
        _T.BACK_TO_PLUGGED: _S.PREPARING,
        _T.FAULT_RAISED: _S.FAULTED,
    },
    _S.FAULTED: {
        _T.PLUGGED: _S.FAULTED,
        _T.UNPLUGGED: _S.FAULTED,
        _T.ENDED: _S.FAULTED,
        _T.TAKEN_OUT: _S.FAULTED,
        _T.FAULT_RAISED: _S.FAULTED,
        _T.BACK_TO_FREE: _S.AVAILABLE,
        _T.BACK_TO_PLUGGED: _S.PREPARING,
        _T.BACK_TO_TRANSACTION: _S.SUSPENDED_EVSE,
        _T.BACK_OUT_OF_SERVICE: _S.UNAVAILABLE,
    },
}

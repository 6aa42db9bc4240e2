"""A line of the message log: what passed on a bus or by OCPP, decoded for a person and as it was."""

from typing import Literal, TypeAlias

from msgspec import Struct

from contracts import can_frames
from contracts.can_frames import (
    Current,
    Faults,
    Frame,
    Keepalive,
    ModuleState,
    Output,
    SetLimit,
    Start,
    Status,
    Stop,
    Thermal,
)
from contracts.errors import MalformedFrame

MAX_TEXT = 300
MAX_RAW = 4000

Layer: TypeAlias = Literal["can", "ocpp", "system"]
Direction: TypeAlias = Literal["sent", "received"]


class LogEntry(Struct, frozen=True, kw_only=True):
    """One line; `id` is unique in a stream.

    `direction` on CAN is seen from the charge point, by the identifier (a bus does not tell who sent);
    with OCPP it is seen from the CSMS.
    """

    id: str
    at_s: float
    layer: Layer
    direction: Direction | None
    name: str
    text: str
    raw: str
    malformed: bool = False


STATE_WORDS = {state: state.name.lower() for state in ModuleState}
FAULT_WORDS = {fault: (fault.name or "").lower().replace("_", " ") for fault in Faults}
_NAMES = {
    kind.can_id: kind.__name__
    for kind in (Start, Stop, SetLimit, Keepalive, Current, Output, Status, Thermal)
}
_OF_CHARGE_POINT = {Start.can_id, Stop.can_id, SetLimit.can_id, Keepalive.can_id}


def of_frame(identity: str, at_s: float, can_id: int, data: bytes, *, extended: bool = False) -> LogEntry:
    """Return the line of a frame, whatever it is; nonsense on our identifiers is called malformed."""
    name = None if extended else _NAMES.get(can_id)
    malformed = False
    try:
        frame = None if extended else can_frames.decode(can_id, data)
    except MalformedFrame as error:
        malformed, text = True, str(error)
    else:
        text = "unknown identifier" if frame is None else frame_text(frame)
    direction: Direction | None = None
    if name is not None:
        direction = "sent" if can_id in _OF_CHARGE_POINT else "received"
    return LogEntry(
        id=identity,
        at_s=at_s,
        layer="can",
        direction=direction,
        name=f"0x{can_id:08x}" if extended else name_of(can_id),
        text=text[:MAX_TEXT],
        raw=data.hex(),
        malformed=malformed,
    )


def name_of(can_id: int) -> str:
    """Return what a frame with this 11-bit identifier is called."""
    name = _NAMES.get(can_id)
    return f"0x{can_id:03x} {name}" if name else f"0x{can_id:03x}"


def frame_text(frame: Frame) -> str:
    """Return what a frame says, in one line."""
    match frame:
        case Start():
            return "start charging"
        case Stop():
            return "stop charging"
        case SetLimit(limit_a):
            return f"limit {limit_a} A"
        case Keepalive(counter):
            return f"counter {counter}"
        case Current(current_a):
            return f"current {current_a} A"
        case Output(current_a, voltage_v, offered_a):
            return f"current {current_a:.2f} A, {voltage_v:.1f} V, offered {offered_a:.1f} A"
        case Thermal(temperature_c, soc_percent):
            return f"{temperature_c:.1f} \u00b0C, battery {soc_percent:.1f} %"
        case Status():
            return _status_text(frame)


def _status_text(status: Status) -> str:
    parts = [STATE_WORDS[status.state], "contactor closed" if status.contactor_closed else "contactor open"]
    if status.vehicle_limited:
        parts.append("limited by the vehicle")
    if status.faults:
        parts.append("faults: " + " and ".join(FAULT_WORDS[fault] for fault in status.faults))
    parts.append(
        f"counter {status.counter}, closures {status.closures}, opened under load {status.hot_openings}"
    )
    return ", ".join(parts)

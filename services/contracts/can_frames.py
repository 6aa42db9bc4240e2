"""The CAN contract: frozen frame types, `encode` and `decode`. charger.dbc says the same to CAN tools.

Classic CAN, 11-bit identifiers, little-endian. 0x200, 0x201, 0x210 and 0x300 are the base protocol and
never change; everything that was added stands on identifiers of its own.
"""

import enum
import math
import struct
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

from msgspec import Struct

from contracts.errors import MalformedFrame

START_ID = 0x200
STOP_ID = 0x201
SET_LIMIT_ID = 0x210
KEEPALIVE_ID = 0x211
CURRENT_ID = 0x300
OUTPUT_ID = 0x301
STATUS_ID = 0x302
THERMAL_ID = 0x303

KEEPALIVE_PERIOD_S = 1.0
KEEPALIVE_TIMEOUT_S = 5.0  # ATESS modules switch off after 5 s without their controller
READING_PERIOD_S = 1.0


class ModuleState(enum.IntEnum):
    """What a charger module is doing, as signal `state` of 0x302."""

    IDLE = 0
    CHARGING = 1
    STOPPING = 2
    FAULTED = 3


class Faults(enum.IntFlag):
    """The fault bits of 0x302."""

    NONE = 0
    OVER_TEMPERATURE = 1
    OVER_CURRENT = 2
    CONTACTOR_WELDED = 4
    KEEPALIVE_LOST = 8
    INTERNAL = 16


# An enumeration's own look-up takes microseconds; of 0x302 each second brings two.
_STATES = {int(state): state for state in ModuleState}
_FAULTS = {bits: Faults(bits) for bits in range(sum(Faults) + 1)}


class Start(Struct, frozen=True):
    """0x200, charge point → charger: start charging."""

    can_id: ClassVar[int] = START_ID
    layout: ClassVar[struct.Struct] = struct.Struct("<")


class Stop(Struct, frozen=True):
    """0x201, charge point → charger: stop charging."""

    can_id: ClassVar[int] = STOP_ID
    layout: ClassVar[struct.Struct] = struct.Struct("<")


class SetLimit(Struct, frozen=True):
    """0x210, charge point → charger: the current limit in whole amperes, 0 … 65535."""

    limit_a: int
    can_id: ClassVar[int] = SET_LIMIT_ID
    layout: ClassVar[struct.Struct] = struct.Struct("<H")


class Keepalive(Struct, frozen=True):
    """0x211, charge point → charger, every second: a counter modulo 65536."""

    counter: int
    can_id: ClassVar[int] = KEEPALIVE_ID
    layout: ClassVar[struct.Struct] = struct.Struct("<H")


class Current(Struct, frozen=True):
    """0x300, charger → all, every second: the current in whole amperes, rounded and saturating."""

    current_a: int
    can_id: ClassVar[int] = CURRENT_ID
    layout: ClassVar[struct.Struct] = struct.Struct("<H")


class Output(Struct, frozen=True):
    """0x301, charger → all, every second: current (0.01 A, to the vehicle), voltage and offer (0.1)."""

    current_a: float
    voltage_v: float
    offered_a: float
    can_id: ClassVar[int] = OUTPUT_ID
    layout: ClassVar[struct.Struct] = struct.Struct("<iHH")


class Status(Struct, frozen=True):
    """0x302, charger → all, every second: state, contactor, faults, counter, wear."""

    state: ModuleState
    contactor_closed: bool
    vehicle_limited: bool
    faults: Faults
    counter: int
    closures: int
    hot_openings: int
    can_id: ClassVar[int] = STATUS_ID
    layout: ClassVar[struct.Struct] = struct.Struct("<BBBBHH")


class Thermal(Struct, frozen=True):
    """0x303, charger → all, every second: temperature of the module, state of charge of the vehicle."""

    temperature_c: float
    soc_percent: float
    can_id: ClassVar[int] = THERMAL_ID
    layout: ClassVar[struct.Struct] = struct.Struct("<hH")


Frame: TypeAlias = Start | Stop | SetLimit | Keepalive | Current | Output | Status | Thermal


def _scaled(value: float, factor: float, low: int, high: int) -> int:
    """Return `value / factor` rounded half away from zero, saturated to low … high."""
    try:
        steps = math.floor(abs(value) / factor + 0.5)
    except ValueError as error:
        raise MalformedFrame("a signal is not a number") from error
    except OverflowError:  # it is infinite
        return high if value > 0 else low
    if value < 0:
        steps = -steps
    return low if steps < low else min(steps, high)


def reading(current_a: float) -> Current:
    """Return 0x300 for a precise current: unsigned, rounded, saturating."""
    return Current(_scaled(current_a, 1, 0, 0xFFFF))


def limit(limit_a: float) -> SetLimit:
    """Return 0x210 for a precise limit. Rounds down, so that a whole-ampere limit is never above the wish."""
    return SetLimit(max(0, min(0xFFFF, math.floor(limit_a))))


def encode(frame: Frame) -> tuple[int, bytes]:
    """Return (identifier, data) of a frame; precise signals saturate, counters wrap.

    Raises MalformedFrame where a signal is not a number or a whole-number signal does not fit.
    """
    try:
        return frame.can_id, _PACKERS[type(frame)](frame)
    except struct.error as error:
        raise MalformedFrame(f"{type(frame).__name__}: {error}") from error


def _pack_output(frame: Output) -> bytes:
    return Output.layout.pack(
        _scaled(frame.current_a, 0.01, -(2**31), 2**31 - 1),
        _scaled(frame.voltage_v, 0.1, 0, 0xFFFF),
        _scaled(frame.offered_a, 0.1, 0, 0xFFFF),
    )


def _pack_status(frame: Status) -> bytes:
    return Status.layout.pack(
        frame.state,
        frame.contactor_closed | frame.vehicle_limited << 1,
        frame.faults,
        frame.counter & 0xFF,
        min(frame.closures, 0xFFFF),
        min(frame.hot_openings, 0xFFFF),
    )


def _pack_thermal(frame: Thermal) -> bytes:
    return Thermal.layout.pack(
        _scaled(frame.temperature_c, 0.1, -0x8000, 0x7FFF), _scaled(frame.soc_percent, 0.1, 0, 1000)
    )


_PACKERS: dict[type[Frame], Callable[[Any], bytes]] = {
    Start: lambda _: b"",
    Stop: lambda _: b"",
    SetLimit: lambda frame: SetLimit.layout.pack(frame.limit_a),
    Keepalive: lambda frame: Keepalive.layout.pack(frame.counter & 0xFFFF),
    Current: lambda frame: Current.layout.pack(frame.current_a),
    Output: _pack_output,
    Status: _pack_status,
    Thermal: _pack_thermal,
}


def as_heard(frame: Frame) -> Frame:
    """Return the frame as it arrives, in the resolution of its signals: `decode(*encode(frame))`, faster."""
    if isinstance(frame, Output):
        return output(frame.current_a, frame.voltage_v, frame.offered_a)
    if isinstance(frame, Thermal):
        return thermal(frame.temperature_c, frame.soc_percent)
    return frame


def output(current_a: float, voltage_v: float, offered_a: float) -> Output:
    """Return 0x301 in the resolution of its signals."""
    return Output(
        _scaled(current_a, 0.01, -(2**31), 2**31 - 1) / 100,
        _scaled(voltage_v, 0.1, 0, 0xFFFF) / 10,
        _scaled(offered_a, 0.1, 0, 0xFFFF) / 10,
    )


def thermal(temperature_c: float, soc_percent: float) -> Thermal:
    """Return 0x303 in the resolution of its signals."""
    return Thermal(_scaled(temperature_c, 0.1, -0x8000, 0x7FFF) / 10, _scaled(soc_percent, 0.1, 0, 1000) / 10)


def _status(state: int, flags: int, faults: int, counter: int, closures: int, hot_openings: int) -> Status:
    known_state, known_faults = _STATES.get(state), _FAULTS.get(faults)
    if known_state is None:
        raise MalformedFrame(f"0x302: unknown state {state}")
    if flags & ~0b11:
        raise MalformedFrame(f"0x302: unknown flag bits 0x{flags:02x}")
    if known_faults is None:
        raise MalformedFrame(f"0x302: unknown fault bits 0x{faults:02x}")
    return Status(
        known_state, bool(flags & 1), bool(flags & 2), known_faults, counter, closures, hot_openings
    )


def _thermal(temperature: int, soc: int) -> Thermal:
    if soc > 1000:
        raise MalformedFrame(f"0x303: state of charge {soc / 10} % is over 100 %")
    return Thermal(temperature / 10, soc / 10)


_DECODERS: dict[int, tuple[struct.Struct, Callable[..., Frame]]] = {
    START_ID: (Start.layout, Start),
    STOP_ID: (Stop.layout, Stop),
    SET_LIMIT_ID: (SetLimit.layout, SetLimit),
    KEEPALIVE_ID: (Keepalive.layout, Keepalive),
    CURRENT_ID: (Current.layout, Current),
    OUTPUT_ID: (Output.layout, lambda i, v, o: Output(i / 100, v / 10, o / 10)),
    STATUS_ID: (Status.layout, _status),
    THERMAL_ID: (Thermal.layout, _thermal),
}


def decode(can_id: int, data: bytes) -> Frame | None:
    """Return the whole frame, or None for an identifier that is none of ours (other nodes may share a bus).

    Raises MalformedFrame where the length or a value is not what the identifier demands.
    """
    known = _DECODERS.get(can_id)
    if known is None:
        return None
    layout, make = known
    if len(data) != layout.size:
        raise MalformedFrame(f"0x{can_id:03x}: {len(data)} bytes instead of {layout.size}")
    return make(*layout.unpack(data))

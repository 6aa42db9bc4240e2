"""Injections: what a scenario does to a charge point beside OCPP commands, where attacker or fault would sit.

The CSMS's scenario runner publishes an `Inject`; who sits at the place performs it for `seconds` and then
restores by itself, so that nothing outlives a runner that died. `Withdraw` ends everything at once. No
detector's account may read these topics.
"""

from typing import Annotated, ClassVar, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from contracts.errors import MalformedInjection
from contracts.events import At

InjectorPlace: TypeAlias = Literal["bus", "module", "charge_point", "csms_side"]
"""A rogue node on the connector's CAN bus; the charger module; the charge point (metering, clock, network,
its driver); a client of the CSMS beside the charge point."""

Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Period: TypeAlias = Annotated[float, Meta(ge=0.05, le=3600)]
CanId: TypeAlias = Annotated[int, Meta(ge=0, le=0x7FF)]
MAX_SECONDS = 86_400.0


class Injection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="fault"):
    """What is done; `fault` in a scenario's file names its kind."""

    place: ClassVar[InjectorPlace]


class CanFrames(Injection, frozen=True, kw_only=True, tag="can_frames"):
    """A rogue node sends one frame again and again. `data`: hex."""

    place: ClassVar[InjectorPlace] = "bus"
    can_id: CanId
    data: Annotated[str, Meta(pattern="^([0-9a-f]{2}){0,8}$")] = ""
    every_s: Period = 1.0


class CanLimit(Injection, frozen=True, kw_only=True, tag="can_limit"):
    """A rogue node sends 0x210 with a limit of its own again and again."""

    place: ClassVar[InjectorPlace] = "bus"
    limit_a: Annotated[float, Meta(ge=0, le=65535)]
    every_s: Period = 1.0


class CanReading(Injection, frozen=True, kw_only=True, tag="can_reading"):
    """A rogue node sends false 0x300 beside the true ones: `gain` times the last true one plus `offset_a`."""

    place: ClassVar[InjectorPlace] = "bus"
    gain: float = 0.0
    offset_a: float = 0.0
    every_s: Period = 1.0


class CanReplay(Injection, frozen=True, kw_only=True, tag="can_replay"):
    """A rogue node records the module's frames for `record_s`, then sends them again and again."""

    place: ClassVar[InjectorPlace] = "bus"
    record_s: Annotated[float, Meta(ge=1, le=600)] = 30.0


class CanFlood(Injection, frozen=True, kw_only=True, tag="can_flood"):
    """A rogue node fills the bus with frames of a low identifier.

    Real CAN would let them win every arbitration. Multicast has none, so it is emulated: at `frames_per_s` of
    the bus's `capacity_frames_per_s` the others' frames come late, or not at all, in proportion.
    """

    place: ClassVar[InjectorPlace] = "bus"
    can_id: CanId = 0x001
    frames_per_s: Annotated[float, Meta(ge=1, le=1000)] = 850.0
    capacity_frames_per_s: Annotated[float, Meta(ge=100, le=10_000)] = 900.0


class ModuleSilent(Injection, frozen=True, kw_only=True, tag="module_silent"):
    """The module's frames do not get through (a bus-off attack, a loose wire); it still hears the bus."""

    place: ClassVar[InjectorPlace] = "module"


class FramesLost(Injection, frozen=True, kw_only=True, tag="frames_lost"):
    """Each of the module's instants (its four frames together) is lost with this probability."""

    place: ClassVar[InjectorPlace] = "module"
    share: Share


class ModuleDefect(Injection, frozen=True, kw_only=True, tag="module_defect"):
    """The power stage is broken so; see charger.power_stage.Defects."""

    place: ClassVar[InjectorPlace] = "module"
    contactor_stuck: bool = False
    regulator_gain: Annotated[float, Meta(ge=0, le=10)] = 1.0
    cooling_share: Annotated[float, Meta(ge=0.01, le=1)] = 1.0
    internal: bool = False


class ModuleReports(Injection, frozen=True, kw_only=True, tag="module_reports"):
    """0x303 lies: a constant temperature; a state of charge that is shifted, or frozen."""

    place: ClassVar[InjectorPlace] = "module"
    temperature_c: float | None = None
    soc_offset_percent: float = 0.0
    soc_frozen: bool = False


class ModuleAmbient(Injection, frozen=True, kw_only=True, tag="module_ambient"):
    """It is hot around the module (benign: it derates as it should)."""

    place: ClassVar[InjectorPlace] = "module"
    ambient_c: Annotated[float, Meta(ge=-40, le=80)]


class RampSawTooth(Injection, frozen=True, kw_only=True, tag="ramp_saw_tooth"):
    """The module's ramp up is a saw tooth, as of some real 50 kW stations (benign)."""

    place: ClassVar[InjectorPlace] = "module"
    amplitude_a: Annotated[float, Meta(ge=0, le=200)] = 12.0
    period_s: Annotated[float, Meta(ge=2, le=120)] = 8.0


class VehicleTaper(Injection, frozen=True, kw_only=True, tag="vehicle_taper"):
    """The vehicle lowers its current in steps of `step_a` every `every_s` (benign: constant voltage)."""

    place: ClassVar[InjectorPlace] = "module"
    step_a: Annotated[float, Meta(ge=0.1, le=50)] = 1.0
    every_s: Period = 4.0


class MeterGain(Injection, frozen=True, kw_only=True, tag="meter_gain"):
    """What the charge point reports by MeterValues is `gain` times the truth: current, power, energy."""

    place: ClassVar[InjectorPlace] = "charge_point"
    gain: Annotated[float, Meta(ge=0, le=1000)]


class MeterRegister(Injection, frozen=True, kw_only=True, tag="meter_register"):
    """The reported energy register falls by `back_wh` once, stands still, or is in another unit."""

    place: ClassVar[InjectorPlace] = "charge_point"
    back_wh: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    frozen: bool = False
    unit_factor: Annotated[float, Meta(gt=0, le=1000)] = 1.0


class ClockShift(Injection, frozen=True, kw_only=True, tag="clock_shift"):
    """The charge point stamps its OCPP messages with a time that is `offset_s` off."""

    place: ClassVar[InjectorPlace] = "charge_point"
    offset_s: Annotated[float, Meta(ge=-31_536_000, le=31_536_000)]


class MeterRepeats(Injection, frozen=True, kw_only=True, tag="meter_repeats"):
    """MeterValues are sent again (`share` of them) or late (all of them, by `delay_s`)."""

    place: ClassVar[InjectorPlace] = "charge_point"
    share: Share = 0.0
    delay_s: Annotated[float, Meta(ge=0, le=3600)] = 0.0


class Network(Injection, frozen=True, kw_only=True, tag="network"):
    """The network between charge point and CSMS delays, drops and duplicates OCPP messages."""

    place: ClassVar[InjectorPlace] = "charge_point"
    delay_s: Annotated[float, Meta(ge=0, le=60)] = 0.0
    drop_share: Share = 0.0
    duplicate_share: Share = 0.0


class Disconnect(Injection, frozen=True, kw_only=True, tag="disconnect"):
    """The network between charge point and CSMS is away."""

    place: ClassVar[InjectorPlace] = "charge_point"


class TransactionMessages(Injection, frozen=True, kw_only=True, tag="transaction_messages"):
    """The charge point's transaction messages are wrong, as of real bugs.

    `orphan`: no StopTransaction is sent. `twice`: StopTransaction is sent again. `elsewhere`: MeterValues and
    status name another connector than the transaction's.
    """

    place: ClassVar[InjectorPlace] = "charge_point"
    way: Literal["orphan", "twice", "elsewhere"]


class PresentTag(Injection, frozen=True, kw_only=True, tag="present_tag"):
    """Somebody holds an id tag to the reader, once."""

    place: ClassVar[InjectorPlace] = "charge_point"
    id_tag: Annotated[str, Meta(min_length=1, max_length=20)]


class Cable(Injection, frozen=True, kw_only=True, tag="cable"):
    """The driver unplugs or plugs the cable, once."""

    place: ClassVar[InjectorPlace] = "charge_point"
    plugged: bool


class Impostor(Injection, frozen=True, kw_only=True, tag="impostor"):
    """Somebody connects to the CSMS under the charge point's identity, again and again, and boots."""

    place: ClassVar[InjectorPlace] = "csms_side"
    serial_number: Annotated[str, Meta(max_length=25)] = "IMPOSTOR"
    every_s: Period = 10.0


AnyInjection: TypeAlias = (
    CanFrames
    | CanLimit
    | CanReading
    | CanReplay
    | CanFlood
    | ModuleSilent
    | FramesLost
    | ModuleDefect
    | ModuleReports
    | ModuleAmbient
    | RampSawTooth
    | VehicleTaper
    | MeterGain
    | MeterRegister
    | ClockShift
    | MeterRepeats
    | Network
    | Disconnect
    | TransactionMessages
    | PresentTag
    | Cable
    | Impostor
)


AtCharger: TypeAlias = (
    ModuleSilent
    | FramesLost
    | ModuleDefect
    | ModuleReports
    | ModuleAmbient
    | RampSawTooth
    | VehicleTaper
    | CanFlood
)
"""What a charger performs: all of place `module`, and the arbitration that a flood wins."""


class Inject(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="inject", tag_field="order"):
    """Begin an injection at a connector; it ends by itself after `seconds`. `seed` decides its draws."""

    id: UUID
    charge_point_id: Annotated[str, Meta(min_length=1, max_length=255)]
    connector: Annotated[int, Meta(ge=1, le=255)] = 1
    seconds: Annotated[float, Meta(gt=0, le=MAX_SECONDS)]
    seed: int = 0
    injection: AnyInjection


class Withdraw(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="withdraw", tag_field="order"
):
    """End every injection at a charge point now."""

    charge_point_id: Annotated[str, Meta(min_length=1, max_length=255)]


Order: TypeAlias = Inject | Withdraw
Phase: TypeAlias = Literal["began", "ended", "failed"]


class Injected(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The word of whoever performs: an injection began or ended at its place, at this instant."""

    id: UUID
    charge_point_id: Annotated[str, Meta(min_length=1, max_length=255)]
    phase: Phase
    at: At
    reason: Annotated[str, Meta(max_length=500)] = ""


_ENCODER = msgspec.json.Encoder()
_DECODER: "msgspec.json.Decoder[Order]" = msgspec.json.Decoder(Order)
_INJECTED_DECODER = msgspec.json.Decoder(Injected)


def encode(message: Order | Injected) -> bytes:
    """Return the JSON of an order, or of the word that it is performed."""
    return _ENCODER.encode(message)


def decode(payload: bytes) -> Order:
    """Return the order, or raise MalformedInjection naming the place."""
    try:
        return _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedInjection(str(error)) from error


def decode_injected(payload: bytes) -> Injected:
    """Return the word of whoever performs, or raise MalformedInjection naming the place."""
    try:
        return _INJECTED_DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedInjection(str(error)) from error

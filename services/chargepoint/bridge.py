"""Between bus and OCPP: frames become reports, reports become readings, readings become MeterValues. Pure.

A module sends 0x301, 0x302 and 0x303 and then 0x300. So 0x300 is the moment of a report, and what else came
since the one before belongs to it. A 0x300 that stands alone (a plain CAN tool, or a spoofed one) is believed
too: the chain shows what was on the bus.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import TypeAlias

from msgspec import Struct

from chargepoint.smart_charging import Supply
from contracts import can_frames, ocpp_time
from contracts.can_frames import Current, Frame, Output, Status, Thermal
from contracts.events import Reading
from contracts.ocpp_messages import Payload

POWER_FACTOR = 1.0
"""Of a direct current; rectifiers of today keep the grid's side within a hundredth of it."""


class Report(Struct, frozen=True):
    """One instant of a module; None: not told."""

    current_a: float
    output: Output | None = None
    status: Status | None = None
    thermal: Thermal | None = None


class Heard(Struct, frozen=True):
    """What came since the last 0x300."""

    output: Output | None = None
    status: Status | None = None
    thermal: Thermal | None = None


_NOTHING = Heard()


def hear(heard: Heard, frame: Frame) -> tuple[Heard, Report | None]:
    """Return what is known after a frame, and the report that a 0x300 completes."""
    if isinstance(frame, Output):
        return Heard(frame, heard.status, heard.thermal), None
    if isinstance(frame, Status):
        return Heard(heard.output, frame, heard.thermal), None
    if isinstance(frame, Thermal):
        return Heard(heard.output, heard.status, frame), None
    if isinstance(frame, Current):
        output = heard.output
        return _NOTHING, Report(_current_a(frame, output), output, heard.status, heard.thermal)
    return heard, None


def report_of(frames: tuple[Frame, ...]) -> Report | None:
    """Return the report that all frames of an instant make, as `hear` would; None: it is not those four."""
    if len(frames) != 4:
        return None
    output, status, thermal, current = frames
    if not (isinstance(output, Output) and isinstance(status, Status)):
        return None
    if not (isinstance(thermal, Thermal) and isinstance(current, Current)):
        return None
    return Report(_current_a(current, output), output, status, thermal)


def _current_a(current: Current, output: Output | None) -> float:
    """0x301 refines 0x300; where they contradict each other, the base protocol's 0x300 counts."""
    if output is not None and can_frames.reading(output.current_a) == current:
        return output.current_a
    return float(current.current_a)


def power_w(report: Report, supply: Supply) -> float:
    """Return the power of a report; without a voltage on the bus the nominal one is taken."""
    voltage_v = report.output.voltage_v if report.output else supply.voltage_v
    return report.current_a * voltage_v * supply.phases


def reading(
    report: Report,
    supply: Supply,
    *,
    at: datetime,
    charge_point_id: str,
    connector: int,
    energy_wh: float,
    commanded_a: float | None,
    transaction_id: int | None,
    frequency_hz: float,
) -> Reading:
    """Return all measurands of a connector at the instant of a report."""
    output, thermal = report.output, report.thermal
    voltage_v = output.voltage_v if output else supply.voltage_v
    offered_a = output.offered_a if output else commanded_a
    # The vehicle's voltage shows only while the contactor is closed; an offer stands before that.
    offered_v = voltage_v or supply.voltage_v
    return Reading(
        at=at,
        charge_point_id=charge_point_id,
        connector=connector,
        origin="can",
        transaction_id=transaction_id,
        current_a=report.current_a,
        offered_a=offered_a,
        voltage_v=voltage_v,
        power_w=round(power_w(report, supply), 1),
        power_offered_w=None if offered_a is None else round(offered_a * offered_v * supply.phases, 1),
        power_factor=POWER_FACTOR,
        frequency_hz=frequency_hz,
        energy_wh=round(energy_wh, 3),
        temperature_c=thermal.temperature_c if thermal else None,
        soc_percent=thermal.soc_percent if thermal else None,
        commanded_a=commanded_a,
    )


class _Measurand(Struct, frozen=True):
    field: str
    unit: str | None
    form: Callable[[float], str]
    location: str | None = None
    """OCPP's default is the outlet."""
    is_import: bool = False
    """It is never negative; sensors around zero are."""


def _whole_wh(energy_wh: float) -> str:
    return str(int(energy_wh))  # as meterStart and meterStop: rounded down


# OCPP 1.6 has no unit for a frequency (it is hertz) and none for a power factor.
MEASURANDS: dict[str, _Measurand] = {
    "Current.Import": _Measurand("current_a", "A", "{:.2f}".format, is_import=True),
    "Current.Offered": _Measurand("offered_a", "A", "{:.1f}".format),
    "Voltage": _Measurand("voltage_v", "V", "{:.1f}".format),
    "Power.Active.Import": _Measurand("power_w", "W", "{:.1f}".format, is_import=True),
    "Power.Offered": _Measurand("power_offered_w", "W", "{:.1f}".format),
    "Power.Factor": _Measurand("power_factor", None, "{:.2f}".format),
    "Frequency": _Measurand("frequency_hz", None, "{:.2f}".format),
    "Energy.Active.Import.Register": _Measurand("energy_wh", "Wh", _whole_wh, is_import=True),
    "Temperature": _Measurand("temperature_c", "Celsius", "{:.1f}".format, "Body"),
    "SoC": _Measurand("soc_percent", "Percent", "{:.1f}".format, "EV"),
}
"""The ten measurands by OCPP's name, in the order in which they are sent by default."""

SampledValue: TypeAlias = dict[str, str]


def meter_value(reading: Reading, measurands: Iterable[str], context: str) -> Payload | None:
    """Return OCPP's MeterValue of a reading, or None where nothing of it was measured."""
    values = []
    for field, form, is_import, around in _forms(tuple(measurands), context):
        value = getattr(reading, field)
        if value is None:
            continue
        if is_import and value <= 0:
            value = 0.0
        sampled = around.copy()
        sampled["value"] = form(value)
        values.append(sampled)
    return {"timestamp": ocpp_time.text(reading.at), "sampledValue": values} if values else None


@lru_cache(256)
def _forms(
    measurands: tuple[str, ...], context: str
) -> tuple[tuple[str, Callable[[float], str], bool, SampledValue], ...]:
    return tuple(_form(name, context) for name in measurands)


def _form(name: str, context: str) -> tuple[str, Callable[[float], str], bool, SampledValue]:
    """Return of a measurand: its field, how its number is written, whether it is an import, and the rest."""
    measurand = MEASURANDS[name]
    around = {"value": "", "context": context, "measurand": name}
    if measurand.unit is not None:
        around["unit"] = measurand.unit
    if measurand.location is not None:
        around["location"] = measurand.location
    return measurand.field, measurand.form, measurand.is_import, around


def meter_values(connector: int, value: Payload) -> Payload:
    """Return the payload of MeterValues; the transaction's id is put in when it is sent."""
    return {"connectorId": connector, "meterValue": [value]}

"""MeterValues to readings: units converted, phases joined, each value that is none refused by itself."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from contracts.events import Reading
from contracts.ocpp_messages import Payload
from csms.fields import instant_of
from csms.limits import Limits, Supply
from csms.transaction import Transaction

NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class _Quantity:
    """Where a measurand goes in a Reading, its units as (factor, offset), how its phases become one value."""

    field: str
    units: Mapping[str, tuple[float, float]]
    join: Callable[[Sequence[float]], float]


@dataclass(frozen=True, slots=True)
class RefusedSample:
    """A sampled value that says nothing; `reason` is for a person."""

    measurand: str
    value: str
    unit: str
    reason: str


_AMPERES = {"A": (1.0, 0.0)}
_WATTS = {"W": (1.0, 0.0), "kW": (1000.0, 0.0)}
_CELSIUS = (1.0, 0.0)

# The first unit is meant where none is given (OCPP names Wh as the default, which can only fit energy).
# A limit is per phase, so the largest phase's current compares with it; powers and energies add up.
_QUANTITIES = {
    "Current.Import": _Quantity("current_a", _AMPERES, max),
    "Current.Offered": _Quantity("offered_a", _AMPERES, max),
    "Voltage": _Quantity("voltage_v", {"V": (1.0, 0.0)}, fmean),
    "Power.Active.Import": _Quantity("power_w", _WATTS, sum),
    "Power.Offered": _Quantity("power_offered_w", _WATTS, sum),
    "Power.Factor": _Quantity("power_factor", {"": (1.0, 0.0), "Percent": (0.01, 0.0)}, fmean),
    "Frequency": _Quantity("frequency_hz", {"": (1.0, 0.0), "Hertz": (1.0, 0.0)}, fmean),
    "Energy.Active.Import.Register": _Quantity("energy_wh", {"Wh": (1.0, 0.0), "kWh": (1000.0, 0.0)}, sum),
    "Temperature": _Quantity(
        "temperature_c",
        {
            "Celsius": _CELSIUS,
            "Celcius": _CELSIUS,  # the official schema's own misspelling
            "K": (1.0, -273.15),
            "Fahrenheit": (5 / 9, -160 / 9),
        },
        max,
    ),
    "SoC": _Quantity("soc_percent", {"Percent": (1.0, 0.0)}, fmean),
}
_LOCATIONS = (
    "Outlet",
    "EV",
    "Cable",
    "Body",
    "Inlet",
)  # of the same measurand, the nearest to the vehicle's plug
_DEFAULT_MEASURAND = "Energy.Active.Import.Register"
# What a sample means by its measurand and unit as they stand (None: not given): field, factor, offset.
_CONVERSIONS = {
    (measurand, unit): (quantity.field, *conversion)
    for name, quantity in _QUANTITIES.items()
    for measurand in ((name, None) if name == _DEFAULT_MEASURAND else (name,))
    for unit, conversion in [(None, next(iter(quantity.units.values()))), *quantity.units.items()]
}
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_LARGEST = 1e12
_LONGEST = 50


def readings_of(
    meter_values: Sequence[Payload],
    charge_point_id: str,
    connector: int,
    transaction_id: int | None,
    now: datetime,
    *,
    limits: Limits = NO_LIMITS,
    running: Transaction | None = None,
) -> tuple[list[Reading], list[RefusedSample]]:
    """Return one reading for each instant, with the limits of that instant, and the values that were refused.

    `running`: the connector's transaction, for the limits; the readings name `transaction_id` as it was sent.
    Measurands that a Reading has no field for are left out. Raises MalformedMessage for a wrong timestamp.
    """
    readings: list[Reading] = []
    refused: list[RefusedSample] = []
    for meter_value in meter_values:
        samples = meter_value["sampledValue"]
        values = _plain_values(samples)
        if values is None:
            values = _values(samples, refused)
        at = instant_of(meter_value, now)
        if values:
            supply = _supply(samples, values)
            readings.append(
                Reading(
                    at=at,
                    charge_point_id=charge_point_id,
                    connector=connector,
                    origin="ocpp",
                    transaction_id=transaction_id,
                    commanded_a=limits.commanded.limit_a(connector, at, running, supply),
                    acknowledged_a=limits.acknowledged.limit_a(connector, at, running, supply),
                    **values,
                )
            )
    return readings, refused


def _supply(samples: Sequence[Payload], values: Mapping[str, float]) -> Supply:
    """Return what the samples tell of the volts to neutral and the phases."""
    if "soc_percent" in values:  # a vehicle tells it where it takes direct current
        return Supply(values.get("voltage_v"), 1)
    phases = {sample.get("phase", "").removesuffix("-N") for sample in samples} & {"L1", "L2", "L3"}
    volts = {sample.get("phase", "") for sample in samples if sample.get("measurand") == "Voltage"}
    between_phases_only = all(phase in ("L1-L2", "L2-L3", "L3-L1") for phase in volts)
    return Supply(None if between_phases_only else values.get("voltage_v"), len(phases) or None)


def _plain_values(samples: Sequence[Payload]) -> dict[str, float] | None:
    """Return what `_values` does where each measurand stands once, in digits alone; None: look closer.

    Nearly all MeterValues are so, and this sees each of their samples.
    """
    values: dict[str, float] = {}
    for sample in samples:
        conversion = _CONVERSIONS.get((sample.get("measurand"), sample.get("unit")))
        text = sample["value"]
        if (
            conversion is None
            or sample.get("phase") == "N"
            or sample.get("format") == "SignedData"
            or len(text) > _LONGEST
            or text.strip("0123456789.")  # more than digits: signs, exponents, spaces
        ):
            return None
        field, factor, offset = conversion
        try:
            value = float(text) * factor + offset
        except ValueError:  # a point alone, or two
            return None
        if field in values or abs(value) > _LARGEST:
            return None
        values[field] = value
    return values


def _values(samples: Sequence[Payload], refused: list[RefusedSample]) -> dict[str, float]:
    found: dict[str, list[tuple[str, str, float]]] = {}
    for sample in samples:
        measurand = sample.get("measurand", _DEFAULT_MEASURAND)
        quantity = _QUANTITIES.get(measurand)
        if quantity is None or sample.get("phase") == "N":
            continue
        value = _value(sample, quantity)
        if isinstance(value, str):
            unit = sample.get("unit", "")
            refused.append(RefusedSample(measurand, sample["value"][:50], unit, value))
            continue
        place = sample.get("location", "Outlet"), sample.get("phase", ""), value
        found.setdefault(measurand, []).append(place)
    return {
        _QUANTITIES[measurand].field: places[0][2] if len(places) == 1 else _joined(places, quantity)
        for measurand, places in found.items()
        if (quantity := _QUANTITIES[measurand])
    }


def _joined(found: Sequence[tuple[str, str, float]], quantity: _Quantity) -> float:
    """Return one value of those at (location, phase)."""
    nearest = min(_LOCATIONS.index(location) for location, _, _ in found)
    phases = {phase: value for location, phase, value in found if _LOCATIONS.index(location) == nearest}
    if "" in phases:  # a value for all phases together
        return phases[""]
    to_neutral = {phase: value for phase, value in phases.items() if phase in ("L1", "L2", "L3")} or {
        phase: value for phase, value in phases.items() if phase.endswith("-N")
    }
    return float(quantity.join(list((to_neutral or phases).values())))


def _value(sample: Payload, quantity: _Quantity) -> float | str:
    """Return the value in the Reading's unit, or what is wrong with it."""
    if sample.get("format") == "SignedData":
        return "signed data is not read"
    conversion = quantity.units.get(sample.get("unit") or next(iter(quantity.units)))
    if conversion is None:
        return "the unit does not belong to the measurand"
    text = sample["value"].strip()
    if len(text) > _LONGEST or not (_is_plain(text) or _NUMBER.fullmatch(text)):
        return "not a number"
    factor, offset = conversion
    value = float(text) * factor + offset
    return value if abs(value) <= _LARGEST else "beyond every meter"


def _is_plain(text: str) -> bool:
    """Return whether it is a number of digits alone, as nearly all are: seen sooner than by _NUMBER."""
    return text.isascii() and text.replace(".", "", 1).isdigit()

"""The car behind the contactor: what it accepts, what voltage it has, how full it gets.

Its battery takes all energy at its terminals (no losses inside), which keeps the sum exact.
"""

import math
from bisect import bisect_right
from typing import NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from charger import noise
from charger.noise import Noise

NEXT_CAR_AT_SOC_PERCENT = 95.0
"""A new start with a fuller battery than this finds the next car plugged in."""

ARRIVAL_SOC_PERCENT = (20.0, 60.0)
INTERNAL_OHM = 0.06  # judgement: packs of this size have 0.05 to 0.1 ohm

Curve: TypeAlias = tuple[tuple[float, float], ...]
"""A value over the state of charge, as points from 0 to 100 percent with straight lines between them."""

# Median of 198 measured DC curves, as a share of each car's peak power (open-ev-data by KilowattApp, MIT,
# (c) 2024 Tijs Teulings); from 95 % on straight to nothing, so that a battery fills up.
MEDIAN_POWER: Curve = (
    (0.0, 1.0),
    (50.0, 1.0),
    (60.0, 0.87),
    (70.0, 0.73),
    (80.0, 0.60),
    (90.0, 0.38),
    (95.0, 0.28),
    (100.0, 0.0),
)
# Judgement: open-circuit voltage of NMC cells, as a share of the full pack's.
NMC_VOLTAGE: Curve = ((0.0, 0.79), (10.0, 0.83), (50.0, 0.89), (80.0, 0.95), (100.0, 1.0))


class Vehicle(Struct, frozen=True):
    """A plugged car, and (`cars_to_come`) the draws from which the next ones come.

    The defaults: open-ev-data's median battery (64.3 kWh), a peak between its median (84 kW) and its upper
    tenth (185 kW). Such a car takes 300 A up to 60 % and 100 A up to 94 % of charge.
    """

    soc_percent: float
    cars_to_come: Noise | None
    """None: none come, this one stays however full it is."""
    capacity_wh: float = 64_000.0
    peak_w: float = 130_000.0
    full_v: float = 400.0
    power_over_soc: Curve = MEDIAN_POWER
    """The power that it takes, as a share of `peak_w`."""
    voltage_over_soc: Curve = NMC_VOLTAGE
    """Its open-circuit voltage, as a share of `full_v`."""
    internal_ohm: float = INTERNAL_OHM
    phases: int = 1
    """Over how many conductors the current flows; currents are per conductor (1: direct current too)."""
    request_step_a: float = 0.0
    """It asks for whole multiples of this current, rounded down; 0: for any."""


def plugged(vehicle: Vehicle) -> Vehicle:
    """Return the next car: the same battery, a charge drawn from 20 to 60 %; or this one, if none come."""
    if vehicle.cars_to_come is None:
        return vehicle
    share, cars_to_come = noise.uniform(vehicle.cars_to_come)
    low, high = ARRIVAL_SOC_PERCENT
    return replace(vehicle, soc_percent=low + share * (high - low), cars_to_come=cars_to_come)


def accepted_a(vehicle: Vehicle) -> float:
    """Return the most current that the car would take now: its curve's power, in its steps of current."""
    soc_percent = vehicle.soc_percent
    power_w = vehicle.peak_w * _between(vehicle.power_over_soc, soc_percent)
    return requested_a(vehicle, power_w, open_v(vehicle, soc_percent))


def requested_a(vehicle: Vehicle, power_w: float, open_v: float) -> float:
    """Return the current that makes that power at that voltage, in the car's steps of current."""
    current_a = power_w / (open_v * vehicle.phases)
    step_a = vehicle.request_step_a
    return math.floor(current_a / step_a) * step_a if step_a else current_a


def open_v(vehicle: Vehicle, soc_percent: float) -> float:
    """Return the voltage at the terminals of the car's battery, so full, while nothing flows."""
    return vehicle.full_v * _between(vehicle.voltage_over_soc, soc_percent)


def voltage_v(vehicle: Vehicle, current_a: float) -> float:
    """Return the voltage at the battery's terminals while `current_a` flows into it."""
    return open_v(vehicle, vehicle.soc_percent) + vehicle.internal_ohm * current_a


def power_w(vehicle: Vehicle, current_a: float) -> float:
    """Return the power into the battery while `current_a` flows over each of its conductors."""
    return voltage_v(vehicle, current_a) * current_a * vehicle.phases


def charged(vehicle: Vehicle, energy_wh: float) -> Vehicle:
    """Return the car with that energy in its battery, full at most."""
    return replace(vehicle, soc_percent=charged_percent(vehicle, vehicle.soc_percent, energy_wh))


def charged_percent(vehicle: Vehicle, soc_percent: float, energy_wh: float) -> float:
    """Return the state of charge of the car with that energy more in its battery, full at most."""
    return min(100.0, soc_percent + energy_wh / vehicle.capacity_wh * 100)


class Line(NamedTuple):
    """A straight line of a curve, which holds where `over` < x <= `to`."""

    over: float
    to: float
    end: float
    rise: float
    width: float

    def at(self, x: float) -> float:
        """Return its value at `x`."""
        # From the right, so that a curve which ends at nothing is exactly that there, and never less.
        return self.end - self.rise * (self.to - x) / self.width


def line(curve: Curve, x: float) -> Line:
    """Return the straight line on which `x` lies: who asks for values nearby again and again keeps it."""
    right = min(bisect_right(curve, (x,)), len(curve) - 1)
    (x0, y0), (x1, y1) = curve[right - 1], curve[right]
    return Line(x0, x1, y1, y1 - y0, x1 - x0)


def _between(curve: Curve, x: float) -> float:
    """Return the straight line's value at `x` between the points around it; `x` lies within the curve."""
    return line(curve, x).at(x)

"""The car behind the contactor: what it accepts, what voltage it has, how full it gets.

Its battery takes all energy at its terminals (no losses inside), which keeps the sum exact.
"""

from bisect import bisect_right
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from charger import noise
from charger.noise import Noise

NEXT_CAR_AT_SOC_PERCENT = 95.0
"""A new start with a fuller battery than this finds the next car plugged in."""

ARRIVAL_SOC_PERCENT = (20.0, 60.0)
INTERNAL_OHM = 0.06  # judgement: packs of this size have 0.05 to 0.1 ohm

# Median of 198 measured DC curves, as a share of each car's peak power (open-ev-data by KilowattApp, MIT,
# (c) 2024 Tijs Teulings); from 95 % on straight to nothing, so that a battery fills up.
_POWER_OVER_SOC = (
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
_VOLTAGE_OVER_SOC = ((0.0, 0.79), (10.0, 0.83), (50.0, 0.89), (80.0, 0.95), (100.0, 1.0))


class Vehicle(Struct, frozen=True):
    """A plugged car, and (`cars_to_come`) the draws from which the next ones come.

    The defaults: open-ev-data's median battery (64.3 kWh), a peak between its median (84 kW) and its upper
    tenth (185 kW). Such a car takes 300 A up to 60 % and 100 A up to 94 % of charge.
    """

    soc_percent: float
    cars_to_come: Noise
    capacity_wh: float = 64_000.0
    peak_w: float = 130_000.0
    full_v: float = 400.0


def plugged(vehicle: Vehicle) -> Vehicle:
    """Return the next car: the same battery, a charge drawn from 20 to 60 %."""
    share, cars_to_come = noise.uniform(vehicle.cars_to_come)
    low, high = ARRIVAL_SOC_PERCENT
    return replace(vehicle, soc_percent=low + share * (high - low), cars_to_come=cars_to_come)


def accepted_a(vehicle: Vehicle) -> float:
    """Return the most current that the car would take now: constant to about 80 % of charge, then a taper."""
    power_w = vehicle.peak_w * _between(_POWER_OVER_SOC, vehicle.soc_percent)
    return power_w / voltage_v(vehicle, 0.0)


def voltage_v(vehicle: Vehicle, current_a: float) -> float:
    """Return the voltage at the battery's terminals while `current_a` flows into it."""
    return vehicle.full_v * _between(_VOLTAGE_OVER_SOC, vehicle.soc_percent) + INTERNAL_OHM * current_a


def charged(vehicle: Vehicle, energy_wh: float) -> Vehicle:
    """Return the car with that energy in its battery, full at most."""
    soc_percent = vehicle.soc_percent + energy_wh / vehicle.capacity_wh * 100
    return replace(vehicle, soc_percent=min(100.0, soc_percent))


def _between(table: Sequence[tuple[float, float]], x: float) -> float:
    """Return the straight line's value at `x` between the points around it; `x` lies within the table."""
    right = min(bisect_right(table, (x,)), len(table) - 1)
    (x0, y0), (x1, y1) = table[right - 1], table[right]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)

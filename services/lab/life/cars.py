"""Cars that come: battery, curve and voltage of one that charges with direct or alternating current."""

import math
from random import Random

from charger import vehicle
from charger.vehicle import Curve, Vehicle
from lab.life import figures
from lab.life.draws import quantile

GRID_V = 230.0
FULLEST_PERCENT = 99.5
"""A taper never quite ends, so nobody waits for more."""
_STEPS = 20
_FAST_W = 115_000.0
_SHARE_OF_FAST = 0.4
"""So many of the measured peak powers are above that; all cars of 800 V are taken to be among them."""
_REQUEST_STEPS_A = (0.0, 0.1, 1.0)  # judgement: CCS lets a car ask in tenths; many ask in whole amperes
_FLAT: Curve = ((0.0, 1.0), (98.0, 1.0), (FULLEST_PERCENT - 0.2, 0.4), (FULLEST_PERCENT, 0.0), (100.0, 0.0))
_STEADY: Curve = ((0.0, 1.0), (100.0, 1.0))

# Judgement, from the AC limits in open-ev-data (of 198: 162 with 11 kW, 8 with 22 kW, the rest up to 7.4 kW)
# and from Caltech's mean powers (a quarter stays below 3.7 kW, hybrids): (amperes per phase, share).
_ON_BOARD_A = {1: ((16.0, 0.35), (32.0, 0.65)), 3: ((10.0, 0.06), (16.0, 0.88), (32.0, 0.06))}


def dc_car(rng: Random, soc_percent: float, capacity_wh: float, peak_w: float) -> Vehicle:
    """Return a car whose curve has one of the measured shapes."""
    is_800_v = peak_w > _FAST_W and rng.random() < figures.SHARE_OF_800_V / _SHARE_OF_FAST
    curve = rng.choices(
        [points for _, _, points in figures.CURVES], [share for _, share, _ in figures.CURVES]
    )[0]
    return Vehicle(
        soc_percent=soc_percent,
        cars_to_come=None,
        capacity_wh=capacity_wh,
        peak_w=peak_w,
        full_v=(800.0 if is_800_v else 400.0) * rng.uniform(0.9, 1.05),
        power_over_soc=curve,
        internal_ohm=0.12 if is_800_v else 0.06,
        request_step_a=rng.choice(_REQUEST_STEPS_A),
    )


def ac_car(rng: Random, phases: int, wanted_wh: float, stay_s: float) -> Vehicle:
    """Return a car that is full after `wanted_wh`; its on-board charger could deliver that in `stay_s`.

    Where even the largest could not, it is the largest. Its battery holds what a battery of its kind holds.
    """
    needed_a = wanted_wh / (stay_s / 3600) / (GRID_V * phases)
    chargers = _ON_BOARD_A[phases]
    fitting = [(limit_a, share) for limit_a, share in chargers if limit_a >= needed_a] or chargers[-1:]
    limit_a = rng.choices([limit_a for limit_a, _ in fitting], [share for _, share in fitting])[0]
    capacity_wh = max(quantile(figures.BATTERY_WH, rng.random()), wanted_wh * 1.05)
    if phases == 1 and limit_a == 16.0 and wanted_wh < 12_000:  # a plug-in hybrid
        capacity_wh = max(rng.uniform(8_000, 14_000), wanted_wh * 1.05)
    return Vehicle(
        soc_percent=FULLEST_PERCENT - wanted_wh / capacity_wh * 100,
        cars_to_come=None,
        capacity_wh=capacity_wh,
        peak_w=limit_a * GRID_V * phases,
        full_v=GRID_V,
        power_over_soc=_FLAT,
        voltage_over_soc=_STEADY,
        internal_ohm=0.0,
        phases=phases,
    )


def charging_s(car: Vehicle, energy_wh: float, most_a: float) -> float:
    """Return how long a car needs for so much energy at `most_a` or less; about, and inf if for ever."""
    needed_s, part_wh = 0.0, energy_wh / _STEPS
    for _ in range(_STEPS):
        middle = vehicle.charged(car, part_wh / 2)
        power_w = vehicle.power_w(middle, min(most_a, vehicle.accepted_a(middle)))
        if power_w <= 0:
            return math.inf
        needed_s += part_wh / power_w * 3600
        car = vehicle.charged(car, part_wh)
    return needed_s

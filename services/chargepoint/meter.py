"""The energy meter of a connector: a register that only rises, from the power between readings. Pure."""

from msgspec import Struct

MAX_GAP_S = 2.5
"""What flowed in a longer gap between readings is not known, so it is not counted."""


class Meter(Struct, frozen=True):
    """The register in Wh, and the last reading: its power and its monotonic instant (None: none yet)."""

    energy_wh: float = 0.0
    power_w: float = 0.0
    read_s: float | None = None


def read(meter: Meter, power_w: float, now_s: float) -> Meter:
    """Return the meter after a reading of `power_w` (what flows back from the vehicle does not count)."""
    power_w = max(0.0, power_w)
    energy_wh = meter.energy_wh
    if meter.read_s is not None and 0 < now_s - meter.read_s <= MAX_GAP_S:
        energy_wh += (meter.power_w + power_w) / 2 * (now_s - meter.read_s) / 3600
    return Meter(energy_wh, power_w, now_s)

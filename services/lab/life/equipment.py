"""What stands at a site: a charge point's ratings and the small ways in which real ones differ."""

from dataclasses import dataclass
from random import Random

from charger.power_stage import Ratings
from charger.quirks import Overshoot, SawTooth
from charger.ramp import ExponentialRamp, LinearRamp
from lab.life.profile import Profile
from lab.life.sessions import AC_RATED_A, DC_RATED_A

NOISE_SD_A, BIAS_A = (0.06, 0.30), 0.5
"""Of the current sensor of real modules; the bias is the most, either way."""
RATES_A_PER_S = (10.0, 25.0)
"""A real car on a 150 kW station showed 10 A/s; EVerest has 25."""
LAGS_S = (0.2, 0.5)
OVERSHOOT_SHARE = 0.05
"""The most that State Grid's specification of modules allows; half of the charge points have some."""
AMBIENT_C, HOT_C = (0.0, 32.0), (42.0, 50.0)
"""Around most modules, and in a cabinet in the sun, where they derate at full load (judgement)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """One charge point's; all its connectors are alike."""

    ratings: Ratings
    noise_sd_a: float
    bias_a: float
    saw_tooth: SawTooth | None
    overshoot: Overshoot | None


def equipment(charge_point: int, *, seed: int, profile: Profile) -> Equipment:
    """Return the equipment of a charge point: the same numbers give the same."""
    rng = Random(f"equipment/{seed}/{charge_point}")
    lag_s = rng.uniform(*LAGS_S)
    linear, is_linear = LinearRamp(rng.uniform(*RATES_A_PER_S), lag_s), rng.random() < 0.5
    is_hot = rng.random() < profile.hot_share
    overshoots, overshoot_share = rng.random() < 0.5, rng.uniform(0.0, OVERSHOOT_SHARE)
    has_teeth = profile.kind == "dc" and rng.random() < profile.saw_tooth_share
    return Equipment(
        ratings=Ratings(
            rated_a=DC_RATED_A if profile.kind == "dc" else AC_RATED_A,
            ramp=linear if is_linear else ExponentialRamp(),
            ambient_c=rng.uniform(*(HOT_C if is_hot else AMBIENT_C)),
            set_error_share=rng.uniform(-1.0, 1.0),
        ),
        noise_sd_a=rng.uniform(*NOISE_SD_A),
        bias_a=rng.uniform(-BIAS_A, BIAS_A),
        saw_tooth=SawTooth(rng.uniform(10.0, 14.0), rng.uniform(6.0, 12.0)) if has_teeth else None,
        overshoot=Overshoot(overshoot_share) if overshoots else None,
    )

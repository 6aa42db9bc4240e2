"""Benign ways of real equipment that look odd: saw-tooth ramps, tapers in steps, overshoots. Pure."""

import math

from msgspec import Struct
from msgspec.structs import replace

RISE_SHARE = 0.75  # judgement: of a tooth; it falls faster than it rises
OVERSHOOT_S = 0.5  # judgement: an overshoot is gone within a second or two
SETTLED_A = 1.0
"""A current so near its target has arrived, and a taper may begin."""


class SawTooth(Struct, frozen=True):
    """How some real 50 kW stations ramp up: each tooth climbs twice its amplitude, then falls back by one.

    So teeth of 12 A in 8 s reach 100 A within a minute, after a dozen turns. Within one amplitude of its
    target, and on every way down, the module's ordinary ramp law holds.
    """

    amplitude_a: float
    period_s: float
    age_s: float = 0.0
    """Since the ramp up began."""

    def holds(self, current_a: float, target_a: float) -> bool:
        """Whether the current is still so far below its target that it goes up in teeth."""
        return target_a - current_a > self.amplitude_a

    def moved(self, current_a: float, dt_s: float) -> float:
        """Return the current `dt_s` later; steps of a tenth of the period or less follow the teeth well."""
        if self.age_s % self.period_s < self.period_s * RISE_SHARE:
            return current_a + 2 * self.amplitude_a / (self.period_s * RISE_SHARE) * dt_s
        return max(0.0, current_a - self.amplitude_a / (self.period_s * (1 - RISE_SHARE)) * dt_s)

    def later(self, dt_s: float, *, holds: bool) -> "SawTooth":
        """Return it `dt_s` later; a ramp that is over starts anew with its first tooth."""
        return replace(self, age_s=self.age_s + dt_s if holds else 0.0)


class Taper(Struct, frozen=True):
    """A vehicle at constant voltage: it asks for `step_a` less every `every_s`, from where it arrived."""

    step_a: float
    every_s: float
    from_a: float | None = None
    """The current at which constant voltage began; None: not yet."""
    age_s: float = 0.0

    @property
    def allowed_a(self) -> float:
        """The most current that the vehicle asks for now."""
        if self.from_a is None:
            return math.inf
        # A rounding error below a whole number of periods must not cost a step.
        return max(0.0, self.from_a - self.step_a * math.floor(self.age_s / self.every_s + 1e-9))

    def later(self, current_a: float, target_a: float, dt_s: float) -> "Taper":
        """Return it `dt_s` later: it begins once the current has come to its target and there is one."""
        if self.from_a is not None:
            return replace(self, age_s=self.age_s + dt_s)
        if target_a > 0 and abs(target_a - current_a) <= SETTLED_A:
            return replace(self, from_a=target_a)
        return self

    def anew(self) -> "Taper":
        """Return it as it is for the next vehicle."""
        return Taper(self.step_a, self.every_s)


class Overshoot(Struct, frozen=True):
    """A regulator that passes its target by `share` of a rise at most (State Grid's specification: 5 %)."""

    share: float
    rise_a: float = 0.0
    """How far the current had to rise; fades once it has arrived."""

    @property
    def extra_a(self) -> float:
        """How far beyond its target the regulator aims now."""
        return self.share * self.rise_a

    def later(self, current_a: float, target_a: float, dt_s: float) -> "Overshoot":
        """Return it `dt_s` later."""
        gap_a = target_a - current_a
        if gap_a > 0:  # at most the whole target, which may have fallen meanwhile
            rise_a = max(gap_a, min(self.rise_a, target_a))
            return self if rise_a == self.rise_a else replace(self, rise_a=rise_a)
        return replace(self, rise_a=self.rise_a * math.exp(-dt_s / OVERSHOOT_S)) if self.rise_a else self

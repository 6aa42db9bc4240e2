"""A module that charges, on numbers of its own: what module.advanced and published give, much faster.

Frozen values cost more than the laws that make them, and a simulated charge point charges for weeks. The
laws are those of power_stage and vehicle, in the same order, so that every number is the same to the last
bit. Whatever is not plain charging it leaves to them: other states, faults, tapers in steps, injections.
"""

from msgspec.structs import replace

from charger import noise, power_stage, vehicle
from charger.module import Module
from charger.power_stage import OFF_AT_C, OVER_CURRENT_RATIO
from contracts import can_frames
from contracts.can_frames import (
    KEEPALIVE_TIMEOUT_S,
    Faults,
    Frame,
    ModuleState,
    Status,
)


def running(module: Module) -> "Running | None":
    """Return the module as one that charges; None: it does not, or not in the plain way."""
    stage = module.stage
    if stage.state is not ModuleState.CHARGING or not stage.contactor_closed or stage.faults:
        return None
    if module.injected is not None or stage.taper is not None or stage.defects.internal:
        return None
    return Running(module)


class Running:
    """A charging module at one instant; `later` moves it on."""

    def __init__(self, module: Module) -> None:
        stage = module.stage
        self._module = module
        self._stage = stage
        self._car = stage.vehicle
        self._soc_percent = self._car.soc_percent
        self._temperature_c = stage.temperature_c
        self._saw_tooth = stage.saw_tooth
        self._overshoot = stage.overshoot
        self._sensor = module.sensor
        self._counter = module.counter
        self.current_a = stage.current_a
        self.keepalive_age_s = stage.keepalive_age_s
        self._voltage = vehicle.line(self._car.voltage_over_soc, self._soc_percent)
        self._power = vehicle.line(self._car.power_over_soc, self._soc_percent)
        self._offered_a = -1.0
        self._set_a = 0.0
        self._look()

    def _look(self) -> None:
        """Take note of what follows from charge and temperature."""
        stage, car, soc_percent = self._stage, self._car, self._soc_percent
        # A step changes them by a thousandth of a percent and of a degree: most of it stays as it was.
        if not self._voltage.over < soc_percent <= self._voltage.to:
            self._voltage = vehicle.line(car.voltage_over_soc, soc_percent)
        if not self._power.over < soc_percent <= self._power.to:
            self._power = vehicle.line(car.power_over_soc, soc_percent)
        offered_a = power_stage.derated_a(stage.limit_a, stage.ratings, self._temperature_c)
        if offered_a != self._offered_a:
            self._offered_a = offered_a
            self._set_a = power_stage.set_a(offered_a, stage.ratings.set_error_share)
        self._open_v = open_v = car.full_v * self._voltage.at(soc_percent)
        self._accepted_a = vehicle.requested_a(car, car.peak_w * self._power.at(soc_percent), open_v)
        self.target_a = power_stage.regulated_a(self._set_a, self._accepted_a, stage.defects)

    def module(self) -> Module:
        """Return the same as a value."""
        stage = replace(
            self._stage,
            vehicle=replace(self._car, soc_percent=self._soc_percent),
            current_a=self.current_a,
            temperature_c=self._temperature_c,
            keepalive_age_s=self.keepalive_age_s,
            saw_tooth=self._saw_tooth,
            overshoot=self._overshoot,
        )
        return replace(self._module, stage=stage, sensor=self._sensor, counter=self._counter)

    def ahead(self, number: int, dt_s: float) -> int:
        """Be up to so many steps of `dt_s` later; return how many: a protection would act in the next."""
        for taken in range(number):
            if not self.later(dt_s):
                return taken
        return number

    def later(self, dt_s: float) -> bool:
        """Be `dt_s` later, in one step; False: a protection would act, so nothing was done."""
        stage, car, before_a, target_a = self._stage, self._car, self.current_a, self.target_a
        saw_tooth, overshoot = self._saw_tooth, self._overshoot
        goes_up_in_teeth = saw_tooth is not None and saw_tooth.holds(before_a, target_a)
        if saw_tooth is not None:
            saw_tooth = saw_tooth.later(dt_s, holds=goes_up_in_teeth)
        if overshoot is not None:
            overshoot = overshoot.later(before_a, target_a, dt_s)
            target_a += overshoot.extra_a
        if saw_tooth is not None and goes_up_in_teeth:
            current_a = saw_tooth.moved(before_a, dt_s)
        else:
            current_a = stage.ratings.ramp.moved(before_a, target_a, dt_s)
        temperature_c = power_stage.warmed_c(
            stage.ratings, stage.defects, self._temperature_c, current_a, dt_s
        )
        age_s = None if self.keepalive_age_s is None else self.keepalive_age_s + dt_s
        is_late = age_s is not None and age_s >= KEEPALIVE_TIMEOUT_S
        if is_late or temperature_c >= OFF_AT_C or current_a > stage.ratings.rated_a * OVER_CURRENT_RATIO:
            return False
        mean_a = (before_a + current_a) / 2
        power_w = (self._open_v + car.internal_ohm * mean_a) * mean_a * car.phases
        self._soc_percent = vehicle.charged_percent(car, self._soc_percent, power_w * dt_s / 3600)
        self.current_a, self._temperature_c, self.keepalive_age_s = current_a, temperature_c, age_s
        self._saw_tooth, self._overshoot = saw_tooth, overshoot
        self._look()
        return True

    def published(self) -> tuple[Frame, ...]:
        """Return the readings of this instant, those of module.published as they arrive."""
        module, stage, current_a = self._module, self._stage, self.current_a
        draw, self._sensor = noise.normal(self._sensor)
        measured_a = current_a + module.bias_a + module.noise_sd_a * draw
        self._counter += 1
        return (
            can_frames.output(measured_a, self._open_v + self._car.internal_ohm * current_a, self._offered_a),
            Status(
                ModuleState.CHARGING,
                contactor_closed=True,
                vehicle_limited=self._accepted_a < self._offered_a,
                faults=Faults.NONE,
                counter=(self._counter - 1) & 0xFF,
                closures=stage.closures,
                hot_openings=stage.hot_openings,
            ),
            can_frames.thermal(self._temperature_c, self._soc_percent),
            can_frames.reading(measured_a),
        )

"""The power electronics of one module: limit, ramp, heat, contactor, protection. Pure: time is an argument.

A stop lets the current ramp down by the module's law and opens the contactor once it carries no load (1 A at
most). A fault makes the current fall at 200 A/s, then opens. Only two faults open at once, whatever flows,
because the converter cannot be trusted to bring the current down: over-current and internal. That is a hot
opening; they are counted because three may be all that a contactor survives (EVerest's documentation).
"""

import math
from collections.abc import Iterable
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from charger import vehicle
from charger.quirks import Overshoot, SawTooth, Taper
from charger.ramp import ExponentialRamp, LinearRamp, Ramp
from charger.vehicle import Vehicle
from contracts.can_frames import KEEPALIVE_TIMEOUT_S, Faults, Keepalive, ModuleState, SetLimit, Start, Stop

Command: TypeAlias = Start | Stop | SetLimit | Keepalive

NO_LOAD_A = 1.0
FULL_POWER_TO_C = 55.0  # both: State Grid's specification of modules
OFF_AT_C = 75.0
HEAT_RISE_C = 30.0  # judgement: at rated current and 25 °C the module just keeps full power
HEAT_TIME_S = 180.0  # judgement: a forced-air heat sink settles within minutes
SET_ERROR_A, SET_ERROR_RATIO, SET_ERROR_FROM_A = 0.3, 0.01, 30.0
"""State Grid's specification: 0.3 A at most for less than 30 A, 1 % for more."""
OVER_CURRENT_RATIO = 1.1  # judgement: of the rated current
_EMERGENCY = LinearRamp(200.0)  # judgement: the order of size that an emergency shutdown asks for

_TRANSITIONS: dict[ModuleState, dict[type[Command], ModuleState]] = {
    ModuleState.IDLE: {Start: ModuleState.CHARGING},
    ModuleState.CHARGING: {Stop: ModuleState.STOPPING},
    ModuleState.STOPPING: {Start: ModuleState.CHARGING},
    ModuleState.FAULTED: {},
}
_LETTING_GO = (ModuleState.STOPPING, ModuleState.FAULTED)
_OPEN_AT_ONCE = Faults.OVER_CURRENT | Faults.INTERNAL


_DEFAULT_RAMP = ExponentialRamp()


class Ratings(Struct, frozen=True):
    """What a module is built for and where it stands."""

    rated_a: float = 300.0
    ramp: Ramp = _DEFAULT_RAMP
    ambient_c: float = 25.0
    set_error_share: float = 0.0
    """-1 to 1, of the error that State Grid's specification lets a set current have."""


class Defects(Struct, frozen=True):
    """What is broken, put there on purpose; the stage notices by its protection, as a real one would."""

    contactor_stuck: bool = False
    """It no longer opens."""
    regulator_gain: float = 1.0
    """The converter delivers so many times its target."""
    cooling_share: float = 1.0
    """How much of the heat is carried away; 0.1 means ten times the rise."""
    internal: bool = False
    """The self-test fails."""


class PowerStage(Struct, frozen=True):
    """The stage at one instant. Positive current flows to the vehicle."""

    vehicle: Vehicle
    ratings: Ratings = Ratings()
    defects: Defects = Defects()
    state: ModuleState = ModuleState.IDLE
    faults: Faults = Faults.NONE
    contactor_closed: bool = False
    limit_a: float = 0.0
    current_a: float = 0.0
    temperature_c: float = 25.0
    keepalive_age_s: float | None = None
    """Seconds since the last keepalive; None while none was ever heard, and then there is no watchdog."""
    closures: int = 0
    hot_openings: int = 0
    saw_tooth: SawTooth | None = None
    taper: Taper | None = None
    overshoot: Overshoot | None = None

    @property
    def offered_a(self) -> float:
        """What the module would allow now: the limit within its rated current, derated by its temperature."""
        return 0.0 if self.faults else derated_a(self.limit_a, self.ratings, self.temperature_c)

    @property
    def target_a(self) -> float:
        """The current that it nears: nothing unless it charges, and never more than the vehicle takes."""
        if self.state is not ModuleState.CHARGING:
            return 0.0
        wanted_a = set_a(self.offered_a, self.ratings.set_error_share)
        return regulated_a(wanted_a, self.accepted_a, self.defects)

    @property
    def accepted_a(self) -> float:
        """The most current that the vehicle would take now."""
        accepted_a = vehicle.accepted_a(self.vehicle)
        return accepted_a if self.taper is None else min(accepted_a, self.taper.allowed_a)

    @property
    def voltage_v(self) -> float:
        """The voltage at the output: the vehicle's while the contactor is closed."""
        return vehicle.voltage_v(self.vehicle, self.current_a) if self.contactor_closed else 0.0

    @property
    def power_w(self) -> float:
        """The power to the vehicle."""
        return vehicle.power_w(self.vehicle, self.current_a) if self.contactor_closed else 0.0

    @property
    def vehicle_limited(self) -> bool:
        """Whether the vehicle takes less than it is offered."""
        return self.state is ModuleState.CHARGING and self.accepted_a < self.offered_a

    @property
    def at_rest(self) -> bool:
        """Whether nothing flows and nothing can: then one step of any length is as good as many."""
        return not self.contactor_closed


def step(stage: PowerStage, commands: Iterable[Command], dt_s: float) -> PowerStage:
    """Return the stage `dt_s` seconds after it obeyed `commands`, within its limits.

    Ramp and heat are exact for any `dt_s` while their targets stand; steps of 0.1 s follow those well.
    """
    for command in commands:
        stage = _obeyed(stage, command)
    return _protected(_later(stage, dt_s))


def derated_a(limit_a: float, ratings: Ratings, temperature_c: float) -> float:
    """Return what a module without a fault would allow: the limit within its rated current, derated."""
    if temperature_c <= FULL_POWER_TO_C:
        return min(limit_a, ratings.rated_a)
    derating = (OFF_AT_C - temperature_c) / (OFF_AT_C - FULL_POWER_TO_C)
    return min(limit_a, ratings.rated_a * max(0.0, derating))


def regulated_a(set_a: float, accepted_a: float, defects: Defects) -> float:
    """Return the current that a charging module nears: as it was set, or what the vehicle accepts."""
    return min(set_a, accepted_a) * defects.regulator_gain


def set_a(wanted_a: float, error_share: float) -> float:
    """Return the current to which a module regulates that was set to `wanted_a`."""
    if not error_share:
        return wanted_a
    most_a = SET_ERROR_A if wanted_a < SET_ERROR_FROM_A else wanted_a * SET_ERROR_RATIO
    return max(0.0, wanted_a + error_share * most_a) if wanted_a else 0.0


def warmed_c(
    ratings: Ratings, defects: Defects, temperature_c: float, current_a: float, dt_s: float
) -> float:
    """Return the temperature after `dt_s` with this current."""
    load = current_a / ratings.rated_a
    settled_c = ratings.ambient_c + HEAT_RISE_C * load * load / defects.cooling_share
    return settled_c + (temperature_c - settled_c) * math.exp(-dt_s / HEAT_TIME_S)


def _obeyed(stage: PowerStage, command: Command) -> PowerStage:
    match command:
        case SetLimit(limit_a):
            return replace(stage, limit_a=float(limit_a))
        case Keepalive():
            return replace(stage, keepalive_age_s=0.0)
        case Start() if _keepalive_is_late(stage):
            return stage
    state = _TRANSITIONS[stage.state].get(type(command))
    if state is None:
        return stage
    if stage.contactor_closed:
        return replace(stage, state=state)
    is_full = stage.vehicle.soc_percent >= vehicle.NEXT_CAR_AT_SOC_PERCENT
    return replace(
        stage,
        state=state,
        contactor_closed=True,
        closures=stage.closures + 1,
        vehicle=vehicle.plugged(stage.vehicle) if is_full else stage.vehicle,
    )


def _later(stage: PowerStage, dt_s: float) -> PowerStage:
    ratings, defects, car, current_a = stage.ratings, stage.defects, stage.vehicle, 0.0
    if stage.saw_tooth or stage.taper or stage.overshoot:
        stage = _odder(stage, dt_s)
    if stage.contactor_closed:
        current_a = _moved_a(stage, dt_s)
        mean_a = (stage.current_a + current_a) / 2
        car = vehicle.charged(car, vehicle.power_w(car, mean_a) * dt_s / 3600)
    return replace(
        stage,
        vehicle=car,
        current_a=current_a,
        temperature_c=warmed_c(ratings, defects, stage.temperature_c, current_a, dt_s),
        keepalive_age_s=None if stage.keepalive_age_s is None else stage.keepalive_age_s + dt_s,
    )


def _moved_a(stage: PowerStage, dt_s: float) -> float:
    """Return the current `dt_s` later, by the law that holds."""
    target_a = stage.target_a
    if stage.state is ModuleState.FAULTED:
        return _EMERGENCY.moved(stage.current_a, target_a, dt_s)
    if stage.saw_tooth and stage.saw_tooth.holds(stage.current_a, target_a):
        return stage.saw_tooth.moved(stage.current_a, dt_s)
    if stage.overshoot and stage.state is ModuleState.CHARGING:
        target_a += stage.overshoot.extra_a
    return stage.ratings.ramp.moved(stage.current_a, target_a, dt_s)


def _odder(stage: PowerStage, dt_s: float) -> PowerStage:
    """Return the stage with its quirks' clocks moved on."""
    saw_tooth, taper, overshoot, target_a = stage.saw_tooth, stage.taper, stage.overshoot, stage.target_a
    if saw_tooth:
        saw_tooth = saw_tooth.later(dt_s, holds=saw_tooth.holds(stage.current_a, target_a))
    if taper:
        taper = taper.later(stage.current_a, target_a, dt_s) if stage.contactor_closed else taper.anew()
    if overshoot:
        overshoot = overshoot.later(stage.current_a, target_a, dt_s)
    return replace(stage, saw_tooth=saw_tooth, taper=taper, overshoot=overshoot)


def _protected(stage: PowerStage) -> PowerStage:
    """Return the stage after its protection looked at it: faults come and go, the contactor opens."""
    faults = _faults(stage)
    state = stage.state
    if faults:
        state = ModuleState.FAULTED
    elif stage.at_rest:
        state = ModuleState.IDLE
    closed, current_a, hot_openings = stage.contactor_closed, stage.current_a, stage.hot_openings
    if closed and state in _LETTING_GO and not stage.defects.contactor_stuck:
        is_hot = current_a > NO_LOAD_A
        if not is_hot or faults & _OPEN_AT_ONCE:
            closed, current_a, hot_openings = False, 0.0, hot_openings + is_hot
            state = state if faults else ModuleState.IDLE
    if state is stage.state and faults == stage.faults and closed is stage.contactor_closed:
        return stage
    return replace(
        stage,
        state=state,
        faults=faults,
        contactor_closed=closed,
        current_a=current_a,
        hot_openings=hot_openings,
    )


def _faults(stage: PowerStage) -> Faults:
    """Return what is wrong now. A fault ends with its cause, not before; a new start is needed then."""
    # Flags are slow to combine, and there are almost never any: `had and` spares it.
    had, defects, closed = stage.faults, stage.defects, stage.contactor_closed
    hot_c = FULL_POWER_TO_C if had and had & Faults.OVER_TEMPERATURE else OFF_AT_C
    over_a = stage.ratings.rated_a * OVER_CURRENT_RATIO
    still_over = had and had & Faults.OVER_CURRENT and defects.regulator_gain > OVER_CURRENT_RATIO
    should_be_open = stage.state in _LETTING_GO and stage.current_a <= NO_LOAD_A
    faults = Faults.INTERNAL if defects.internal else Faults.NONE
    if stage.temperature_c >= hot_c:
        faults |= Faults.OVER_TEMPERATURE
    if stage.current_a > over_a or still_over:
        faults |= Faults.OVER_CURRENT
    if closed and should_be_open and defects.contactor_stuck:
        faults |= Faults.CONTACTOR_WELDED
    if _keepalive_is_late(stage) and (closed or (had and had & Faults.KEEPALIVE_LOST)):
        faults |= Faults.KEEPALIVE_LOST
    return faults


def _keepalive_is_late(stage: PowerStage) -> bool:
    return stage.keepalive_age_s is not None and stage.keepalive_age_s >= KEEPALIVE_TIMEOUT_S

"""One charger module: a power stage, its current sensor, and the frames that it publishes. Pure."""

from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from charger import injected, noise, power_stage
from charger.injected import InForce, ModuleInjection
from charger.noise import Noise
from charger.power_stage import PowerStage
from contracts import can_frames
from contracts.can_frames import Frame, Keepalive, Output, SetLimit, Start, Status, Stop, Thermal

STEP_S = 0.1


class Module(Struct, frozen=True):
    """A module at one instant; `counter` counts what it published."""

    stage: PowerStage
    sensor: Noise
    noise_sd_a: float = 0.1
    """Of the current sensor; real ones have 0.06 to 0.30 A."""
    bias_a: float = 0.0
    """Of the current sensor; real ones have up to 0.5 A either way."""
    counter: int = 0
    injected: InForce | None = None


def began(module: Module, injection_id: UUID, injection: ModuleInjection, seed: int = 0) -> Module:
    """Return the module under one more injection; `seed` decides which frames are lost."""
    in_force = injected.began(module.injected, module.stage, injection_id, injection, seed)
    return replace(module, stage=injected.applied(module.stage, in_force), injected=in_force)


def ended(module: Module, injection_id: UUID) -> Module:
    """Return the module without that injection; with the last one gone it is what it was before the first."""
    if module.injected is None:
        return module
    in_force = injected.ended(module.injected, injection_id)
    stage = injected.applied(module.stage, in_force)
    return replace(module, stage=stage, injected=in_force if in_force.begun else None)


def heard(module: Module, frame: Frame) -> Module:
    """Return the module after a frame of its bus: it obeys the charge point's, and ignores readings."""
    match frame:
        case Start() | Stop() | SetLimit() | Keepalive():
            return replace(module, stage=power_stage.step(module.stage, (frame,), 0.0))
    return module


def steps(elapsed_s: float) -> tuple[int, float]:
    """Return in how many equal steps a module goes so far, and how long each is: about 0.1 s."""
    number = max(1, round(elapsed_s / STEP_S))
    return number, elapsed_s / number


def advanced(module: Module, elapsed_s: float) -> Module:
    """Return the module so much later, in equal steps."""
    return stepped(module, *steps(elapsed_s))


def stepped(module: Module, number: int, dt_s: float) -> Module:
    """Return the module so many steps of `dt_s` later; a module at rest takes them as one."""
    stage = module.stage
    while number:
        taken = number if stage.at_rest else 1
        stage = power_stage.step(stage, (), dt_s * taken)
        number -= taken
    return replace(module, stage=stage)


def published(module: Module) -> tuple[Module, tuple[Frame, ...]]:
    """Return the module and the readings of this instant: 0x301, 0x302, 0x303, and last 0x300.

    Who waits for 0x300 has everything else of the same instant by then. An injection in force may keep all
    of an instant from the bus, which the counter shows afterwards, or falsify it.
    """
    stage, current_a, sensor = module.stage, 0.0, module.sensor
    if stage.contactor_closed:  # an open contactor is the sensor's zero, which it keeps
        draw, sensor = noise.normal(sensor)
        current_a = stage.current_a + module.bias_a + module.noise_sd_a * draw
    frames: tuple[Frame, ...] = (
        Output(current_a, stage.voltage_v, stage.offered_a),
        Status(
            stage.state,
            contactor_closed=stage.contactor_closed,
            vehicle_limited=stage.vehicle_limited,
            faults=stage.faults,
            counter=module.counter & 0xFF,
            closures=stage.closures,
            hot_openings=stage.hot_openings,
        ),
        Thermal(stage.temperature_c, stage.vehicle.soc_percent),
        can_frames.reading(current_a),
    )
    in_force = module.injected
    if in_force is not None:
        in_force, frames = injected.published(in_force, frames)
    return replace(module, sensor=sensor, counter=module.counter + 1, injected=in_force), frames

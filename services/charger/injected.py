"""The module under the injections in force: what is broken, what is benignly odd, what its frames say. Pure.

Whoever performs injections tells module.began() and module.ended(); nothing else of a module changes. The
last begun wins where two say different things of one part.
"""

from typing import TypeAlias, TypeVar
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from charger import noise
from charger.noise import Noise
from charger.power_stage import Defects, PowerStage
from charger.quirks import SawTooth, Taper
from contracts.can_frames import Frame, Thermal
from contracts.injections import (
    FramesLost,
    ModuleAmbient,
    ModuleDefect,
    ModuleReports,
    ModuleSilent,
    RampSawTooth,
    VehicleTaper,
)

ModuleInjection: TypeAlias = (
    ModuleSilent | FramesLost | ModuleDefect | ModuleReports | ModuleAmbient | RampSawTooth | VehicleTaper
)
_Kind = TypeVar("_Kind")


class Begun(Struct, frozen=True):
    """One injection, and the state of charge when it began."""

    id: UUID
    injection: ModuleInjection
    soc_percent: float


class InForce(Struct, frozen=True):
    """What is in force, oldest first."""

    healthy: PowerStage
    """The stage before the first; of it, what injections change is restored."""
    draws: Noise
    """Decides which of the module's instants are lost."""
    begun: tuple[Begun, ...] = ()

    def last(self, kind: type[_Kind]) -> _Kind | None:
        """Return the injection of this kind that began last."""
        for begun in reversed(self.begun):
            if isinstance(begun.injection, kind):
                return begun.injection
        return None


def began(
    in_force: InForce | None, stage: PowerStage, injection_id: UUID, injection: ModuleInjection, seed: int
) -> InForce:
    """Return what is in force once this injection is too; its `seed` decides the draws from now on."""
    known = in_force or InForce(stage, noise.seeded(seed))
    begun = Begun(injection_id, injection, stage.vehicle.soc_percent)
    return replace(known, begun=(*_without(known, injection_id), begun), draws=noise.seeded(seed))


def ended(in_force: InForce, injection_id: UUID) -> InForce:
    """Return what is in force without this injection."""
    return replace(in_force, begun=_without(in_force, injection_id))


def applied(stage: PowerStage, in_force: InForce) -> PowerStage:
    """Return the stage as what is in force makes it; with nothing in force, as it is by itself."""
    healthy = in_force.healthy
    ambient, tooth = in_force.last(ModuleAmbient), in_force.last(RampSawTooth)
    defect, taper = in_force.last(ModuleDefect), in_force.last(VehicleTaper)
    ambient_c = ambient.ambient_c if ambient else healthy.ratings.ambient_c
    return replace(
        stage,
        ratings=replace(stage.ratings, ambient_c=ambient_c),
        defects=_defects(defect) if defect else healthy.defects,
        saw_tooth=_saw_tooth(stage, tooth) if tooth else healthy.saw_tooth,
        taper=_taper(stage, taper) if taper else healthy.taper,
    )


def published(in_force: InForce, frames: tuple[Frame, ...]) -> tuple[InForce, tuple[Frame, ...]]:
    """Return what gets through of an instant's frames, and what it says."""
    lost = in_force.last(FramesLost)
    is_lost = False
    if lost is not None:
        share, draws = noise.uniform(in_force.draws)
        in_force, is_lost = replace(in_force, draws=draws), share < lost.share
    if is_lost or in_force.last(ModuleSilent) is not None:
        return in_force, ()
    for begun in in_force.begun:
        if isinstance(begun.injection, ModuleReports):
            frames = tuple(_lied(frame, begun, begun.injection) for frame in frames)
    return in_force, frames


def _lied(frame: Frame, begun: Begun, reports: ModuleReports) -> Frame:
    if not isinstance(frame, Thermal):
        return frame
    soc_percent = (
        begun.soc_percent if reports.soc_frozen else frame.soc_percent
    ) + reports.soc_offset_percent
    return Thermal(
        frame.temperature_c if reports.temperature_c is None else reports.temperature_c,
        max(0.0, min(100.0, soc_percent)),
    )


def _without(in_force: InForce, injection_id: UUID) -> tuple[Begun, ...]:
    return tuple(begun for begun in in_force.begun if begun.id != injection_id)


def _defects(defect: ModuleDefect) -> Defects:
    return Defects(
        contactor_stuck=defect.contactor_stuck,
        regulator_gain=defect.regulator_gain,
        cooling_share=defect.cooling_share,
        internal=defect.internal,
    )


def _saw_tooth(stage: PowerStage, tooth: RampSawTooth) -> SawTooth:
    """Return the saw tooth where it is; a new one where the stage has none like it."""
    known, new = stage.saw_tooth, SawTooth(tooth.amplitude_a, tooth.period_s)
    return known if known is not None and replace(known, age_s=0.0) == new else new


def _taper(stage: PowerStage, taper: VehicleTaper) -> Taper:
    known, new = stage.taper, Taper(taper.step_a, taper.every_s)
    return known if known is not None and known.anew() == new else new

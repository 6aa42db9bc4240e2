"""What the bus tells of a charger module, and whether it came back from silence or from a restart. Pure."""

from msgspec import Struct

from chargepoint.connector_events import ModuleReported
from contracts.can_frames import Faults, Status

SILENCE_S = 3.0
"""Three readings missed: the module is gone."""
NO_CURRENT_A, CURRENT_AGAIN_A = 0.5, 1.5
"""Apart, because a sensor that is biased by 0.5 A would have a full vehicle come and go every second."""
_LOST_FRAMES = 3  # so many more than time tells may be a late host's

_ERROR_OF_FAULT = {
    Faults.CONTACTOR_WELDED: "PowerSwitchFailure",
    Faults.OVER_CURRENT: "OverCurrentFailure",
    Faults.OVER_TEMPERATURE: "HighTemperature",
    Faults.INTERNAL: "InternalError",
    Faults.KEEPALIVE_LOST: "OtherError",
}


class Module(Struct, frozen=True):
    """The module as last heard. `status`: None for a tool that sends 0x300 only."""

    present: bool = False
    heard_s: float = 0.0
    current_a: float = 0.0
    offered_a: float | None = None
    status: Status | None = None
    status_s: float = 0.0
    has_no_current: bool = True
    """Less than NO_CURRENT_A flows, or has not passed CURRENT_AGAIN_A since."""

    @property
    def faults(self) -> Faults:
        """The fault bits, as last told."""
        return self.status.faults if self.status else Faults.NONE

    @property
    def error_code(self) -> str:
        """OCPP's word for the gravest fault."""
        return next((code for fault, code in _ERROR_OF_FAULT.items() if fault in self.faults), "NoError")

    @property
    def offers_nothing(self) -> bool:
        """Whether the module says that it would not let any current flow."""
        return self.offered_a is not None and self.offered_a < NO_CURRENT_A

    @property
    def vehicle_takes_nothing(self) -> bool:
        """Whether the vehicle leaves what it is offered."""
        return self.status is not None and self.status.vehicle_limited and self.has_no_current


def reported(module: Module, report: ModuleReported) -> Module:
    """Return the module after its report; a status stays until the next one or a silence."""
    kept = module.status if module.present else None
    enough_a = CURRENT_AGAIN_A if module.has_no_current else NO_CURRENT_A
    return Module(
        present=True,
        heard_s=report.now_s,
        current_a=report.current_a,
        offered_a=report.offered_a,
        status=report.status or kept,
        status_s=report.now_s if report.status else module.status_s,
        has_no_current=report.current_a < enough_a,
    )


def has_come_back(module: Module, report: ModuleReported) -> bool:
    """Return whether the report ends a silence or comes from a module that was restarted.

    A counter that is ahead of the time that passed, or wear that shrank, has begun anew.
    """
    before, after = module.status, report.status
    if not module.present:
        return True
    if before is None or after is None:
        return False
    ahead = (after.counter - before.counter) & 0xFF
    return ahead > report.now_s - module.status_s + _LOST_FRAMES or after.closures < before.closures


def is_told_again(module: Module, report: ModuleReported) -> bool:
    """Return whether a report says to a connector's machine what it knows: only numbers are others."""
    known, told = module.status, report.status
    if known is None or told is None or has_come_back(module, report):
        return False
    enough_a = CURRENT_AGAIN_A if module.has_no_current else NO_CURRENT_A
    offers_nothing = report.offered_a is not None and report.offered_a < NO_CURRENT_A
    return (
        told.state is known.state
        and told.faults == known.faults
        and told.vehicle_limited is known.vehicle_limited
        and (report.current_a < enough_a) is module.has_no_current
        and offers_nothing is module.offers_nothing
    )

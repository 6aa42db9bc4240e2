"""A driver's visit at a simulated connector, and how the CSMS limits it meanwhile: lives one Session."""

from collections.abc import Callable

from msgspec.structs import replace

from chargepoint.connector_events import CableUnplugged
from charger.vehicle import Vehicle
from csms import scenario
from csms.scenario import SetChargingProfile, Situation
from lab.life.session import LimitChange, Session
from lab.simulated.agenda import Agenda, Process, Until
from lab.simulated.outlet import Outlet
from lab.simulated.station import Station

_START_S = 10.0
"""How long the driver waits for a transaction."""


class Visit:
    """One session at its outlet. `wake`: time is lived from now on; `ahead`: and in good time before."""

    def __init__(
        self,
        session: Session,
        outlet: Outlet,
        station: Station,
        agenda: Agenda,
        wake: Callable[[], None],
        ahead: Callable[[float], None],
    ) -> None:
        self._session = session
        self._outlet = outlet
        self._station = station
        self._agenda = agenda
        self._wake = wake
        self._ahead = ahead
        self._is_over = False

    def live(self) -> Process:
        """A car comes, charges and leaves."""
        session, agenda, outlet = self._session, self._agenda, self._outlet
        self._wake()
        if outlet.connector.plugged:
            outlet.handle(CableUnplugged())
        if session.vehicle is not None:
            park(outlet, session.vehicle)
        outlet.plug()
        if session.limits:
            agenda.start(self._limit())
        yield session.tag_after_s
        yield from self._present()
        yield from self._charge()
        self._is_over = True
        agenda.look()
        self._ahead(max(session.leave_s, agenda.now_s))
        yield max(1.0, session.leave_s - agenda.now_s)
        self._wake()
        outlet.handle(CableUnplugged())

    def _present(self) -> Process:
        """Show the tag, and wait for a transaction."""
        self._wake()
        self._station.present(self._outlet, self._session.id_tag)
        yield Until(lambda: self._outlet.connector.transaction is not None, _START_S)

    def _charge(self) -> Process:
        """Stand there until enough has flowed or it is time to stop; then show the tag again."""
        session, agenda, outlet = self._session, self._agenda, self._outlet
        begun_wh = outlet.meter.energy_wh
        pauses = list(session.pauses)
        while (transaction := outlet.connector.transaction) is not None:
            ours = transaction.id_tag == session.id_tag
            left_s = session.stop_s - agenda.now_s
            missing_wh = (
                float("inf")
                if session.energy_wh is None
                else begun_wh + session.energy_wh - outlet.meter.energy_wh
            )
            if missing_wh <= 0 or left_s <= 0:
                if ours:
                    self._station.present(outlet, session.id_tag)
                return
            if pauses and session.plug_s + pauses[0].after_s <= agenda.now_s and ours:
                self._station.present(outlet, session.id_tag)
                yield pauses.pop(0).lasts_s
                yield from self._present()
                continue
            due_s = session.plug_s + pauses[0].after_s - agenda.now_s if pauses else left_s
            # It cannot flow faster than that; so the driver looks ever more often, and hardly too late.
            supply = self._station.supply
            most_w = supply.rated_a * supply.voltage_v * supply.phases
            yield max(0.1, min(left_s, due_s, max(1.0, 0.8 * missing_wh / most_w * 3600)))

    def _limit(self) -> Process:
        """Let the CSMS set the session's limits, one after the other, and take the last one back."""
        session, is_limited = self._session, False
        for change in session.limits:
            yield max(0.0, session.plug_s + change.after_s - self._agenda.now_s)
            if self._is_over:
                break
            self._wake()
            self._set(change)
            is_limited = change.limit_a is not None
        yield Until(lambda: self._is_over, session.leave_s - self._agenda.now_s)
        if is_limited:
            self._wake()
            self._set(LimitChange(0.0, None))

    def _set(self, change: LimitChange) -> None:
        """A limit of the whole charge point leaves those of transactions, which are the scenarios', alone."""
        step = SetChargingProfile(
            limit_a=change.limit_a or 0.0, connector=0, purpose="ChargePointMaxProfile", stack_level=0
        )
        command = (
            scenario.clearing(scenario.profile_id(step))
            if change.limit_a is None
            else scenario.command(step, Situation(None))
        )
        self._station.line.command(command, lambda _: None)


def park(outlet: Outlet, car: Vehicle) -> None:
    """Put another car in front of an outlet."""
    module = outlet.node.module
    outlet.node.become(replace(module, stage=replace(module.stage, vehicle=car)))

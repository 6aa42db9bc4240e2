"""One charge point's whole chain on its own clock: what matters is lived, idle time is jumped over."""

import random
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime

from msgspec.structs import replace

from chargepoint.connector_events import CableUnplugged
from charger import noise, vehicle
from charger.module import Module
from charger.power_stage import PowerStage
from charger.vehicle import Vehicle
from contracts import can_frames
from contracts.can_frames import KEEPALIVE_PERIOD_S, READING_PERIOD_S
from contracts.events import AnyEvent, Reading
from lab.simulated.agenda import Agenda, Process, Until
from lab.simulated.central_system import CentralSystem
from lab.simulated.driver import Driver
from lab.simulated.module_node import ModuleNode
from lab.simulated.outlet import Outlet, RawFrame
from lab.simulated.plan import ChargePointPlan, ScenarioRun, Session
from lab.simulated.station import Station

IDLE_TAIL_S = 10.0
"""So long after everything came to rest readings go on, and then time is jumped over."""
IDLE_LEAD_S = 5.0
"""So long before the next thing happens they begin again."""
_LIMITS_PERIOD_S = 1.0


class ChargePoint:
    """Lives its plan. `seed` and its identity decide all draws; `number`: keeps transaction ids apart."""

    def __init__(
        self, plan: ChargePointPlan, number: int, *, seed: int, begin_at: datetime, skips_idle: bool = True
    ) -> None:
        self._plan = plan
        self._skips_idle = skips_idle
        self._told: list[AnyEvent] = []
        self._agenda = Agenda(begin_at)
        draws = (seed, zlib.crc32(plan.charge_point_id.encode()))
        rng = random.Random(f"{seed}/{plan.charge_point_id}")
        self._losses = random.Random(f"{seed}/{plan.charge_point_id}/losses")
        nodes = [ModuleNode(_new_module(plan, (*draws, connector))) for connector in range(plan.connectors)]
        self._csms = CentralSystem(plan.charge_point_id, number, self._agenda, self._told.append)
        for id_tag in plan.known_id_tags:
            self._csms.knows(id_tag)
        self._sessions = iter(plan.sessions)
        first = next(self._sessions, None)
        plugged = plan.plugged if plan.plugged is not None else first is None
        self._station = Station(plan, self._agenda, self._csms, nodes, self._emit, plugged=plugged)
        self._phases_s = [rng.random() for _ in range(3)]
        self._drivers: list[Driver] = []
        self._busy_s = 0.0
        self._is_awake = False
        self.lived_s = 0.0
        """How much of the time was lived second by second, and not jumped over."""
        self._woke_s = 0.0
        self._agenda.at(rng.random(), self._boot)
        if first is not None:
            self._expect(first)
        for run in plan.runs:
            self._agenda.at(run.start_s, lambda run=run: self._begin(run))  # type: ignore[misc]

    def run(self, until_s: float) -> Iterator[tuple[float, AnyEvent]]:
        """Yield (arrival in seconds since the begin, event) up to an instant; ready for more after that."""
        agenda, told = self._agenda, self._told
        while (next_s := agenda.next_s) is not None and next_s < until_s:
            agenda.do_next()
            if told:
                for event in told:
                    yield agenda.now_s, event
                told.clear()

    def _emit(self, event: AnyEvent) -> None:
        self._told.append(event)
        if isinstance(event, Reading):
            for driver in self._drivers:
                driver.read(event)

    def _boot(self) -> None:
        self._wake()
        self._station.boot()

    # The three clocks of the real parts: the module's, the outlet's, the charge point's.

    def _wake(self) -> None:
        self._busy_s = self._agenda.now_s
        if self._is_awake:
            return
        self._is_awake = True
        self._woke_s = now_s = self._agenda.now_s
        for outlet in self._station.outlets:
            outlet.woke()
        for phase_s, period_s, do in zip(
            self._phases_s,
            (READING_PERIOD_S, KEEPALIVE_PERIOD_S, _LIMITS_PERIOD_S),
            (self._publish, self._tick, self._station.refresh_limits),
            strict=True,
        ):
            self._agenda.at(now_s + (phase_s - now_s) % period_s, lambda p=period_s, d=do: self._every(p, d))  # type: ignore[misc]

    def _every(self, period_s: float, do: Callable[[], None]) -> None:
        if not self._is_awake:
            return
        do()
        self._agenda.after(period_s, lambda: self._every(period_s, do))

    def _publish(self) -> None:
        for outlet in self._station.outlets:
            frames = outlet.node.publish(self._agenda.now_s)
            if self._plan.frames_lost_share and self._losses.random() < self._plan.frames_lost_share:
                continue
            for frame in frames:
                outlet.listen(RawFrame(*can_frames.encode(frame)))

    def _tick(self) -> None:
        for outlet in self._station.outlets:
            outlet.tick()
        now_s = self._agenda.now_s
        if self._is_busy():
            self._busy_s = now_s
        elif self._skips_idle and now_s - self._busy_s >= IDLE_TAIL_S:
            self._sleep()

    def _is_busy(self) -> bool:
        return bool(self._drivers) or not self._station.is_idle

    def _sleep(self) -> None:
        self._is_awake = False
        self.lived_s += self._agenda.now_s - self._woke_s

    def _ahead(self, due_s: float) -> None:
        """Wake in good time before something happens."""
        self._agenda.at(due_s - IDLE_LEAD_S, self._wake)

    def _begin(self, run: ScenarioRun) -> None:
        driver = Driver(run, self._agenda, self._csms, self._station.line)
        self._wake()
        self._agenda.start(self._driven(driver))

    def _driven(self, driver: Driver) -> Process:
        self._drivers.append(driver)
        yield from driver.drive()
        self._drivers.remove(driver)

    def _expect(self, session: Session) -> None:
        self._csms.knows(session.id_tag)
        self._ahead(session.plug_s)
        self._agenda.at(session.plug_s, lambda: self._agenda.start(self._visit(session)))

    def _visit(self, session: Session) -> Process:
        """A car comes, charges and leaves; then the next one is expected."""
        agenda, outlet = self._agenda, self._station.outlets[session.connector - 1]
        following = next(self._sessions, None)
        if following is not None:
            self._expect(following)
        self._wake()
        if outlet.connector.plugged:
            outlet.handle(CableUnplugged())
        _park(outlet, session.vehicle)
        outlet.plug()
        yield session.tag_after_s
        self._wake()
        self._station.present(outlet, session.id_tag)
        yield Until(lambda: outlet.connector.transaction is not None, 10.0)
        if outlet.connector.transaction is not None:
            begun_wh = outlet.meter.energy_wh
            wanted_wh = float("inf") if session.energy_wh is None else session.energy_wh
            yield Until(
                lambda: (
                    outlet.connector.transaction is None or outlet.meter.energy_wh - begun_wh >= wanted_wh
                ),
                session.stop_s - agenda.now_s,
                look_s=1.0,
            )
            transaction = outlet.connector.transaction
            if transaction is not None and transaction.id_tag == session.id_tag:
                self._station.present(outlet, session.id_tag)
        self._ahead(max(session.leave_s, agenda.now_s))
        yield max(1.0, session.leave_s - agenda.now_s)
        self._wake()
        outlet.handle(CableUnplugged())


def _park(outlet: Outlet, car: Vehicle) -> None:
    module = outlet.node.module
    outlet.node.module = replace(module, stage=replace(module.stage, vehicle=car))


def _new_module(plan: ChargePointPlan, draws: tuple[int, ...]) -> Module:
    """Return an idle module of the plan's kind, as charger.rack makes one."""
    car = plan.vehicle or vehicle.plugged(Vehicle(soc_percent=0.0, cars_to_come=noise.seeded(*draws, 0)))
    return Module(
        stage=PowerStage(car, plan.ratings, temperature_c=plan.ratings.ambient_c),
        sensor=noise.seeded(*draws, 1),
        noise_sd_a=plan.noise_sd_a,
        bias_a=plan.bias_a,
    )

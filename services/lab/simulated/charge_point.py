"""One charge point's whole chain on its own clock: what matters is lived, idle time is jumped over."""

import random
import zlib
from collections.abc import Iterator
from datetime import datetime

from chargepoint.connector_events import CableUnplugged
from charger import noise, vehicle
from charger.module import Module
from charger.power_stage import PowerStage
from charger.vehicle import Vehicle
from contracts.can_frames import KEEPALIVE_PERIOD_S, READING_PERIOD_S
from contracts.events import AnyEvent, Reading
from lab.life.session import Session
from lab.simulated.agenda import NEVER_S, Agenda, Process
from lab.simulated.central_system import CentralSystem
from lab.simulated.driver import Driver
from lab.simulated.injector import Injector
from lab.simulated.module_node import ModuleNode
from lab.simulated.plan import ChargePointPlan, ScenarioRun
from lab.simulated.station import Station
from lab.simulated.visit import Visit, park

IDLE_TAIL_S = 10.0
"""So long after everything came to rest readings go on, and then time is jumped over."""
IDLE_LEAD_S = 5.0
"""So long before the next thing happens they begin again."""
LIMITS_PERIOD_S = 1.0


class ChargePoint:
    """Lives its plan. `seed` and its identity decide all draws; `number`: keeps transaction ids apart."""

    def __init__(
        self,
        plan: ChargePointPlan,
        number: int,
        *,
        seed: int,
        begin_at: datetime,
        skips_idle: bool = True,
        shows_wire: bool = True,
    ) -> None:
        self._plan = plan
        self._skips_idle = skips_idle
        self._told: list[tuple[float, AnyEvent]] = []
        self._agenda = Agenda(begin_at)
        draws = (seed, zlib.crc32(plan.charge_point_id.encode()))
        rng = random.Random(f"{seed}/{plan.charge_point_id}")
        self._losses = random.Random(f"{seed}/{plan.charge_point_id}/losses")
        nodes = [ModuleNode(_new_module(plan, (*draws, connector))) for connector in range(plan.connectors)]
        self._csms = CentralSystem(
            plan.charge_point_id, number, self._agenda, self._emit, shows_wire=shows_wire
        )
        for id_tag in plan.known_id_tags:
            self._csms.knows(id_tag)
        self._sessions = iter(plan.sessions)
        first = next(self._sessions, None)
        plugged = plan.plugged if plan.plugged is not None else first is None
        self._station = Station(
            plan, self._agenda, self._csms, nodes, self._emit, plugged=plugged, shows_wire=shows_wire
        )
        self._phases_s = [rng.random() for _ in range(3)]
        self._drivers: list[Driver] = []
        self._publish_s = self._tick_s = self._limits_s = NEVER_S
        self._busy_s = 0.0
        self._lived_s = self._woke_s = 0.0
        self._agenda.at(rng.random(), self._boot)
        if first is not None:
            self._expect(first)
        self._injector = Injector(self._agenda, self._csms, self._station)
        for planned in plan.injections:
            self._ahead(planned.start_s)
            self._agenda.at(planned.start_s, lambda order=planned.order: self._injector.inject(order))  # type: ignore[misc]
        for run in plan.runs:
            self._agenda.at(run.start_s, lambda run=run: self._begin(run))  # type: ignore[misc]

    @property
    def lived_s(self) -> float:
        """How much of the time was lived second by second, and not jumped over."""
        is_awake = self._publish_s < NEVER_S
        return self._lived_s + (self._agenda.now_s - self._woke_s if is_awake else 0.0)

    def run(self, until_s: float) -> Iterator[tuple[float, AnyEvent]]:
        """Yield (arrival in seconds since the begin, event) up to an instant; ready for more after that."""
        agenda, told = self._agenda, self._told
        while True:
            due_s = min(self._publish_s, self._tick_s, self._limits_s)
            next_s = agenda.next_s
            if next_s <= due_s:
                if next_s >= until_s:
                    return
                agenda.do_next()
            else:
                if due_s >= until_s:
                    return
                agenda.now_s = due_s
                if due_s == self._publish_s:
                    self._publish_s += READING_PERIOD_S
                    self._publish()
                elif due_s == self._tick_s:
                    self._tick_s += KEEPALIVE_PERIOD_S
                    self._tick()
                else:
                    self._limits_s += LIMITS_PERIOD_S
                    self._station.tick()
            if told:
                yield from told
                told.clear()

    def _emit(self, event: AnyEvent) -> None:
        self._told.append((self._agenda.now_s, event))
        if self._drivers and isinstance(event, Reading):
            for driver in self._drivers:
                driver.read(event)

    def _boot(self) -> None:
        self._wake()
        self._station.boot()

    def _wake(self) -> None:
        """Let the three clocks of the real parts run: the module's, the outlet's, the charge point's."""
        self._busy_s = now_s = self._agenda.now_s
        if self._publish_s < NEVER_S:
            return
        self._woke_s = now_s
        for outlet in self._station.outlets:
            outlet.woke()
        self._publish_s, self._tick_s, self._limits_s = (
            now_s + (phase_s - now_s) % 1.0 for phase_s in self._phases_s
        )

    def _publish(self) -> None:
        for outlet in self._station.outlets:
            frames = outlet.node.publish(self._agenda.now_s)
            if self._plan.frames_lost_share and self._losses.random() < self._plan.frames_lost_share:
                continue
            outlet.hear(frames)

    def _tick(self) -> None:
        for outlet in self._station.outlets:
            outlet.tick()
        now_s = self._agenda.now_s
        if self._drivers or self._injector.is_active or not self._station.is_idle:
            self._busy_s = now_s
        elif self._skips_idle and now_s - self._busy_s >= IDLE_TAIL_S:
            self._sleep()

    def _sleep(self) -> None:
        self._publish_s = self._tick_s = self._limits_s = NEVER_S
        self._lived_s += self._agenda.now_s - self._woke_s

    def _ahead(self, due_s: float) -> None:
        """Wake in good time before something happens."""
        self._agenda.at(due_s - IDLE_LEAD_S, self._wake)

    def _begin(self, run: ScenarioRun) -> None:
        driver = Driver(run, self._agenda, self._csms, self._station.line, self._injector)
        self._wake()
        self._agenda.start(self._driven(driver))

    def _driven(self, driver: Driver) -> Process:
        outlet, car = self._station.outlets[0], driver.run.car
        if car is not None and not outlet.connector.plugged:
            park(outlet, car)
            outlet.plug()
        self._drivers.append(driver)
        yield from driver.drive()
        self._drivers.remove(driver)
        if car is not None and outlet.connector.plugged:
            outlet.handle(CableUnplugged())

    def _expect(self, session: Session) -> None:
        self._csms.knows(session.id_tag)
        self._ahead(session.plug_s)
        self._agenda.at(session.plug_s, lambda: self._agenda.start(self._visited(session)))

    def _visited(self, session: Session) -> Process:
        following = next(self._sessions, None)
        if following is not None:
            self._expect(following)
        outlet = self._station.outlets[session.connector - 1]
        yield from Visit(session, outlet, self._station, self._agenda, self._wake, self._ahead).live()


def _new_module(plan: ChargePointPlan, draws: tuple[int, ...]) -> Module:
    """Return an idle module of the plan's kind, as charger.rack makes one."""
    car = plan.vehicle or vehicle.plugged(Vehicle(soc_percent=0.0, cars_to_come=noise.seeded(*draws, 0)))
    return Module(
        stage=PowerStage(
            car,
            plan.ratings,
            temperature_c=plan.ratings.ambient_c,
            saw_tooth=plan.saw_tooth,
            overshoot=plan.overshoot,
        ),
        sensor=noise.seeded(*draws, 1),
        noise_sd_a=plan.noise_sd_a,
        bias_a=plan.bias_a,
    )

"""The modules of one process: attached to a bus and taken off it as the allocation says."""

import asyncio
import logging
import secrets
import zlib
from dataclasses import dataclass

import can

from charger import allocation as allocations
from charger import noise, vehicle
from charger.allocation import Action, Allocation, Attach, Detach
from charger.can_node import CanNode
from charger.module import Module
from charger.power_stage import PowerStage, Ratings
from charger.ramp import ExponentialRamp, LinearRamp
from charger.settings import Settings
from charger.vehicle import Vehicle
from chassis.backplane_link import BackplaneLink
from chassis.can_link import CanLink, Tally, open_bus
from chassis.process import every
from chassis.rounds import Rounds
from contracts.backplane import LEASE_PERIOD_S, Datagram, Fault, FaultEnded, FaultTaken, Lease, Offer
from contracts.can_frames import READING_PERIOD_S

log = logging.getLogger("charger")


def new_module(settings: Settings, bus: str, attachment: int) -> Module:
    """Return an idle module of the settings' kind, a car plugged in.

    One bus has the same cars each time; `attachment`, another number each time, decides the noise too.
    """
    exponential = settings.ramp_law == "exponential"
    ramp = ExponentialRamp(settings.ramp_share_percent / 100)
    ratings = Ratings(
        rated_a=settings.rated_a,
        ramp=ramp if exponential else LinearRamp(settings.ramp_a_per_s, settings.ramp_lag_s),
        ambient_c=settings.ambient_c,
        set_error_share=settings.set_error_share,
    )
    bus_number = zlib.crc32(bus.encode())
    car = Vehicle(
        soc_percent=0.0,
        cars_to_come=noise.seeded(settings.seed, bus_number, 0),
        capacity_wh=settings.vehicle_capacity_kwh * 1000,
        peak_w=settings.vehicle_peak_kw * 1000,
        full_v=settings.vehicle_full_v,
    )
    return Module(
        stage=PowerStage(vehicle.plugged(car), ratings, temperature_c=settings.ambient_c),
        sensor=noise.seeded(settings.seed, bus_number, 1, attachment),
        noise_sd_a=settings.noise_sd_a,
        bias_a=settings.bias_a,
    )


@dataclass(frozen=True, slots=True)
class Passed:
    """What passed on buses: frames, refused ones of them, and the time for which modules stood still."""

    frames: Tally
    refused: int
    stood_still_s: float

    @classmethod
    def of(cls, node: CanNode) -> "Passed":
        """Return what passed at one module."""
        return cls(node.tally, node.refused, node.stood_still_s)

    def __add__(self, other: "Passed") -> "Passed":
        """Return both together."""
        return Passed(
            self.frames + other.frames,
            self.refused + other.refused,
            self.stood_still_s + other.stood_still_s,
        )


class Rack:
    """Serves buses in `tasks`: those of the settings for ever, those on the backplane while leased to us."""

    def __init__(
        self,
        settings: Settings,
        charger_id: str,
        interface: str,
        backplane: BackplaneLink,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._settings = settings
        self._interface = interface
        self._backplane = backplane
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._readings = Rounds(READING_PERIOD_S)
        self._allocation = Allocation(charger_id, settings.capacity)
        self._served: dict[int, tuple[CanNode, asyncio.Task[None]]] = {}
        self._at_port: dict[int, CanNode] = {}
        self._unopened: set[int] = set()
        self._nodes: set[CanNode] = set()
        self._past = Passed(Tally(), 0, 0.0)

    @property
    def buses(self) -> int:
        """How many buses are served now."""
        return len(self._nodes)

    @property
    def faults(self) -> int:
        """How many injected faults are in force now."""
        return sum(node.faults for node in self._nodes)

    @property
    def passed(self) -> Passed:
        """What passed on all buses so far, those detached since included."""
        return sum((Passed.of(node) for node in self._nodes), self._past)

    async def run(self) -> None:
        """Serve for ever. Raises can.CanError where one of the settings' buses is not there."""
        for bus in self._settings.buses:
            self._serve(bus)
        self._tasks.create_task(self._readings.run(), name="readings")
        self._tasks.create_task(self._follow_backplane(), name="backplane")
        await every(LEASE_PERIOD_S, self._tick)

    async def _follow_backplane(self) -> None:
        async for datagram in self._backplane.datagrams():
            if isinstance(datagram, Lease) and str(datagram.bus_port) not in self._settings.buses:
                self._allocation, actions = allocations.heard(self._allocation, datagram, self._loop.time())
                self._perform(actions)
            else:
                self._take_fault(datagram)

    def _take_fault(self, datagram: Datagram) -> None:
        node = self._at_port.get(datagram.bus_port)
        if node is None:
            return
        if isinstance(datagram, Fault) and node.take(datagram):
            self._backplane.send(FaultTaken(id=datagram.id, bus_port=datagram.bus_port))
        elif isinstance(datagram, FaultEnded):
            node.end(datagram.id)

    def _tick(self) -> None:
        at_rest = {port for port, (node, _) in self._served.items() if node.at_rest}
        self._allocation, actions = allocations.ticked(self._allocation, at_rest, self._loop.time())
        self._perform(actions)

    def _perform(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            match action:
                case Attach(bus_port, charge_point_id, connector):
                    if not self._attach(bus_port, f"{charge_point_id}/{connector}"):
                        self._allocation = allocations.failed(self._allocation, bus_port)
                        return
                case Detach(bus_port, reason):
                    self._detach(bus_port, reason)
                case Offer():
                    self._backplane.send(action)

    def _attach(self, bus_port: int, connector: str) -> bool:
        try:
            self._served[bus_port] = self._serve(str(bus_port))
        except can.CanError as error:
            if bus_port not in self._unopened:  # once, not with each lease
                log.warning("cannot attach to %s: %s", connector, error)
            self._unopened.add(bus_port)
            return False
        self._unopened.discard(bus_port)
        log.info("attached to %s on bus %d", connector, bus_port)
        return True

    def _detach(self, bus_port: int, reason: str) -> None:
        node, task = self._served.pop(bus_port)
        task.cancel()
        self._nodes.discard(node)
        self._at_port.pop(bus_port, None)
        self._past += Passed.of(node)
        log.info("detached from bus %d: %s (%s)", bus_port, reason, node.losses)

    def _serve(self, bus: str) -> tuple[CanNode, asyncio.Task[None]]:
        opened = (
            open_bus(int(bus), self._interface)
            if bus.isdecimal()
            else open_bus(0, self._interface, socketcan=bus)
        )
        # Noise that began anew with the same numbers would be a replay to whoever remembers the bus.
        module = new_module(self._settings, bus, secrets.randbits(64))
        node = CanNode(CanLink(opened), module, f"bus {bus}", self._readings)
        self._nodes.add(node)
        if bus.isdecimal():
            self._at_port[int(bus)] = node
        return node, self._tasks.create_task(node.run(), name=f"bus {bus}")

"""Performs injections at a simulated charge point: each where attacker or fault would sit."""

import random
from collections.abc import Callable
from uuid import UUID

from chargepoint import injected
from chargepoint.connector_events import CableUnplugged
from chargepoint.injected import ChargePointInjection
from charger import module as modules
from charger.injected import ModuleInjection
from contracts.injections import (
    Cable,
    Disconnect,
    Impostor,
    Inject,
    Network,
    PresentTag,
)
from contracts.ocpp_messages import Call
from lab.rogue.sender import BusInjection
from lab.simulated.agenda import Agenda, Process
from lab.simulated.central_system import CentralSystem
from lab.simulated.outlet import Outlet
from lab.simulated.station import Station

RECONNECT_S = 1.0
"""How long a charge point takes to be back that lost its connection; the real one takes 0.25 to 8 s."""


class Injector:
    """Begins injections and ends them by itself; `performed` is told of each begin and end."""

    def __init__(self, agenda: Agenda, csms: CentralSystem, station: Station) -> None:
        self._agenda = agenda
        self._csms = csms
        self._station = station
        self._in_force: dict[UUID, Callable[[], None]] = {}

    @property
    def is_active(self) -> bool:
        """Whether an injection is in force."""
        return bool(self._in_force)

    def inject(self, order: Inject) -> None:
        """Begin an injection; it ends after its seconds."""
        outlet = self._station.outlet(order.connector)
        if outlet is None:
            raise ValueError(f"{order.charge_point_id} has no connector {order.connector}")
        self._in_force[order.id] = self._begun(order, outlet)
        self._agenda.after(order.seconds, lambda: self._end(order.id))

    def withdraw(self) -> None:
        """End all of them now."""
        for injection_id in list(self._in_force):
            self._end(injection_id)

    def _end(self, injection_id: UUID) -> None:
        end = self._in_force.pop(injection_id, None)
        if end is not None:
            end()

    def _begun(self, order: Inject, outlet: Outlet) -> Callable[[], None]:
        """Begin it and return how it ends."""
        match order.injection:
            case PresentTag(id_tag=id_tag):
                self._station.present(outlet, id_tag)
                return _nothing
            case Cable(plugged=plugged):
                if plugged:
                    outlet.plug()
                else:
                    outlet.handle(CableUnplugged())
                return _nothing
            case Disconnect():
                self._station.disconnect()
                return self._station.connect
            case Network():
                line = self._station.line
                line.network, line.draws = order.injection, random.Random(order.seed)
                return self._network_is_well
            case Impostor():
                self._agenda.start(self._impostor(order.id, order.injection))
                return _nothing
            case injection if isinstance(injection, ChargePointInjection):
                return self._at_charge_point(order, injection, outlet)
            case injection if isinstance(injection, BusInjection):
                return self._on_bus(order, injection, outlet)
            case injection if isinstance(injection, ModuleInjection):
                return self._in_module(order, injection, outlet)
        raise TypeError(f"{order.injection!r} is no injection")

    def _network_is_well(self) -> None:
        self._station.line.network = None

    def _at_charge_point(
        self, order: Inject, injection: ChargePointInjection, outlet: Outlet
    ) -> Callable[[], None]:
        outlet.draws = random.Random(order.seed)
        outlet.injected = injected.began(outlet.injected, order.id, injection, outlet.meter.energy_wh)

        def end() -> None:
            outlet.injected = injected.ended(outlet.injected, order.id)

        return end

    def _on_bus(self, order: Inject, injection: BusInjection, outlet: Outlet) -> Callable[[], None]:
        reading = outlet.last_reading
        heard_a = (reading.current_a or 0.0) if reading else 0.0
        outlet.bus.began(order.id, injection, order.seed, heard_a)
        return lambda: outlet.bus.ended(order.id)

    def _in_module(self, order: Inject, injection: ModuleInjection, outlet: Outlet) -> Callable[[], None]:
        node = outlet.node
        node.advance(self._agenda.now_s)
        node.become(modules.began(node.module, order.id, injection, order.seed))

        def end() -> None:
            node.advance(self._agenda.now_s)
            node.become(modules.ended(node.module, order.id))

        return end

    def _impostor(self, injection_id: UUID, impostor: Impostor) -> Process:
        """Connect under the charge point's name and boot; it comes back, and so on."""
        number = 0
        yield 0.0
        while injection_id in self._in_force:
            number += 1
            self._station.disconnect(replaced=True)
            self._csms.opened()
            self._csms.note("connection_replaced", {"enrolled": True})
            boot = self._station.boot_notification | {"chargePointSerialNumber": impostor.serial_number}
            self._csms.answer(Call(f"impostor-{number}", "BootNotification", boot))
            yield RECONNECT_S
            self._csms.note("connection_replaced", {"enrolled": True})
            self._station.connect()
            yield max(0.1, impostor.every_s - RECONNECT_S)


def _nothing() -> None:
    """End what was over at once."""

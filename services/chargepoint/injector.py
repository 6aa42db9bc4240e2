"""Performs the injections whose place is the charge point: its meter, its clock, its network, its driver."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from chargepoint import injected
from chargepoint.connector_events import CableUnplugged
from chargepoint.injected import ChargePointInjection
from chargepoint.interference import Interference
from chargepoint.outlet import Outlet
from chargepoint.station import Station
from chassis.performer import CannotInject
from contracts.injections import Cable, Disconnect, Inject, Network, PresentTag


class Injector:
    """`station` returns the present one, which a Reset replaces."""

    def __init__(self, interference: Interference, station: Callable[[], Station]) -> None:
        self._interference = interference
        self._station = station

    @asynccontextmanager
    async def perform(self, order: Inject) -> AsyncIterator[None]:
        """Do what is ordered while inside; raises CannotInject where there is no such connector."""
        outlet = self._outlet(order)
        line = self._interference.line
        match order.injection:
            case PresentTag(id_tag=id_tag):
                self._station().spawn(self._station().present(outlet, id_tag))
                yield
            case Cable(plugged=plugged):
                if plugged:
                    outlet.plug()
                else:
                    outlet.handle(CableUnplugged())
                yield
            case Disconnect():
                line.cut(order.id)
                try:
                    yield
                finally:
                    line.mend(order.id)
            case Network() as network:
                line.networks[order.id] = network
                line.draws = random.Random(order.seed)
                try:
                    yield
                finally:
                    del line.networks[order.id]
            case injection if isinstance(injection, ChargePointInjection):
                falsified = self._interference.at(order.connector)
                falsified.draws = random.Random(order.seed)
                energy_wh = outlet.meter.energy_wh
                falsified.in_force = injected.began(falsified.in_force, order.id, injection, energy_wh)
                try:
                    yield
                finally:
                    falsified.in_force = injected.ended(falsified.in_force, order.id)
            case other:
                raise CannotInject(f"{type(other).__name__} is not for a charge point")

    def _outlet(self, order: Inject) -> Outlet:
        outlet = self._station().outlet(order.connector)
        if outlet is None or order.charge_point_id != self._station().charge_point_id:
            raise CannotInject(f"{order.charge_point_id} has no connector {order.connector} here now")
        return outlet

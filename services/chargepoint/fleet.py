"""The charge points of one process: each boots, boots again after a Reset, and is found by its identity."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from chargepoint import commands
from chargepoint.house import House
from chargepoint.injector import Injector
from chargepoint.interference import Interference
from chargepoint.settings import Place, Settings
from chargepoint.station import Station
from chargepoint.store import Store
from chassis.performer import CannotInject
from chassis.process import WHOSE
from contracts.events import AnyEvent
from contracts.injections import Inject

log = logging.getLogger("chargepoint")

BOOTS_PER_S = 100
"""So many begin in a second, so that what comes every second is spread over it from the start."""


class Resident:
    """One charge point for as long as the process lives; `station` is the one of the present boot."""

    def __init__(
        self,
        settings: Settings,
        place: Place,
        store: Store,
        publish: Callable[[AnyEvent], None],
        house: House,
    ) -> None:
        interference = Interference()

        def booted() -> Station:
            return Station(settings, place, store, publish, interference, house)

        self._booted = booted
        self.charge_point_id = place.charge_point_id
        self.station = booted()
        self.injector = Injector(interference, lambda: self.station)

    async def run(self) -> None:
        """Be this charge point for ever; a Reset of the CSMS boots it again."""
        while True:
            await self.station.run(commands.handlers(self.station))
            self.station = self._booted()


class Fleet:
    """All of them. The first one's state has the file's plain names: alone or not, it remembers the same."""

    def __init__(
        self,
        settings: Settings,
        places: Sequence[Place],
        store: Store,
        publish: Callable[[AnyEvent], None],
        house: House,
    ) -> None:
        scoped = [store, *(store.scoped(place.charge_point_id) for place in places[1:])]
        self._residents = {
            place.charge_point_id: Resident(settings, place, own, publish, house)
            for place, own in zip(places, scoped, strict=True)
        }

    @property
    def stations(self) -> list[Station]:
        """Every charge point as it is in its present boot."""
        return [resident.station for resident in self._residents.values()]

    @property
    def identities(self) -> frozenset[str]:
        """Who they are."""
        return frozenset(self._residents)

    @asynccontextmanager
    async def perform(self, order: Inject) -> AsyncIterator[None]:
        """Do what is ordered at the charge point that it names, while inside; raises CannotInject."""
        resident = self._residents.get(order.charge_point_id)
        if resident is None:
            raise CannotInject(f"{order.charge_point_id} is not of this process")
        async with resident.injector.perform(order):
            yield

    async def run(self) -> None:
        """Be all of them for ever."""
        async with asyncio.TaskGroup() as tasks:
            for resident in self._residents.values():
                if len(self._residents) > 1:
                    WHOSE.set(resident.charge_point_id)
                tasks.create_task(resident.run(), name=resident.charge_point_id)
                await asyncio.sleep(1 / BOOTS_PER_S)
            WHOSE.set("")

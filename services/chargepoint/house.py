"""What the charge points of one process have in common: the backplane, the second's rounds, the door."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from chargepoint.door import Door
from chargepoint.leases import Leases
from chargepoint.settings import Settings
from chassis.backplane_link import BackplaneLink
from chassis.rounds import Rounds


@dataclass(frozen=True, slots=True)
class House:
    """The common parts. `leases` is None where buses are SocketCAN interfaces: no backplane then."""

    leases: Leases | None
    seconds: Rounds = field(default_factory=Rounds)
    door: Door = field(default_factory=Door)


@asynccontextmanager
async def opened_house(settings: Settings, interface: str) -> AsyncIterator[House]:
    """Run the common parts while inside; raises OSError where the backplane cannot be opened."""
    if settings.socketcan:
        house = House(None)
        async with _kept(house):
            yield house
        return
    async with BackplaneLink(settings.backplane_port, interface) as link:
        house = House(Leases(link))
        async with _kept(house):
            yield house


@asynccontextmanager
async def _kept(house: House) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        work = [tasks.create_task(house.seconds.run(), name="rounds")]
        if house.leases is not None:
            work.append(tasks.create_task(house.leases.run(), name="leases"))
        try:
            yield
        finally:
            for task in work:
                task.cancel()

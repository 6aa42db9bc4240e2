"""The backplane as the injector uses it: which bus a connector has, and faults kept up at chargers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from chassis.backplane_link import BackplaneLink
from chassis.performer import CannotInject
from chassis.process import every
from contracts.backplane import LEASE_PERIOD_S, LEASE_TIMEOUT_S, Fault, FaultEnded, FaultTaken, Lease

MAX_BUSES = 10_000
"""More leases than this are nonsense; further ones are not listened to."""
ANSWER_S = 3.0
"""How long a charger may take to say that a fault is in force; it is asked every second."""


class Backplane:
    """`run` listens for ever."""

    def __init__(self, link: BackplaneLink) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._leases: dict[tuple[str, int], tuple[int, float]] = {}
        self._taken: dict[UUID, asyncio.Event] = {}

    @property
    def buses(self) -> dict[tuple[str, int], int]:
        """The bus port of each connector (charge point, number) whose lease is alive."""
        now_s = self._loop.time()
        return {
            connector: port
            for connector, (port, heard_s) in self._leases.items()
            if now_s - heard_s < LEASE_TIMEOUT_S
        }

    async def run(self) -> None:
        """Take what is said on the backplane, for ever."""
        async for datagram in self._link.datagrams():
            if isinstance(datagram, FaultTaken) and datagram.id in self._taken:
                self._taken[datagram.id].set()
            elif isinstance(datagram, Lease):
                self._heard(datagram)

    def _heard(self, lease: Lease) -> None:
        if len(self._leases) >= MAX_BUSES:
            alive = self.buses
            self._leases = {key: value for key, value in self._leases.items() if key in alive}
        if len(self._leases) < MAX_BUSES:
            key = lease.charge_point_id, lease.connector
            self._leases[key] = lease.bus_port, self._loop.time()

    async def bus_of(self, charge_point_id: str, connector: int) -> int:
        """Return a connector's bus port, waiting for its next lease; raises CannotInject where none comes."""
        key = charge_point_id, connector
        for _ in range(int(LEASE_TIMEOUT_S / 0.1)):
            if port := self.buses.get(key):
                return port
            await asyncio.sleep(0.1)
        raise CannotInject(f"connector {connector} of {charge_point_id} leases no bus here")

    @asynccontextmanager
    async def fault(self, fault: Fault) -> AsyncIterator[None]:
        """Keep a fault up while inside; raises CannotInject where no charger takes it."""
        taken = self._taken[fault.id] = asyncio.Event()
        renewing = asyncio.create_task(every(LEASE_PERIOD_S, lambda: self._link.send(fault)), name="fault")
        try:
            try:
                async with asyncio.timeout(ANSWER_S):
                    await taken.wait()
            except TimeoutError:
                raise CannotInject(f"no charger that serves bus {fault.bus_port} answers") from None
            yield
        finally:
            renewing.cancel()
            del self._taken[fault.id]
            # Where it is lost, the fault ends because it is not renewed.
            self._link.send(FaultEnded(id=fault.id, bus_port=fault.bus_port))

"""The console as a CAN node: leases on the backplane tell where the buses are, each bus is listened to."""

import asyncio
import logging
import time
from dataclasses import dataclass

import can

from chassis.backoff import delays_s
from chassis.backplane_link import BackplaneLink
from chassis.can_link import CanLink, open_bus
from chassis.process import every
from console.connector import Key
from console.live import Live
from contracts import can_frames
from contracts.backplane import LEASE_TIMEOUT_S, Lease
from contracts.errors import MalformedFrame

log = logging.getLogger("console")

QUIET_S = 15.0
"""Without any lease for so long the backplane is opened anew: its network may have been replaced."""


@dataclass
class _Bus:
    port: int
    task: "asyncio.Task[None]"
    leased_s: float


class CanListener:
    """Opens a bus for each lease and closes it when the lease ends. It never sends."""

    def __init__(self, live: Live, backplane_port: int, interface_address: str) -> None:
        self._live = live
        self._backplane_port = backplane_port
        self._interface = interface_address
        self._buses: dict[Key, _Bus] = {}
        self._trouble: str | None = None
        self.heard = 0
        """Whole frames on our identifiers."""
        self.malformed = 0
        """Frames on our identifiers that were no whole frame."""

    @property
    def buses(self) -> int:
        """How many buses are listened to."""
        return len(self._buses)

    async def run(self) -> None:
        """Listen for ever, also while there is nothing to hear."""
        delays = delays_s(0.5, 5.0)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(every(1.0, self._expire))
            while True:
                try:
                    await self._listen_to_leases(tasks)
                except TimeoutError:
                    delays = delays_s(0.5, 5.0)
                except OSError as error:
                    self._trouble = error.strerror or str(error)
                    self._expire()
                    await asyncio.sleep(next(delays))

    async def _listen_to_leases(self, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        async with BackplaneLink(self._backplane_port, self._interface) as link:
            self._trouble = None
            async with asyncio.timeout(QUIET_S) as quiet:
                async for datagram in link.datagrams():
                    if isinstance(datagram, Lease):
                        quiet.reschedule(loop.time() + QUIET_S)
                        self._take(datagram, tasks)

    def _take(self, lease: Lease, tasks: asyncio.TaskGroup) -> None:
        key = self._live.fleet.hear_lease(lease, time.time())
        if key is None:
            return
        now_s = time.monotonic()
        bus = self._buses.get(key)
        if bus is not None and bus.port == lease.bus_port and not bus.task.done():
            bus.leased_s = now_s
            return
        if bus is not None:
            bus.task.cancel()
        task = tasks.create_task(self._listen(key, lease.bus_port), name=f"bus {lease.bus_port}")
        self._buses[key] = _Bus(lease.bus_port, task, now_s)
        self._report()

    async def _listen(self, key: Key, port: int) -> None:
        try:
            bus = open_bus(port, self._interface)
        except can.CanInitializationError as error:  # the next lease tries again
            log.warning("%s, connector %d: %s", *key, error)
            return
        async with CanLink(bus) as link:
            async for raw in link.frames():
                if raw.extended:
                    continue
                try:
                    frame = can_frames.decode(raw.can_id, raw.data)
                except MalformedFrame:
                    self.malformed += 1
                    continue
                if frame is not None:
                    self.heard += 1
                    self._live.fleet.hear_frame(key, frame, time.time())

    def _expire(self) -> None:
        now_s = time.monotonic()
        for key, bus in list(self._buses.items()):
            if now_s - bus.leased_s > LEASE_TIMEOUT_S:
                bus.task.cancel()
                del self._buses[key]
        self._report()

    def _report(self) -> None:
        where = f"UDP port {self._backplane_port} on {self._interface}"
        if self._trouble is not None:
            text = f"CAN cannot be heard ({where}): {self._trouble}."
        elif not self._buses:
            text = f"No charge point announces its bus ({where})."
        else:
            buses = "1 bus" if len(self._buses) == 1 else f"{len(self._buses)} buses"
            self._live.report("can", working=True, text=f"CAN: listening to {buses}.")
            return
        self._live.report("can", working=False, text=text)

"""The backplane's shell: leases for each connector's bus out, offers in, what happened to the records."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from chargepoint import lease, wording
from chargepoint.lease import Happened, Holder, Output
from chassis.backplane_link import BackplaneLink
from chassis.rounds import Rounds
from contracts.backplane import LEASE_PERIOD_S

log = logging.getLogger("chargepoint")

Record: TypeAlias = Callable[[str, dict[str, Any], int], None]
"""Takes (name, detail, connector)."""


@dataclass(slots=True)
class _Held:
    """A bus: the lease's state, and who is told what happened."""

    holder: Holder
    record: Record
    context: Context


class Leases:
    """Keeps a charger module attached to each bus that somebody of this process holds."""

    def __init__(self, link: BackplaneLink) -> None:
        self._link = link
        self._rounds = Rounds(LEASE_PERIOD_S)
        self._held: dict[int, _Held] = {}
        self._loop = asyncio.get_running_loop()

    @contextmanager
    def held(self, holders: Sequence[Holder], record: Record) -> Iterator[None]:
        """Ask for a module on each holder's bus while inside; no two may hold one bus at a time."""
        for holder in holders:
            self._held[holder.bus_port] = _Held(holder, record, copy_context())
            self._renew(holder.bus_port)
        try:
            with self._rounds.joined(partial(self._renew_all, [holder.bus_port for holder in holders])):
                yield
        finally:
            for holder in holders:
                del self._held[holder.bus_port]

    async def run(self) -> None:
        """Renew the leases every second and hear the offers, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name="offers")
            await self._rounds.run()

    async def _listen(self) -> None:
        async for datagram in self._link.datagrams():
            held = self._held.get(datagram.bus_port)
            if held is not None:
                held.holder, outputs = lease.heard(held.holder, datagram, self._loop.time())
                self._perform(held, outputs)

    def _renew_all(self, ports: Sequence[int]) -> None:
        for port in ports:
            self._renew(port)

    def _renew(self, port: int) -> None:
        held = self._held[port]
        held.holder, outputs = lease.ticked(held.holder, self._loop.time())
        self._perform(held, outputs)

    def _perform(self, held: _Held, outputs: Sequence[Output]) -> None:
        for output in outputs:
            if isinstance(output, Happened):
                held.context.run(_tell, held, output)
            else:
                self._link.send(output)


def _tell(held: _Held, happened: Happened) -> None:
    level, words = wording.of_record(happened.name, happened.detail)
    log.log(level, "connector %d: %s", held.holder.connector, words)
    held.record(happened.name, happened.detail, held.holder.connector)

"""The backplane's shell: leases for each connector's bus out, offers in, what happened to the records."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from chargepoint import lease, wording
from chargepoint.lease import Happened, Holder, Output
from chassis.backplane_link import BackplaneLink
from chassis.process import every
from contracts.backplane import LEASE_PERIOD_S

log = logging.getLogger("chargepoint")


class Leases:
    """Keeps a charger module attached to each bus. `record` takes (name, detail, connector)."""

    def __init__(
        self,
        link: BackplaneLink,
        holders: Sequence[Holder],
        record: Callable[[str, dict[str, Any], int], None],
    ) -> None:
        self._link = link
        self._holders = list(holders)
        self._record = record
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Renew the leases every second and hear the offers, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name="offers")
            await every(LEASE_PERIOD_S, self._renew)

    async def _listen(self) -> None:
        async for datagram in self._link.datagrams():
            for index, holder in enumerate(self._holders):
                self._holders[index], outputs = lease.heard(holder, datagram, self._loop.time())
                self._perform(holder, outputs)

    def _renew(self) -> None:
        for index, holder in enumerate(self._holders):
            self._holders[index], outputs = lease.ticked(holder, self._loop.time())
            self._perform(holder, outputs)

    def _perform(self, holder: Holder, outputs: Sequence[Output]) -> None:
        for output in outputs:
            if isinstance(output, Happened):
                level, words = wording.of_record(output.name, output.detail)
                log.log(level, "connector %d: %s", holder.connector, words)
                self._record(output.name, output.detail, holder.connector)
            else:
                self._link.send(output)

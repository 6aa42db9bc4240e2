"""`python -m charger`: the charger modules of one process."""

import asyncio
import logging
import secrets
import socket
from typing import Any

from charger.metrics import METRICS, Parts
from charger.rack import Rack
from charger.settings import Settings
from chassis import process
from chassis.backplane_link import BackplaneLink
from chassis.health import health_served
from chassis.metrics import Exposition

log = logging.getLogger("charger")


async def main(settings: Settings) -> None:
    """Serve until cancelled."""
    charger_id = settings.charger_id or f"{socket.gethostname()}-{secrets.token_hex(3)}"
    interface = await asyncio.to_thread(settings.interface_address)
    async with (
        BackplaneLink(settings.backplane_port, interface) as backplane,
        asyncio.TaskGroup() as tasks,
    ):
        log.info("%s waits for leases on %s:%d", charger_id, interface, settings.backplane_port)
        rack = Rack(settings, charger_id, interface, backplane, tasks)

        def health() -> dict[str, Any]:
            return {"ok": True, "service": "charger", "buses": rack.buses}

        parts = Parts(rack, backplane, settings.capacity)
        metrics = Exposition("charger", METRICS, parts, {"charger_id": charger_id})
        async with health_served(settings.http, settings.health_port, health, metrics):
            await rack.run()


if __name__ == "__main__":
    process.run("charger", Settings, main)

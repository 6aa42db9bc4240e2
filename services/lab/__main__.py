"""`python -m lab`: the injector, a process that does what attackers and faults beside a charge point do."""

import asyncio
import logging
import secrets
from typing import Any

from chassis import process
from chassis.backplane_link import BackplaneLink
from chassis.health import health_served
from chassis.metrics import Exposition
from chassis.performer import Performer
from lab.metrics import METRICS, Parts
from lab.rogue.backplane import Backplane
from lab.rogue.injector import PLACES, Injector
from lab.settings import Settings

log = logging.getLogger("lab")


async def main(settings: Settings) -> None:
    """Perform what is ordered until cancelled; everything under way is ended then."""
    interface = await asyncio.to_thread(settings.interface_address)
    async with BackplaneLink(settings.backplane_port, interface) as link, asyncio.TaskGroup() as tasks:
        backplane = Backplane(link)
        tasks.create_task(backplane.run(), name="backplane")
        injector = Injector(settings, interface, backplane)
        # A broker ends the older of two sessions of one name, so that each process has its own.
        client_id = f"lab:{secrets.token_hex(4)}"
        performer = Performer(
            settings.mqtt,
            client_id,
            settings.orders_topic,
            PLACES,
            injector.perform,
            charge_points=settings.charge_point_ids,
        )
        parts = Parts(performer, backplane, injector)

        def health() -> dict[str, Any]:
            return {"ok": True, "service": "lab", "broker": performer.connected, "active": performer.active}

        metrics = Exposition("lab", METRICS, parts, {})
        async with performer, health_served(settings.http, settings.health_port, health, metrics):
            log.info("waits for orders; leases on %s:%d", interface, settings.backplane_port)
            await asyncio.Event().wait()


if __name__ == "__main__":
    process.run("lab", Settings, main)

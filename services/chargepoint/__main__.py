"""`python -m chargepoint`: one charge point with its connectors."""

import asyncio
import logging
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from chargepoint import commands
from chargepoint.injector import Injector
from chargepoint.interference import Interference
from chargepoint.metrics import METRICS, Parts
from chargepoint.settings import Settings, find_place
from chargepoint.station import Station
from chargepoint.store import Store
from chassis import process
from chassis.health import health_served
from chassis.metrics import Exposition
from chassis.performer import Performer
from chassis.publisher import Publisher
from contracts.topics import injections_topic

log = logging.getLogger("chargepoint")


async def main(settings: Settings) -> None:
    """Be a charge point until cancelled; a Reset of the CSMS boots it again."""
    place = await asyncio.to_thread(find_place, settings)
    # Replicas may share one volume, so each has a folder of its own; the prefix keeps ".." harmless.
    state = Path(settings.state_directory) / f"charge-point-{quote(place.charge_point_id, safe='')}"
    log.info("%s on %s, buses %s", place.charge_point_id, place.interface, place.buses)
    name = f"chargepoint:{place.charge_point_id}"
    interference = Interference()
    with closing(Store(state / "state.sqlite")) as store:
        async with Publisher.opened(name, state / "outbox.sqlite", settings.mqtt) as publisher:

            def booted() -> Station:
                return Station(settings, place, store, publisher.publish, interference)

            parts = Parts(publisher, booted())
            injector = Injector(interference, lambda: parts.station)
            topic = injections_topic(place.charge_point_id)
            identity = {"charge_point_id": place.charge_point_id}
            metrics = Exposition("chargepoint", METRICS, parts, identity)
            async with (
                Performer(
                    settings.mqtt, f"{name}:injections", topic, frozenset({"charge_point"}), injector.perform
                ),
                health_served(settings.http, settings.health_port, parts.health, metrics),
            ):
                while True:
                    await parts.station.run(commands.handlers(parts.station))
                    parts.station = booted()


if __name__ == "__main__":
    process.run("chargepoint", Settings, main)

"""`python -m chargepoint`: one charge point with its connectors, or as many as CHARGE_POINTS says."""

import asyncio
import logging
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from chargepoint.fleet import Fleet
from chargepoint.house import opened_house
from chargepoint.metrics import METRICS, Parts
from chargepoint.settings import Settings, find_places
from chargepoint.store import Store
from chassis import process
from chassis.health import health_served
from chassis.metrics import Exposition
from chassis.performer import Performer
from chassis.publisher import Publisher
from contracts.topics import ALL_INJECTIONS, injections_topic

log = logging.getLogger("chargepoint")


async def main(settings: Settings) -> None:
    """Be these charge points until cancelled; a Reset of the CSMS boots one again."""
    places = await asyncio.to_thread(find_places, settings)
    first = places[0]
    # Replicas may share one volume, so each has a folder of its own; the prefix keeps ".." harmless.
    state = Path(settings.state_directory) / f"charge-point-{quote(first.charge_point_id, safe='')}"
    log.info("%s on %s, buses %s", first.charge_point_id, first.interface, first.buses)
    if len(places) > 1:
        log.info("and %d more, to %s", len(places) - 1, places[-1].charge_point_id)
    # The process is named after its first charge point: its source of events, its sessions at the broker.
    name = f"chargepoint:{first.charge_point_id}"
    with closing(Store(state / "state.sqlite", gathers=True)) as store:
        async with (
            Publisher.opened(
                name,
                state / "outbox.sqlite",
                settings.mqtt,
                max_bytes=settings.outbox_mb * 1024 * 1024,
                # An event that tells of a meter must not outlive what the meter remembers.
                before_flush=store.commit,
            ) as publisher,
            opened_house(settings, first.interface) as house,
        ):
            fleet = Fleet(settings, places, store, publisher.publish, house)
            parts = Parts(publisher, fleet)
            metrics = Exposition("chargepoint", METRICS, parts, {"charge_point_id": first.charge_point_id})
            # One filter for many: a broker takes a subscription of a thousand topics badly.
            topic = ALL_INJECTIONS if len(places) > 1 else injections_topic(first.charge_point_id)
            async with (
                Performer(
                    settings.mqtt,
                    f"{name}:injections",
                    topic,
                    frozenset({"charge_point"}),
                    fleet.perform,
                    charge_points=fleet.identities if len(places) > 1 else None,
                ),
                health_served(settings.http, settings.health_port, parts.health, metrics),
            ):
                await fleet.run()


if __name__ == "__main__":
    process.run("chargepoint", Settings, main)

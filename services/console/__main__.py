"""`python -m console`: the live page at CONSOLE_PORT."""

import asyncio
import dataclasses
import logging
import secrets
from typing import Any

from chassis import process
from chassis.guard import TOKEN_HEADER
from chassis.http import add_metrics, served
from chassis.metrics import Exposition
from console.api_watch import ApiWatch
from console.apis import Api
from console.can_listener import CanListener
from console.frame_by_hand import FrameByHand
from console.live import Live
from console.metrics import METRICS, Parts
from console.mqtt_listener import MqttListener
from console.past import Past
from console.server import make_app
from console.settings import Settings

log = logging.getLogger("console")


async def main(settings: Settings) -> None:
    """Serve the page until cancelled; every other service may be away."""
    csms_token = settings.apis.csms_api_token or settings.http.token
    # Without a token given, the page still gets one: only pages that we serve may change anything.
    http = dataclasses.replace(settings.http, token=settings.http.token or secrets.token_urlsafe(24))
    interface = await asyncio.to_thread(settings.interface_address)
    live = Live()
    csms = Api("CSMS", settings.apis.csms_api_url, {TOKEN_HEADER: csms_token} if csms_token else None)
    memorybank = Api("MemoryBank", settings.apis.memorybank_api_url)
    can_listener = CanListener(live, settings.backplane_port, interface)
    mqtt_listener = MqttListener(live, settings.mqtt)

    def health() -> dict[str, Any]:
        return {
            "ok": True,
            "service": "console",
            **{name: state.working for name, state in live.services.items()},
            "connectors": len(live.fleet),
            "pages": live.pages,
            "dropped": live.dropped,
            "dropped_lines": live.dropped_entries,
            "malformed": can_listener.malformed + mqtt_listener.malformed,
        }

    async with csms, memorybank:
        watch = ApiWatch(live, csms, memorybank)
        past = Past(live, memorybank)
        app = make_app(
            live,
            csms,
            memorybank,
            watch,
            FrameByHand(csms, can_listener),
            token=http.token or "",
            grafana_url=settings.grafana_url or "",
            health=health,
        )
        add_metrics(app, Exposition("console", METRICS, Parts(live, can_listener, mqtt_listener)))
        async with served(app, http, settings.port):
            log.info("the page is at http://%s:%d/", http.exposed or http.bind, settings.port)
            try:
                async with asyncio.TaskGroup() as tasks:
                    for part in (live, can_listener, mqtt_listener, watch, past):
                        tasks.create_task(part.run())
            finally:
                live.close()


if __name__ == "__main__":
    process.run("console", Settings, main)

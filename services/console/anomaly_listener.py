"""Anomalies as the MemoryBank tells of them on MQTT, the moment they open, change and close."""

import logging
import secrets
import time

from chassis.mqtt import Delivery, MqttLink, MqttSettings
from chassis.process import every
from console.live import Live
from contracts import events, topics
from contracts.errors import MalformedEvent

log = logging.getLogger("console")


class AnomalyListener:
    """Keeps a subscription for as long as it runs; the broker may come and go."""

    def __init__(self, live: Live, mqtt: MqttSettings) -> None:
        self._live = live
        self._mqtt = mqtt
        self.malformed = 0

    async def run(self) -> None:
        """Listen for ever."""
        link = MqttLink(
            self._mqtt,
            client_id=f"console-{secrets.token_hex(4)}",  # several consoles may watch one bench
            subscriptions=((topics.ALL_ANOMALIES, 0),),
            on_message=self._hear,
        )
        async with link:
            await every(0.5, lambda: self._report(connected=link.connected))

    def _hear(self, delivery: Delivery) -> None:
        delivery.ack()
        try:
            anomaly = events.decode_anomaly(delivery.payload)
        except MalformedEvent as error:
            self.malformed += 1
            log.warning("%s: not an anomaly: %s", delivery.topic, error)
            return
        self._live.anomalies.hear(anomaly, time.time())

    def _report(self, *, connected: bool) -> None:
        where = f"{self._mqtt.host}:{self._mqtt.port}"
        text = (
            f"The broker at {where} is connected."
            if connected
            else f"The broker does not answer at {where}. Nothing new is remembered or detected."
        )
        self._live.report("broker", working=connected, text=text)

"""What MQTT tells: anomalies the moment they change, and the events of charge points whose logs are open."""

import itertools
import logging
import secrets
import time

import msgspec

from chassis.mqtt import Delivery, MqttLink, MqttSettings
from chassis.process import every
from console import event_lines
from console.live import Live
from contracts import events, topics
from contracts.errors import MalformedEvent
from contracts.events import AnyEvent, StatusChanged

log = logging.getLogger("console")

_LOOK_S = 0.2


class MqttListener:
    """Keeps its subscriptions for as long as it runs; the broker may come and go."""

    def __init__(self, live: Live, mqtt: MqttSettings) -> None:
        self._live = live
        self._mqtt = mqtt
        self._partitions: set[str] = set()
        self._numbers = itertools.count(1)
        self.malformed = 0
        self.events = 0
        """Events of charge points whose logs are open."""

    async def run(self) -> None:
        """Listen for ever."""
        self._link = MqttLink(
            self._mqtt,
            client_id=f"console-{secrets.token_hex(4)}",  # several consoles may watch one bench
            subscriptions=((topics.ALL_ANOMALIES, 0),),
            on_message=self._hear,
        )
        async with self._link:
            await every(_LOOK_S, self._look)

    def _look(self) -> None:
        """Subscribe to what somebody watches, and to nothing else; tell how the broker fares."""
        wanted = {
            topics.partition_filter("events", topics.partition_of(charge_point_id))
            for charge_point_id in self._live.logged
        }
        for partition in wanted - self._partitions:
            self._link.subscribe(partition, 0)
        for partition in self._partitions - wanted:
            self._link.unsubscribe(partition)
        self._partitions = wanted
        self._report(connected=self._link.connected)

    def _hear(self, delivery: Delivery) -> None:
        delivery.ack()
        try:
            if delivery.topic.startswith(f"{topics.ROOT}/events/"):
                self._hear_batch(delivery.payload)
            else:
                self._live.anomalies.hear(events.decode_anomaly(delivery.payload), time.time())
        except MalformedEvent as error:
            self.malformed += 1
            log.warning("%s: not understood: %s", delivery.topic, error)

    def _hear_batch(self, payload: bytes) -> None:
        # A partition carries many charge points; whose events nobody looks at need not be decoded.
        if not any(msgspec.json.encode(name) in payload for name in self._live.logged):
            return
        for event in events.decode_batch(payload).events:
            self._hear_event(event)

    def _hear_event(self, event: AnyEvent) -> None:
        keys = [key for key in self._live.logs if event_lines.concerns(event, key)]
        if not keys:
            return
        self.events += 1
        if isinstance(event, StatusChanged):
            self._live.fleet.hear_status(event, time.time())
        if isinstance(event, events.CanFrameSeen):  # the bus itself tells sooner, and of all frames
            return
        entry = event_lines.of_event(f"mqtt-{next(self._numbers)}", event)
        if entry is not None:
            for key in keys:
                self._live.add_to_log(key, entry)

    def _report(self, *, connected: bool) -> None:
        where = f"{self._mqtt.host}:{self._mqtt.port}"
        text = (
            f"The broker at {where} is connected."
            if connected
            else f"The broker does not answer at {where}. Nothing new is remembered or detected."
        )
        self._live.report("broker", working=connected, text=text)

"""What the MemoryBank hears and says on MQTT: batches in, words of what is committed and anomalies out."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Self

from chassis.mqtt import Delivery, MqttLink, MqttSettings
from contracts import events, topics
from contracts.events import Anomaly, Committed
from memorybank.share import Share

log = logging.getLogger("memorybank")

_committed_topic = lru_cache(4096)(topics.committed_topic)


@dataclass(frozen=True, slots=True)
class _Left:
    """In place of a message that was too much: its acknowledgement, when its turn comes."""

    ack: Callable[[], None]


class Consumer:
    """Deliveries wait here, unacknowledged and bounded, until they are taken. Use as a context manager."""

    def __init__(
        self, mqtt: MqttSettings, share: Share, max_bytes: int, on_connected: Callable[[], None]
    ) -> None:
        self._max_bytes = max_bytes
        self._on_connected = on_connected
        self._waiting: deque[Delivery | _Left] = deque()
        self._arrived = asyncio.Event()
        self.waiting_bytes = 0
        """How much waits to be taken."""
        self.dropped = 0
        """Messages left to their source to send again because too many waited."""
        self._link = MqttLink(
            mqtt,
            share.client_id,
            subscriptions=share.subscriptions,
            on_message=self._take_in,
            on_connected=self._connected,
            persistent=True,
        )
        self.connected_s: float | None = None
        """Since when (of the loop's clock) the broker is reached."""

    async def __aenter__(self) -> Self:
        await self._link.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._link.__aexit__(kind, error, trace)

    @property
    def connected(self) -> bool:
        """Whether the broker is reached."""
        return self._link.connected

    @property
    def waiting_messages(self) -> int:
        """How many messages wait to be taken."""
        return sum(isinstance(each, Delivery) for each in self._waiting)

    async def take(self, count: int, max_bytes: int, wait_s: float) -> list[Delivery]:
        """Return what waits, in order, up to a number and a size (one at least); none after `wait_s`."""
        try:
            async with asyncio.timeout(wait_s):
                await self._arrived.wait()
        except TimeoutError:
            return []
        while self._waiting and isinstance(self._waiting[0], _Left):
            self._waiting.popleft().ack()
        taken: list[Delivery] = []
        size = 0
        while self._waiting and len(taken) < count and size < max_bytes:
            delivery = self._waiting[0]
            if isinstance(delivery, _Left):
                break
            self._waiting.popleft()
            taken.append(delivery)
            size += len(delivery.payload)
        self.waiting_bytes -= size
        if not self._waiting:
            self._arrived.clear()
        return taken

    def tell_committed(self, source: str, word: Committed) -> None:
        """Tell a source up to where it is committed; retained, so that it hears it when it comes back.

        No broker need acknowledge it: after each connection all words are told, and the next says this one's.
        """
        self._link.publish(_committed_topic(source), events.encode(word), qos=0, retain=True)

    def tell_anomaly(self, anomaly: Anomaly) -> None:
        """Tell whoever listens of an anomaly's change; the table has it for those who do not."""
        self._link.publish(topics.anomaly_topic(anomaly.charge_point_id), events.encode(anomaly), qos=0)

    def _connected(self) -> None:
        self.connected_s = asyncio.get_running_loop().time()
        self._on_connected()

    def _take_in(self, delivery: Delivery) -> None:
        if self.waiting_bytes + len(delivery.payload) > self._max_bytes:
            # The source keeps it and sends it again. Acknowledged out of turn it would end the connection:
            # rumqttd demands the order in which it sent, and would then send everything again, for ever.
            self.dropped += 1
            self._waiting.append(_Left(delivery.ack))
        else:
            self._waiting.append(delivery)
            self.waiting_bytes += len(delivery.payload)
        self._arrived.set()

"""Sending prepared batches to a MemoryBank as fast as it commits them, and telling when all are committed."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from bench.life import Message
from chassis.mqtt import Delivery, MqttLink, MqttSettings
from contracts import events, topics
from real_parts import Broker

_IN_FLIGHT_BYTES = 16 * 2**20
"""Enough that the MemoryBank always has work, and a quarter of what it queues before it leaves the rest."""
_IN_FLIGHT_MESSAGES = 4000
_STUCK_AFTER_S = 60.0


class _Feeder:
    """Sends in order; what is sent and not committed is bounded, as a publisher's window is."""

    def __init__(self, broker: Broker, on_committed: Callable[[int], None]) -> None:
        self.ready = asyncio.Event()
        settings = MqttSettings(host=broker.host, port=broker.port, user="csms", password=broker.password)
        self.link = MqttLink(
            settings,
            "bench-feeder",
            subscriptions=((f"{topics.ROOT}/committed/#", 0),),
            on_message=self._heard,
            on_connected=self.ready.set,
        )
        self._moved = asyncio.Event()
        self._on_committed = on_committed
        self._waiting: dict[str, deque[Message]] = {}
        self._messages = 0
        self._bytes = 0
        self.committed_events = 0

    async def send(self, messages: Sequence[Message]) -> None:
        """Return when all are committed."""
        for message in messages:
            while self._bytes > _IN_FLIGHT_BYTES or self._messages >= _IN_FLIGHT_MESSAGES:
                await self._progress()
            self._waiting.setdefault(message.source.id, deque()).append(message)
            self._bytes += len(message.payload)
            self._messages += 1
            while not self.link.publish(message.topic, message.payload):  # noqa: ASYNC110
                await asyncio.sleep(0.005)  # the connection's own queue is full
        while self._messages:
            await self._progress()

    async def _progress(self) -> None:
        self._moved.clear()
        async with asyncio.timeout(_STUCK_AFTER_S):
            await self._moved.wait()

    def _heard(self, delivery: Delivery) -> None:
        delivery.ack()
        waiting = self._waiting.get(topics.source_id_from_committed(delivery.topic))
        seq = events.decode_committed(delivery.payload).seq
        while waiting and waiting[0].last_seq <= seq:
            message = waiting.popleft()
            self._bytes -= len(message.payload)
            self._messages -= 1
            self.committed_events += message.events
        self._on_committed(self.committed_events)
        self._moved.set()


async def feed(
    broker: Broker, messages: Sequence[Message], on_committed: Callable[[int], None] = lambda _: None
) -> float:
    """Return the seconds from the first batch sent to the last one committed. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    feeder = _Feeder(broker, on_committed)
    async with feeder.link:
        await asyncio.wait_for(feeder.ready.wait(), 10)
        begun_s = loop.time()
        await feeder.send(messages)
        return loop.time() - begun_s

"""Publishing events so that none is lost: numbered into the outbox, sent, sent again until committed.

A broker's acknowledgement is not enough (Mosquitto, killed, forgets what it acknowledged), so events leave
the outbox only on the MemoryBank's word on the source's committed topic. Sending is go-back-N: in order, a
bounded window ahead of what is committed, and from the first uncommitted batch again when no word comes.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from chassis.mqtt import Delivery, MqttLink, MqttSettings
from chassis.outbox import Outbox
from contracts import events, topics
from contracts.errors import MalformedEvent, MalformedTopic
from contracts.events import AnyEvent, ScenarioLabel, SystemEvent
from contracts.topics import Channel, Source

log = logging.getLogger("publisher")

FLUSH_PERIOD_S = 0.1
RESEND_AFTER_S = 3.0
WINDOW_BATCHES = 64
MAX_BATCH_EVENTS = 500
MAX_PENDING_EVENTS = 50_000


@dataclass(slots=True)
class _Stream:
    """One source's sending state: pending events have no number yet; `sent_seq` is the end of the window."""

    source: Source
    pending: deque[AnyEvent] = field(default_factory=deque)
    sent_seq: int = 0
    in_flight: deque[int] = field(default_factory=deque)
    progress_s: float = 0.0


class Publisher:
    """Use `opened(…)`. `publish` is called from the loop and never blocks or raises."""

    def __init__(self, name: str, outbox: Outbox) -> None:
        self._name = name
        self._outbox = outbox
        self._streams: dict[Source, _Stream] = {}
        self._by_id: dict[str, _Stream] = {}
        self._link: MqttLink | None = None
        self._overflowed = 0
        self._reported_drops = 0

    @property
    def dropped(self) -> int:
        """Events that never got a number: the outbox or the memory before it was full."""
        return self._outbox.dropped + self._overflowed

    @property
    def connected(self) -> bool:
        """Whether the broker is reached."""
        return self._link is not None and self._link.connected

    def publish(self, event: AnyEvent) -> None:
        """Take an event; it is numbered and on disk within FLUSH_PERIOD_S."""
        channel: Channel = "truth" if isinstance(event, ScenarioLabel) else "events"
        partition = topics.partition_of(event.charge_point_id or self._name)
        stream = self._stream(Source(self._name, channel, partition))
        if len(stream.pending) >= MAX_PENDING_EVENTS:
            self._overflowed += 1
            return
        stream.pending.append(event)

    def flush(self) -> None:
        """Number everything taken so far into the outbox and send what the window allows."""
        now_s = asyncio.get_running_loop().time()
        self._report_drops()
        for stream in list(self._streams.values()):
            while stream.pending:
                size = min(len(stream.pending), MAX_BATCH_EVENTS)
                self._outbox.append(stream.source.id, [stream.pending.popleft() for _ in range(size)])
            self._send(stream, now_s)

    def _stream(self, source: Source) -> _Stream:
        stream = self._streams.get(source)
        if stream is None:
            stream = self._streams[source] = self._by_id[source.id] = _Stream(source)
        return stream

    def _send(self, stream: _Stream, now_s: float) -> None:
        if stream.in_flight and now_s - stream.progress_s > RESEND_AFTER_S:
            log.info("%s: nothing committed for %g s, sending again", stream.source.id, RESEND_AFTER_S)
            self._rewind(stream)
        if self._link is None or not self._link.connected:
            return
        room = WINDOW_BATCHES - len(stream.in_flight)
        if room <= 0:
            return
        if not stream.in_flight:
            stream.progress_s = now_s
        topic = topics.events_topic(stream.source)
        for kept in self._outbox.uncommitted(stream.source.id, stream.sent_seq, room):
            if not self._link.publish(topic, kept.payload):
                return
            stream.sent_seq = kept.last_seq
            stream.in_flight.append(kept.last_seq)

    @staticmethod
    def _rewind(stream: _Stream) -> None:
        stream.in_flight.clear()
        stream.sent_seq = 0

    def _on_connected(self) -> None:
        for stream in self._streams.values():
            self._rewind(stream)

    def _on_message(self, delivery: Delivery) -> None:
        delivery.ack()
        try:
            source_id = topics.source_id_from_committed(delivery.topic)
            word = events.decode_committed(delivery.payload)
        except (MalformedTopic, MalformedEvent) as error:
            log.warning("not a committed message: %s", error)
            return
        stream = self._by_id.get(source_id)
        if stream is None or not self._outbox.committed(source_id, word.boot, word.seq):
            return
        now_s = asyncio.get_running_loop().time()
        while stream.in_flight and stream.in_flight[0] <= word.seq:
            stream.in_flight.popleft()
            stream.progress_s = now_s
        stream.sent_seq = max(stream.sent_seq, word.seq)

    def _report_drops(self) -> None:
        lost = self.dropped - self._reported_drops
        if lost and self._outbox.kept_bytes < self._outbox.max_bytes:
            self._reported_drops += lost
            service = self._name.partition(":")[0]
            self.publish(
                SystemEvent(
                    at=datetime.now(UTC), service=service, name="events_dropped", detail={"count": lost}
                )
            )

    @classmethod
    @asynccontextmanager
    async def opened(cls, name: str, path: Path, mqtt: MqttSettings) -> AsyncIterator["Publisher"]:
        """Open the outbox at `path`, connect, and publish as `name` (e.g. `chargepoint:CP-1`) until left."""
        outbox = Outbox(path)
        publisher = cls(name, outbox)
        for source_id in outbox.sources():  # what an earlier process left uncommitted
            publisher._stream(Source.from_id(source_id))
        link = MqttLink(
            mqtt,
            client_id=f"publisher-{name}",
            subscriptions=((topics.committed_topics(name), 1),),
            on_message=publisher._on_message,
            on_connected=publisher._on_connected,
        )
        publisher._link = link
        try:
            async with link:
                flusher = asyncio.create_task(publisher._keep_flushing(), name="outbox")
                try:
                    yield publisher
                finally:
                    flusher.cancel()
                    with suppress(asyncio.CancelledError):
                        await flusher
                    publisher.flush()
        finally:
            outbox.close()

    async def _keep_flushing(self) -> None:
        while True:
            self.flush()
            await asyncio.sleep(FLUSH_PERIOD_S)

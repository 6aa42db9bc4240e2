"""Publishing events so that none is lost: numbered into the outbox, sent, sent again until committed.

A broker's acknowledgement is not enough (Mosquitto, killed, forgets what it acknowledged), so events leave
the outbox only on the MemoryBank's word on the source's committed topic. Sending is go-back-N: in order, a
bounded window ahead of what is committed, and from the first uncommitted batch again when no word comes.
"""

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from chassis.mqtt import Delivery, MqttLink, MqttSettings
from chassis.outbox import MAX_BYTES, Outbox, OutboxUnavailable
from chassis.window import Window
from contracts import events, topics
from contracts.errors import MalformedEvent, MalformedTopic
from contracts.events import AnyEvent, ScenarioLabel, SystemEvent
from contracts.topics import Channel, Source

log = logging.getLogger("publisher")

FLUSH_PERIOD_S = 0.1
LONGEST_PERIOD_S = 0.25
"""Of a large fleet: what a message and a transaction cost by themselves is shared by more events."""
_LONGER_EVENTS = 1000
"""So many events of a period make the next one longer by FLUSH_PERIOD_S."""
LISTEN_S = 1.0
"""How long a known source waits after connecting for the retained word before it sends."""
MAX_BATCH_EVENTS = 500
MAX_BATCH_BYTES = 262_144
"""A batch of more than one event stays below; the broker must take messages of that size."""
MAX_PENDING_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class _Stream:
    """One source: events that have no number yet, and how far it sent those that have one."""

    source: Source
    pending: deque[bytes] = field(default_factory=deque)
    window: Window = field(default_factory=Window)


class Publisher:
    """Use `opened(…)`. `publish` is called from the loop and never blocks or raises."""

    def __init__(self, name: str, outbox: Outbox, before_flush: Callable[[], None] = lambda: None) -> None:
        self._before_flush = before_flush
        self._name = name
        self._outbox = outbox
        self._streams: dict[Source, _Stream] = {}
        self._by_id: dict[str, _Stream] = {}
        self._own: dict[tuple[Channel, int], _Stream] = {}
        self._words: dict[str, tuple[uuid.UUID, int]] = {}
        self._link: MqttLink | None = None
        self.published = 0
        """Events taken so far, those dropped later included."""
        self.resends = 0
        """How often a source went back to its first uncommitted batch, because no word came."""
        self._refused = 0
        self._reported_drops = 0
        self._pending_bytes = 0
        self._outbox_works = True

    @property
    def dropped(self) -> int:
        """Events that never got a number: outbox or memory was full, or nobody could have read them."""
        return self._outbox.dropped + self._refused

    @property
    def connected(self) -> bool:
        """Whether the broker is reached."""
        return self._link is not None and self._link.connected

    @property
    def kept_bytes(self) -> int:
        """Bytes of events that are not committed yet, on disk and in memory."""
        return self._outbox.kept_bytes + self._pending_bytes

    @property
    def uncommitted(self) -> int | None:
        """Events that are not committed yet; None while the outbox cannot be read."""
        try:
            numbered = self._outbox.uncommitted_events()
        except OutboxUnavailable:
            return None
        return numbered + sum(len(stream.pending) for stream in self._streams.values())

    def publish(self, event: AnyEvent) -> None:
        """Take an event; it is numbered and on disk within LONGEST_PERIOD_S."""
        self.published += 1
        try:
            encoded = events.encode_event(event)
        except MalformedEvent as error:
            # Numbered, it would be refused for ever and hold up all that follow.
            log.error("an event of ours is dropped: %s", error)  # noqa: TRY400
            self._refused += 1
            return
        if self._pending_bytes >= MAX_PENDING_BYTES:
            self._refused += 1
            return
        channel: Channel = "truth" if isinstance(event, ScenarioLabel) else "events"
        partition = topics.partition_of(event.charge_point_id or self._name)
        stream = self._own.get((channel, partition))
        if stream is None:
            stream = self._own[channel, partition] = self._stream(Source(self._name, channel, partition))
        stream.pending.append(encoded)
        self._pending_bytes += len(encoded)

    def flush(self) -> None:
        """Number everything taken so far into the outbox and send what the window allows.

        While the outbox cannot be written, events wait in memory, up to MAX_PENDING_BYTES.
        """
        self._before_flush()
        now_s = asyncio.get_running_loop().time()
        try:
            self._report_drops()
            self._take_words(now_s)
            self._number()
            for stream in list(self._streams.values()):
                self._send(stream, now_s)
        except OutboxUnavailable as error:
            if self._outbox_works:
                log.error("events wait in memory: %s", error)  # noqa: TRY400 - the reason says it all
            self._outbox_works = False
        else:
            if not self._outbox_works:
                log.info("the outbox works again")
            self._outbox_works = True

    def _stream(self, source: Source) -> _Stream:
        stream = self._streams.get(source)
        if stream is None:
            stream = self._streams[source] = self._by_id[source.id] = _Stream(source)
        return stream

    def _number(self) -> None:
        # A batch of each stream in one transaction: the file is written once, not sixteen times.
        streams = list(self._streams.values())
        while batches := [(each, _next_batch(each.pending)) for each in streams if each.pending]:
            self._outbox.append_all((stream.source.id, batch) for stream, batch in batches)
            for stream, batch in batches:
                for encoded in batch:
                    stream.pending.popleft()
                    self._pending_bytes -= len(encoded)

    def _take_words(self, now_s: float) -> None:
        words, self._words = self._words, {}
        if not words:
            return
        try:
            known = self._outbox.committed_all(words)
        except OutboxUnavailable as error:
            log.warning("not forgotten yet: %s", error)
            return
        for source_id in known:
            self._by_id[source_id].window.heard(words[source_id][1], now_s)

    def _send(self, stream: _Stream, now_s: float) -> None:
        if self._link is None or not self._link.connected:
            return
        source, window = stream.source, stream.window
        if window.is_overdue(now_s):
            # Once in an outage: later tries are ever rarer and say nothing new.
            level = logging.INFO if window.is_first_try else logging.DEBUG
            log.log(level, "%s: no word for %g s, sending again", source.id, window.resend_after_s)
            window.send_again()
            self.resends += 1
        room = window.room(now_s)
        if room == 0:
            return
        topic = topics.events_topic(source)
        for kept in self._outbox.uncommitted(source.id, window.sent_seq, room):
            if not self._link.publish(topic, kept.payload):
                return
            window.sent(kept.last_seq, now_s)

    def _on_connected(self) -> None:
        # The broker forgot what was on its way, and tells again at once what is committed.
        begin_s = asyncio.get_running_loop().time() + LISTEN_S
        for stream in self._streams.values():
            stream.window.begin(begin_s)

    def _on_message(self, delivery: Delivery) -> None:
        delivery.ack()
        try:
            source_id = topics.source_id_from_committed(delivery.topic)
            word = events.decode_committed(delivery.payload)
        except (MalformedTopic, MalformedEvent) as error:
            log.warning("not a committed message: %s", error)
            return
        if source_id in self._by_id:  # a later word says the earlier's, too; they are taken together
            self._words[source_id] = word.boot, word.seq

    def _report_drops(self) -> None:
        lost = self.dropped - self._reported_drops
        has_room = (
            self._outbox_works
            and self._pending_bytes < MAX_PENDING_BYTES
            and self._outbox.kept_bytes < self._outbox.max_bytes
        )
        if lost and has_room:
            self._reported_drops += lost
            service = self._name.partition(":")[0]
            self.publish(
                SystemEvent(
                    at=datetime.now(UTC), service=service, name="events_dropped", detail={"count": lost}
                )
            )

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        name: str,
        path: Path,
        mqtt: MqttSettings,
        *,
        max_bytes: int = MAX_BYTES,
        before_flush: Callable[[], None] = lambda: None,
    ) -> AsyncIterator["Publisher"]:
        """Open the outbox at `path`, connect, and publish as `name` (e.g. `chargepoint:CP-1`) until left.

        `before_flush` comes every period, before events are numbered: to keep what they tell of.
        """
        outbox = Outbox(path, max_bytes=max_bytes)
        publisher = cls(name, outbox, before_flush)
        names = {name}
        for source_id in outbox.sources():  # what an earlier process left, perhaps under another name
            names.add(publisher._stream(Source.from_id(source_id)).source.name)
        link = MqttLink(
            mqtt,
            client_id=f"publisher-{name}",
            # Not acknowledged: a word that is lost is in the next one, or is asked for by sending again.
            subscriptions=tuple((topics.committed_topics(each), 0) for each in sorted(names)),
            on_message=publisher._on_message,
            on_connected=publisher._on_connected,
        )
        publisher._link = link
        try:
            async with link:
                flusher = asyncio.create_task(publisher._keep_flushing(), name="outbox")
                flusher.add_done_callback(partial(_end_on_failure, asyncio.current_task()))
                try:
                    yield publisher
                finally:
                    flusher.cancel()
                    with suppress(asyncio.CancelledError):
                        await flusher
                    publisher.flush()
                    if publisher._pending_bytes:
                        log.error("%d bytes of events are lost", publisher._pending_bytes)
        finally:
            outbox.close()

    async def _keep_flushing(self) -> None:
        before = 0
        while True:
            self.flush()
            taken, before = self.published - before, self.published
            await asyncio.sleep(period_s(taken))


def period_s(taken: int) -> float:
    """Return how long to wait for the next flush, when so many events came since the last one."""
    return min(LONGEST_PERIOD_S, FLUSH_PERIOD_S * (1 + taken / _LONGER_EVENTS))


def _next_batch(pending: Iterable[bytes]) -> list[bytes]:
    batch: list[bytes] = []
    size_bytes = 0
    for encoded in pending:
        size_bytes += len(encoded)
        if batch and (len(batch) == MAX_BATCH_EVENTS or size_bytes > MAX_BATCH_BYTES):
            break
        batch.append(encoded)
    return batch


def _end_on_failure(owner: "asyncio.Task[Any] | None", flusher: "asyncio.Task[None]") -> None:
    # A bug of ours: the owner must not go on without its events being kept. Leaving `opened` raises it.
    if owner is not None and not flusher.cancelled() and flusher.exception() is not None:
        owner.cancel()

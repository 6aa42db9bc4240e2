"""Publishing: what is sent when, step by step, on a real outbox and a wire that only writes down.

The same over a real broker: tests/integration/test_chassis_publisher.py.
"""

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from chassis import publisher as module
from chassis import window
from chassis.mqtt import Delivery, MqttLink
from chassis.outbox import Outbox
from chassis.publisher import Publisher
from contracts import events, topics
from contracts.events import AnyEvent, Batch, Committed, ScenarioLabel, StatusChanged, SystemEvent
from contracts.topics import Source

NAME = "csms:csms-1"
AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SOURCE = Source(NAME, "events", topics.partition_of("CP-1"))


def event(name: str, charge_point_id: str = "CP-1") -> SystemEvent:
    return SystemEvent(at=AT, charge_point_id=charge_point_id, service="csms", name=name)


class Wire:
    """Stands where the MqttLink stands: takes what it is given, as long as it has room."""

    def __init__(self) -> None:
        self.connected = True
        self.room = 10_000
        self.sent: list[tuple[str, Batch]] = []

    def publish(self, topic: str, payload: bytes) -> bool:
        if self.room <= 0:
            return False
        self.room -= 1
        self.sent.append((topic, events.decode_batch(payload)))
        return True

    def taken(self) -> list[int]:
        """Return the first numbers of the batches sent since the last call."""
        numbers = [batch.first_seq for _, batch in self.sent]
        self.sent.clear()
        return numbers


class Bench:
    """A publisher whose time is an argument."""

    def __init__(self, path: Path) -> None:
        self.outbox = Outbox(path)
        self.publisher = Publisher(NAME, self.outbox)
        self.wire = Wire()
        self.publisher._link = cast("MqttLink", self.wire)

    def number(self, *names: str) -> None:
        """Put each event into the outbox as a batch of its own, unsent."""
        connected, self.wire.connected = self.wire.connected, False
        for name in names:
            self.publisher.publish(event(name))
            self.publisher.flush()
        self.wire.connected = connected

    def send(self, now_s: float) -> list[int]:
        self.publisher._send(self.publisher._streams[SOURCE], now_s)
        return self.wire.taken()

    def word(self, seq: int) -> None:
        boot = events.decode_batch(self.outbox.uncommitted(SOURCE.id)[0].payload).boot
        self.hear(topics.committed_topic(SOURCE.id), events.encode(Committed(boot=boot, seq=seq)))

    def hear(self, topic: str, payload: bytes) -> None:
        self.publisher._on_message(Delivery(topic, payload, lambda: None))
        self.publisher._take_words(asyncio.get_running_loop().time())  # as the next flush does


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "outbox.sqlite")
    yield bench
    bench.outbox.close()


async def test_events_taken_together_go_as_one_batch(bench: Bench) -> None:
    for name in ("a", "b", "c"):
        bench.publisher.publish(event(name))
    bench.publisher.flush()
    [(topic, batch)] = bench.wire.sent
    assert topic == topics.events_topic(SOURCE)
    assert (batch.source, batch.first_seq, batch.committed) == (SOURCE.id, 1, 0)
    assert batch.events == [event("a"), event("b"), event("c")]


async def test_each_charge_point_has_its_partition_and_truth_a_channel_of_its_own(bench: Bench) -> None:
    label = ScenarioLabel(
        at=AT, run_id="r", scenario="s", anomaly=None, phase="started", charge_point_ids=["CP-1"]
    )
    some: list[AnyEvent] = [
        event("a", "CP-1"),
        event("b", "CP-2"),
        label,
        SystemEvent(at=AT, service="csms", name="service_started"),
    ]
    for each in some:
        bench.publisher.publish(each)
    bench.publisher.flush()
    sources = [topics.source_from_topic(topic) for topic, _ in bench.wire.sent]
    assert [(source.channel, source.partition) for source in sources] == [
        ("events", topics.partition_of("CP-1")),
        ("events", topics.partition_of("CP-2")),
        ("truth", topics.partition_of(NAME)),
        ("events", topics.partition_of(NAME)),
    ]


async def test_event_that_nobody_could_read_is_dropped_alone(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.publisher.publish(event("a"))
    bench.publisher.publish(StatusChanged(at=AT, charge_point_id="CP-1", connector=300, status="Available"))
    bench.publisher.publish(event("b", "CP-\ud800"))
    bench.publisher.publish(event("c"))
    bench.publisher.flush()
    assert bench.publisher.dropped == 2
    assert "connector" in caplog.text
    taken = [each for _, batch in bench.wire.sent for each in batch.events]
    assert [each.name for each in taken if isinstance(each, SystemEvent)][:2] == ["a", "c"]


async def test_window_opens_with_every_word(bench: Bench) -> None:
    """The first word may be that somebody is there; then as fast as they come."""
    bench.number(*"abcdefghij")
    assert bench.send(0.0) == [1]
    assert bench.send(0.1) == []
    bench.word(1)
    assert bench.send(0.2) == [2, 3]
    bench.word(3)
    assert bench.send(0.3) == [4, 5, 6, 7]
    bench.word(5)
    assert bench.send(0.4) == [8, 9, 10]


async def test_window_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "WINDOW_BATCHES", 3)
    bench.number(*"abcdefghijkl")
    taken = []
    for step in range(5):
        taken.append(bench.send(step / 10))
        bench.word(taken[-1][-1])
    assert taken == [[1], [2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]]


async def test_without_a_word_one_batch_is_sent_again_ever_more_rarely(bench: Bench) -> None:
    """A MemoryBank that is away for an hour must not find the broker full of repetitions."""
    bench.number(*"abcd")
    bench.send(0.0)
    bench.word(1)
    bench.send(0.0)
    sent = {tenths / 10: bench.send(tenths / 10) for tenths in range(1, 500)}
    assert {at_s: taken for at_s, taken in sent.items() if taken} == {
        3.1: [2],
        9.2: [2],
        21.3: [2],
        33.4: [2],
        45.5: [2],
    }


async def test_any_word_is_a_sign_of_life(bench: Bench) -> None:
    """Also one that says nothing new, as after the MemoryBank's restart."""
    bench.number(*"abc")
    for tenths in range(300):
        bench.send(tenths / 10)
    bench.word(0)
    assert bench.send(30.0) == [1]
    bench.word(1)
    assert bench.send(30.1) == [2, 3]


async def test_words_that_say_nothing_new_cause_no_storm(bench: Bench) -> None:
    """The MemoryBank may answer each repetition with the same word."""
    bench.number(*"abc")
    taken = []
    for tenths in range(100):
        sent = bench.send(tenths / 10)
        taken += sent
        if sent:
            bench.word(0)
    assert taken == [1, 1, 1, 1]


async def test_without_a_broker_everything_is_kept(bench: Bench) -> None:
    bench.wire.connected = False
    for name in "ab":
        bench.publisher.publish(event(name))
        bench.publisher.flush()
    assert bench.send(100.0) == []
    assert bench.outbox.last_seq(SOURCE.id) == 2


async def test_connection_without_room_is_tried_again_in_order(bench: Bench) -> None:
    bench.number(*"abcd")
    bench.send(0.0)
    bench.word(1)
    bench.wire.room = 1
    assert bench.send(0.1) == [2]
    assert bench.send(0.2) == []
    bench.wire.room = 10
    assert bench.send(0.3) == [3]


async def test_after_connecting_the_retained_word_is_listened_for(bench: Bench) -> None:
    """So that what was committed meanwhile is not sent again, nor a number used twice after a power cut."""
    bench.number(*"abc")
    bench.publisher._on_connected()
    now_s = asyncio.get_running_loop().time()
    assert bench.send(now_s) == []
    bench.word(2)
    assert bench.send(now_s) == [3]


async def test_without_a_retained_word_it_is_sent_all_the_same(bench: Bench) -> None:
    bench.number(*"abc")
    bench.publisher._on_connected()
    now_s = asyncio.get_running_loop().time()
    assert bench.send(now_s + module.LISTEN_S + 0.1) == [1]


async def test_new_connection_begins_after_what_is_committed(bench: Bench) -> None:
    bench.number(*"abcdef")
    bench.send(0.0)
    bench.word(1)
    assert bench.send(0.1) == [2, 3]
    bench.publisher._on_connected()
    bench.word(2)
    assert bench.send(0.2) == [3]


async def test_batches_are_bounded_by_number_and_size(bench: Bench) -> None:
    long = "x" * 255
    for number in range(2 * module.MAX_BATCH_EVENTS + 1):
        bench.publisher.publish(event(f"e{number}"))
    bench.wire.connected = False
    bench.publisher.flush()
    assert [batch.last_seq for batch in bench.outbox.uncommitted(SOURCE.id)] == [500, 1000, 1001]
    for _ in range(500):
        bench.publisher.publish(SystemEvent(at=AT, charge_point_id="CP-1", service=long, name=long))
    bench.publisher.flush()
    huge = SystemEvent(at=AT, charge_point_id="CP-1", service="csms", name="x", detail={"a": "x" * 100_000})
    for _ in range(5):
        bench.publisher.publish(huge)
    bench.publisher.flush()
    sizes = [len(batch.payload) for batch in bench.outbox.uncommitted(SOURCE.id)]
    assert all(size < module.MAX_BATCH_BYTES + 1000 for size in sizes)
    assert bench.outbox.last_seq(SOURCE.id) == 1506


async def test_while_the_disk_is_full_events_wait_in_memory_in_order(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench.number("a")
    (pages,) = bench.outbox._db.execute("PRAGMA page_count").fetchone()
    bench.outbox._db.execute(f"PRAGMA max_page_count = {pages}")
    bench.wire.connected = False
    for number in range(50):
        bench.publisher.publish(event(f"{number:02d}" + "x" * 200))
    for _ in range(3):
        bench.publisher.flush()
    assert bench.outbox.last_seq(SOURCE.id) == 1
    assert caplog.text.count("events wait in memory") == 1
    bench.outbox._db.execute("PRAGMA max_page_count = 1000000")
    bench.publisher.flush()
    assert "the outbox works again" in caplog.text
    batches = [events.decode_batch(each.payload) for each in bench.outbox.uncommitted(SOURCE.id)]
    names = [each.name for batch in batches for each in batch.events if isinstance(each, SystemEvent)]
    assert [name[:2] for name in names] == ["a", *(f"{number:02d}" for number in range(50))]
    assert bench.publisher.dropped == 0


async def test_waiting_events_are_bounded_and_the_rest_counted_and_reported(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PENDING_BYTES", 1000)
    bench.wire.connected = False
    for number in range(100):
        bench.publisher.publish(event(f"e{number}"))
    dropped = bench.publisher.dropped
    assert 0 < dropped < 100
    bench.publisher.flush()
    bench.publisher.flush()
    own = Source(NAME, "events", topics.partition_of(NAME))
    [kept] = bench.outbox.uncommitted(own.id)
    [report] = events.decode_batch(kept.payload).events
    assert isinstance(report, SystemEvent)
    assert (report.service, report.name, report.detail) == ("csms", "events_dropped", {"count": dropped})


async def test_full_outbox_drops_and_reports_when_there_is_room(bench: Bench) -> None:
    bench.outbox.max_bytes = 1
    bench.number("a", "b", "c")
    assert bench.publisher.dropped == 2
    bench.send(0.0)
    bench.word(1)
    bench.outbox.max_bytes = 10_000
    bench.publisher.flush()
    reports = [
        each
        for _, batch in bench.wire.sent
        for each in batch.events
        if isinstance(each, SystemEvent) and each.name == "events_dropped"
    ]
    assert [report.detail for report in reports] == [{"count": 2}]


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (topics.committed_topic(SOURCE.id), b"nonsense"),
        (topics.committed_topic(SOURCE.id), b'{"boot":"00000000-0000-0000-0000-000000000000","seq":1}'),
        (topics.committed_topic("csms:csms-2/events/07"), b'{"boot":"x","seq":1}'),
        ("chargebench/v1/committed", b""),
    ],
)
async def test_words_that_are_not_for_us_change_nothing(bench: Bench, topic: str, payload: bytes) -> None:
    bench.number("a")
    bench.hear(topic, payload)
    assert len(bench.outbox.uncommitted(SOURCE.id)) == 1

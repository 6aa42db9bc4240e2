"""A small memory for tests of those who ask it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psycopg

from contracts import events, topics
from contracts.events import AnyEvent, CanFrameSeen, TransactionEnded, TransactionStarted
from memorybank import rollup
from memorybank.detectors.reversals import Reversals
from memorybank.intake import take
from memorybank.records import Poison
from memorybank.store import Store
from memorybank.watch import Watch
from memorybank.work import Work
from memorybank_parts import START_AT, batch, note, reading, source_of

NASTY = "TAG\x1b[31m\r\n<b>"


def three_minutes() -> list[AnyEvent]:
    """The base scenario on CP-1 in one session; 50 frames of CP-2 at one instant, and a reading of now."""
    cycle = [0.0, 0.0, 0.0, 0.0, 89.0, 99.0, 1.0, 0.0]
    return [
        TransactionStarted(
            at=START_AT,
            charge_point_id="CP-1",
            connector=1,
            transaction_id=5,
            id_tag=NASTY,
            meter_start_wh=0.0,
        ),
        *(reading(second, cycle[second % 8], transaction_id=5) for second in range(180)),
        TransactionEnded(
            at=START_AT + timedelta(seconds=180),
            charge_point_id="CP-1",
            connector=1,
            transaction_id=5,
            meter_stop_wh=1234.5,
        ),
        *(
            CanFrameSeen(at=START_AT, charge_point_id="CP-2", connector=1, can_id=0x300, data="6400")
            for _ in range(50)
        ),
        note(1),
        reading(0, 42.0, charge_point_id="CP-2", at=datetime.now(UTC)),
    ]


async def remember(url: str, happened: Sequence[AnyEvent] = ()) -> None:
    """Store what happened (three_minutes, unless it is given) and a message that is none, rolled up."""
    store = Store(url)
    await store.load()
    taken = take(topics.events_topic(source_of()), events.encode(batch(happened or three_minutes())))
    position = await store.position(taken.source, taken.boot)
    work = Work()
    work.add(position.source_no, position.committed, "t", taken, Watch((Reversals(),)), 0.0)
    work.rows.poison.append(Poison(topic="t", reason="nonsense", payload=b"x"))
    await store.save(work)
    await store.aclose()
    with psycopg.connect(url, autocommit=True) as connection:
        while rollup.advance(connection, range(topics.PARTITIONS)):
            pass


_MORE = """
INSERT INTO memory.gaps (source_no, first_seq, last_seq) SELECT source_no, 1000 + n, 1000 + n
FROM memory.sources, generate_series(1, 4) n;
INSERT INTO memory.sessions
  (charge_point_id, transaction_id, connector, id_tag, started_at, ended_at, meter_start_wh)
SELECT 'CP-2', n, 1, 'BENCH', now() - interval '1 day', now(), 0 FROM generate_series(1, 4) n;
INSERT INTO memory.anomalies SELECT gen_random_uuid(), 'CP-2', 1, 'other', 'critical', 'closed', started_at,
  detected_at, updated_at, updated_at, score, threshold, deviation, signature, explanation, NULL
FROM memory.anomalies, generate_series(1, 4) n;
INSERT INTO memory.patterns
SELECT gen_random_uuid(), 'CP-2', 'other', 1, first_seen_at, last_seen_at, signature
FROM memory.patterns, generate_series(1, 3) n;
INSERT INTO memory.charge_points (charge_point_id, connector) VALUES ('CP-2', 2), ('CP-10', 1);
INSERT INTO memory.sources (source, boot, committed_seq)
SELECT 'csms/events/0' || n % 3, gen_random_uuid(), 0 FROM generate_series(1, 5) n;
INSERT INTO memory.poison (topic, reason, payload, digest)
SELECT 'chargebench/events', 'nonsense', '', decode(n::text, 'escape') FROM generate_series(1, 3) n;
"""


def remember_more(url: str) -> None:
    """Store more of everything, much of it at one instant."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_MORE)

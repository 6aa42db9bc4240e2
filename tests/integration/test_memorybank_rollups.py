"""Rollups on a real PostgreSQL: what they hold is what the readings give, in whatever order those came."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memorybank import migrations, rollup
from memorybank_parts import ask
from real_parts import Postgres, wait_until

START_AT = datetime(2026, 3, 1, 23, 59, 30, tzinfo=UTC)
LEVELS = {"10s": "10 seconds", "1m": "1 minute", "1h": "1 hour"}
EVERY = range(16)
FROM_THE_READINGS = """
SELECT date_bin(%(width)s, at, 'epoch'), charge_point_id, connector, origin, count(*), count(current_a),
       sum(current_a), sum(current_a * current_a), min(current_a), max(current_a), max(offered_a),
       max(commanded_a), count(voltage_v), sum(voltage_v), count(power_w), sum(power_w), max(power_w),
       count(temperature_c), sum(temperature_c), max(temperature_c), max(soc_percent), max(energy_wh)
FROM memory.metrics GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""
FROM_THE_ROLLUP = """
SELECT at, charge_point_id, connector, origin, readings, current_n, current_sum, current_squares,
       current_min, current_max, offered_max, commanded_max, voltage_n, voltage_sum, power_n, power_sum,
       power_max, temperature_n, temperature_sum, temperature_max, soc_max, energy_max
FROM memory.metrics_{level} ORDER BY 1, 2, 3, 4"""
VALUES = (
    "current_a",
    "offered_a",
    "commanded_a",
    "voltage_v",
    "power_w",
    "temperature_c",
    "soc_percent",
    "energy_wh",
)

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def memory(postgres: Postgres) -> Iterator[Connection]:
    with psycopg.connect(postgres.writer_url, autocommit=True) as connection:
        migrations.apply(connection, migrations.available())
        yield connection


class Source:
    """A source that numbers readings, and the transaction that stores what it sent."""

    def __init__(self, connection: Connection, charge_point_id: str = "CP-1", partition: int = 3) -> None:
        self.connection = connection
        self.charge_point_id = charge_point_id
        row = connection.execute(
            "INSERT INTO memory.sources (source, boot, committed_seq) VALUES (%s, %s, 0) RETURNING source_no",
            (f"chargepoint:{charge_point_id}/events/{partition:02}", uuid4()),
        ).fetchone()
        assert row is not None
        self.number = row[0]
        self.seq = 0

    def store(self, readings: Iterable[dict[str, object]], *, events: int = 0) -> None:
        """Store readings, after so many numbers that went elsewhere."""
        with self.connection.transaction():
            self.seq += events
            for values in readings:
                self.seq += 1
                row = {
                    "connector": 1,
                    "origin": "can",
                    "charge_point_id": self.charge_point_id,
                    **values,
                    "source_no": self.number,
                    "seq": self.seq,
                }
                self.connection.execute(
                    f"INSERT INTO memory.metrics ({', '.join(row)})"  # type: ignore[arg-type]
                    f" VALUES ({', '.join(['%s'] * len(row))})",
                    list(row.values()),
                )
            self.connection.execute(
                "UPDATE memory.sources SET committed_seq = %s WHERE source_no = %s", (self.seq, self.number)
            )


def a_reading(seconds: float, current_a: float | None = 1.0, **more: object) -> dict[str, object]:
    return {"at": START_AT + timedelta(seconds=seconds), "current_a": current_a, **more}


def rolled(connection: Connection, level: str) -> list[tuple[object, ...]]:
    return connection.execute(FROM_THE_ROLLUP.format(level=level)).fetchall()  # type: ignore[arg-type]


def assert_right(connection: Connection) -> None:
    for level, width in LEVELS.items():
        expected = connection.execute(FROM_THE_READINGS, {"width": width}).fetchall()
        assert rolled(connection, level) == expected, level


def catch_up(connection: Connection, rows: int = 20_000) -> int:
    """Roll up until nothing is left; return how many calls it took."""
    for call in range(1, 10_000):
        if rollup.advance(connection, EVERY, rows=rows) == 0:
            return call
    raise AssertionError("it never caught up")


# Eighths: their sums and squares are exact in whatever order they are added.
eighths = st.none() | st.integers(-8000, 8000).map(lambda n: n / 8)
some_readings = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(0, 300).map(lambda s: START_AT + timedelta(seconds=s)),
            "connector": st.integers(0, 2),
            "origin": st.sampled_from(["can", "ocpp"]),
            **dict.fromkeys(VALUES, eighths),
        }
    ),
    max_size=12,
)


@given(
    turns=st.lists(
        st.tuples(st.integers(0, 1), some_readings, st.integers(0, 5), st.booleans()), min_size=1, max_size=6
    ),
    rows=st.integers(1, 7),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rollups_are_what_the_readings_give(
    memory: Connection, turns: list[tuple[int, list[dict[str, object]], int, bool]], rows: int
) -> None:
    """Whatever the order, the sources, the numbers between them, the pieces and the moments of rolling up."""
    # One database for all examples: making one takes longer than any of them.
    memory.execute(
        "TRUNCATE memory.sources, memory.metrics, memory.metrics_10s, memory.metrics_1m, memory.metrics_1h"
    )
    sources = [Source(memory, "CP-1", 3), Source(memory, "CP-2", 7)]
    for chosen, readings, events, advance in turns:
        sources[chosen].store(readings, events=events)
        if advance:
            rollup.advance(memory, EVERY, rows=rows)
    catch_up(memory, rows)
    assert_right(memory)


def test_late_readings_are_added_like_any_other(memory: Connection) -> None:
    """A reading of a stretch long rolled up, also of a day that has no partition."""
    source = Source(memory)
    source.store([a_reading(0, 10.0), a_reading(40, 20.0)])
    assert catch_up(memory) == 1
    source.store([a_reading(1, 30.0), a_reading(-86_400 * 400, 40.0)])
    assert catch_up(memory) == 1
    assert_right(memory)
    assert memory.execute("SELECT current_max, readings FROM memory.metrics_10s ORDER BY at").fetchall() == [
        (40.0, 1),
        (30.0, 2),
        (20.0, 1),
    ]


def test_rows_of_a_stretch_move_into_its_partition(memory: Connection) -> None:
    """A partition that is made late takes over what the catch-all held, and goes on adding."""
    source = Source(memory)
    source.store([a_reading(0), a_reading(1)])
    catch_up(memory)
    for level in LEVELS:
        memory.execute("SELECT memory.make_partition(%s, %s)", (f"metrics_{level}", START_AT.date()))
    source.store([a_reading(2)])
    catch_up(memory)
    assert_right(memory)
    for level in LEVELS:
        left = memory.execute(f"SELECT count(*) FROM ONLY memory.metrics_{level}_other").fetchone()  # type: ignore[arg-type]
        assert left == (0,)


def test_rows_that_come_while_a_partition_is_made_are_in_it(memory: Connection, postgres: Postgres) -> None:
    """Two MemoryBanks: one stores a day for which the other makes the partition."""
    day = START_AT.date()
    with psycopg.connect(postgres.writer_url) as other, ThreadPoolExecutor(1) as thread:
        Source(other).store([])
        other.commit()
        insert = (
            "INSERT INTO memory.metrics (at, seq, source_no, connector, charge_point_id, origin)"
            " VALUES (%s, 1, 1, 1, 'CP-1', 'can')"
        )
        other.execute(insert, (START_AT,))
        making = thread.submit(memory.execute, "SELECT memory.make_partition('metrics', %s)", (day,))
        wait_until(
            lambda: ask(postgres, "SELECT count(*) FROM pg_locks WHERE NOT granted") == [(1,)],
            what="the partition to wait",
        )
        other.commit()
        making.result(15)
    assert memory.execute(f"SELECT seq FROM memory.metrics_{day:%Y%m%d}").fetchall() == [(1,)]  # type: ignore[arg-type]


def test_only_sources_of_the_share_are_rolled_up(memory: Connection) -> None:
    """Each MemoryBank does its own partitions, and reports what is left of those."""
    Source(memory, "CP-1", 3).store([a_reading(0)])
    Source(memory, "CP-2", 4).store([a_reading(0)])
    assert rollup.advance(memory, [3, 5]) == 0
    assert memory.execute("SELECT charge_point_id FROM memory.metrics_1h").fetchall() == [("CP-1",)]
    assert rollup.advance(memory, [4]) == 0
    assert_right(memory)


def test_a_call_takes_a_bounded_number_and_says_what_is_left(memory: Connection) -> None:
    """The writer waits for it; a long backlog is caught up piece by piece, each source in turn."""
    for name, partition in (("CP-1", 1), ("CP-2", 2)):
        Source(memory, name, partition).store(a_reading(second) for second in range(50))
    assert rollup.advance(memory, EVERY, rows=20) == 80
    assert memory.execute("SELECT rolled_seq FROM memory.sources").fetchall() == [(10,), (10,)]
    assert catch_up(memory, 20) == 4
    assert_right(memory)


def test_numbers_that_are_no_readings_are_passed_over(memory: Connection) -> None:
    """Events, lost numbers and what a new source says is stored cost nothing, however many they are."""
    source = Source(memory)
    source.store([a_reading(0)], events=10**15)
    source.store([], events=10**15)
    assert rollup.advance(memory, EVERY, rows=1) == 10**15
    assert rollup.advance(memory, EVERY, rows=1) == 0
    assert_right(memory)


def test_extreme_readings_stop_nothing(memory: Connection, postgres: Postgres) -> None:
    """What no charger reaches is taken as ±1e12, what is nearly nothing as 0, by rollups and panels alike."""
    wild = [1e308, 1e308, -1e308, 5e-324, -1e-200, float("inf"), float("nan"), None]
    source = Source(memory)
    source.store({"at": START_AT, **dict.fromkeys(VALUES, value)} for value in wild)
    catch_up(memory)
    source.store({"at": START_AT, **dict.fromkeys(VALUES, value)} for value in wild)
    catch_up(memory)
    with psycopg.connect(postgres.grafana_url) as grafana:
        for interval_ms in (1000, 10_000, 60_000, 3_600_000):
            numbers = grafana.execute(
                "SELECT sum(readings), sum(current_n), sum(current_sum), max(current_max), min(current_min),"
                " sum(current_squares) FROM dash.readings(%s)",
                (interval_ms,),
            ).fetchone()
            assert numbers is not None
            assert numbers[:2] == (16, 14)
            assert numbers[2:] == pytest.approx((6e12, 1e12, -1e12, 1e25))


def test_every_fineness_tells_the_same(memory: Connection, postgres: Postgres) -> None:
    """dash.readings gives single readings below 10 s, then the level that the interval asks for."""
    source = Source(memory)
    source.store(a_reading(second, float(second)) for second in range(100))
    catch_up(memory)
    with psycopg.connect(postgres.grafana_url) as grafana:
        rows = {
            interval_ms: grafana.execute(
                "SELECT count(*), sum(readings), sum(current_sum), min(current_min), max(current_max)"
                " FROM dash.readings(%s)",
                (interval_ms,),
            ).fetchone()
            for interval_ms in (9_999, 10_000, 59_999, 60_000, 3_599_999, 3_600_000)
        }
    stretches = {interval_ms: row[0] for interval_ms, row in rows.items() if row is not None}
    assert list(stretches.values()) == [100, 10, 10, 3, 3, 2]
    assert {row[1:] for row in rows.values() if row is not None} == {(100, 4950.0, 0.0, 99.0)}


def test_only_the_level_that_is_meant_is_read(memory: Connection) -> None:
    """The planner sees through dash.readings: no other table, and the index of the one."""
    plan = memory.execute(
        "EXPLAIN SELECT sum(current_sum) FROM dash.readings(60000)"
        " WHERE charge_point_id = 'CP-1' AND connector = '1'::integer AND origin = 'can' AND at > now()"
    ).fetchall()
    text = "\n".join(str(line[0]) for line in plan)
    assert "metrics_1m" in text
    assert "Index" in text
    assert "connector = 1" in text
    assert not any(table in text for table in ("metrics_10s", "metrics_1h", "metrics_other"))


def test_two_at_once_add_each_reading_once(memory: Connection, postgres: Postgres) -> None:
    """Whoever comes second waits, finds the source moved on, and adds nothing."""
    source = Source(memory)
    source.store(a_reading(second) for second in range(30))
    with psycopg.connect(postgres.writer_url) as first, psycopg.connect(postgres.writer_url) as second:
        rollup.advance(first, EVERY)
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(rollup.advance, second, EVERY)
            wait_until(
                lambda: ask(postgres, "SELECT count(*) FROM pg_locks WHERE NOT granted") == [(1,)],
                what="the second one to wait",
            )
            first.commit()
            waiting.result(15)
            second.commit()
    assert_right(memory)


def test_what_is_cut_off_is_done_again(memory: Connection, postgres: Postgres) -> None:
    """A call that is not committed leaves nothing behind."""
    source = Source(memory)
    source.store(a_reading(second) for second in range(30))
    with psycopg.connect(postgres.writer_url) as connection:
        rollup.advance(connection, EVERY)
        connection.rollback()
    assert rolled(memory, "10s") == []
    catch_up(memory)
    assert_right(memory)

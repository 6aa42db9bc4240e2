"""The alert rules on a PostgreSQL filled by the MemoryBank's own code: where each must fire and where not."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

import recorded_run
from contracts.events import Anomaly, AnyEvent, Reading, StatusChanged, SystemEvent
from grafana_alerts import evaluate, rules
from memorybank.pace import Pulse
from memorybank.patterns import learned
from memorybank.store import Store
from memorybank.watch import Finding
from memorybank.work import Work
from real_parts import Postgres

SILENCE, LAG, CRITICAL = rules().values()
Told = list[tuple[str, AnyEvent]]


@dataclass
class Memory:
    """A database filled by the MemoryBank's code, asked as Grafana asks."""

    postgres: Postgres
    grafana: "psycopg.Connection[Any]"

    def remember(self, told: Told) -> None:
        asyncio.run(recorded_run.record(self.postgres.writer_url, told))

    def save(self, *works: Work) -> None:
        async def saved() -> None:
            store = Store(self.postgres.writer_url)
            for work in works:
                await store.save(work)
            await store.aclose()

        asyncio.run(saved())


@pytest.fixture(scope="module")
def migrated(module_postgres: Postgres) -> Postgres:
    asyncio.run(recorded_run.record(module_postgres.writer_url, []))
    return module_postgres


@pytest.fixture
def memory(migrated: Postgres) -> Iterator[Memory]:
    """The migrations and nothing else."""
    with psycopg.connect(migrated.superuser_url, autocommit=True) as superuser:
        tables = "sources, charge_points, pulses, anomalies, patterns, events, metrics"
        superuser.execute(f"TRUNCATE {', '.join(f'memory.{table}' for table in tables.split(', '))}")
    with psycopg.connect(migrated.grafana_url, autocommit=True) as connection:
        yield Memory(migrated, connection)


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def connection(name: str, seconds: float, word: str = "connection_opened") -> tuple[str, AnyEvent]:
    return "csms", SystemEvent(at=ago(seconds), charge_point_id=name, service="csms", name=word)


def measured(name: str, seconds: float) -> tuple[str, AnyEvent]:
    reading = Reading(
        at=ago(seconds), charge_point_id=name, connector=1, origin="can", current_a=16.0, offered_a=32.0
    )
    return "chargepoint", reading


def status(name: str, seconds: float) -> tuple[str, AnyEvent]:
    return "csms", StatusChanged(at=ago(seconds), charge_point_id=name, connector=1, status="Available")


# Each state is a function, so that its times are those of the test.
SILENT: dict[str, tuple[Callable[[], Told], bool]] = {
    "nothing was ever heard": (list, False),
    "all measure": (lambda: [connection("CP-1", 400), measured("CP-1", 200), measured("CP-1", 1)], False),
    "none has for longer": (lambda: [connection("CP-1", 400), measured("CP-1", 125)], True),
    "none has for shorter": (lambda: [connection("CP-1", 400), measured("CP-1", 60)], False),
    "one of two measures": (
        lambda: [
            connection("CP-1", 400),
            connection("CP-2", 400),
            measured("CP-1", 300),
            measured("CP-2", 2),
        ],
        False,
    ),
    "both are silent": (
        lambda: [
            connection("CP-1", 400),
            connection("CP-2", 400),
            measured("CP-1", 300),
            measured("CP-2", 130),
        ],
        True,
    ),
    "who was silent is not connected": (
        lambda: [
            connection("CP-1", 400),
            measured("CP-1", 300),
            connection("CP-1", 290, "connection_closed"),
        ],
        False,
    ),
    "the one who measures is not connected": (
        lambda: [
            *(connection("CP-1", 400), measured("CP-1", 300)),
            *(connection("CP-2", 400), measured("CP-2", 3), connection("CP-2", 2, "connection_closed")),
        ],
        True,
    ),
    "it never measured": (lambda: [connection("CP-1", 400), status("CP-1", 150)], True),
    "it has only just come": (lambda: [connection("CP-1", 5), status("CP-1", 5)], False),
}


@pytest.mark.parametrize("state", SILENT)
def test_no_measurement_for_two_minutes(memory: Memory, state: str) -> None:
    told, must_fire = SILENT[state]
    memory.remember(told())
    silence_s, fires = evaluate(memory.grafana, SILENCE)
    assert (fires, silence_s > 120) == (must_fire, must_fire)


def pulse(seconds: float, lag_s: float | None, partition: int = 0) -> Pulse:
    return Pulse(
        at=ago(seconds),
        partition=partition,
        length_s=10.0,
        lag_p50_s=lag_s,
        lag_p95_s=lag_s,
        lag_p99_s=lag_s,
        lag_max_s=lag_s,
        transactions=10,
        messages=100,
        events=100,
        readings=50,
        gaps=0,
        duplicates=0,
        ahead=0,
        waiting_messages=0,
    )


LAGGING: dict[str, tuple[Callable[[], list[Pulse]], bool]] = {
    "no MemoryBank ever ran": (list, False),
    "it keeps up": (lambda: [pulse(11, 0.4), pulse(1, 0.3)], False),
    "nothing comes": (lambda: [pulse(11, None), pulse(1, None)], False),
    "it is behind": (lambda: [pulse(11, 0.4), pulse(1, 12.0)], True),
    "it was behind": (lambda: [pulse(50, 60.0), pulse(40, 12.0), pulse(1, 0.4)], False),
    "one of two is behind": (lambda: [pulse(1, 0.4), pulse(2, 11.0, partition=1)], True),
    "it stopped": (lambda: [pulse(40, 0.4)], True),
    "its pulse is due": (lambda: [pulse(11, 0.4)], False),
}


@pytest.mark.parametrize("state", LAGGING)
def test_ingest_lag_over_ten_seconds(memory: Memory, state: str) -> None:
    pulses, must_fire = LAGGING[state]
    memory.save(*(Work(pulse=one) for one in pulses()))
    lag_s, fires = evaluate(memory.grafana, LAG)
    assert (fires, lag_s > 10) == (must_fire, must_fire)


def finding(number: int, severity: Any, phase: Any = "opened") -> Finding:
    anomaly = Anomaly(
        id=uuid.UUID(int=number),
        charge_point_id=f"CP-{number}",
        connector=1,
        kind="repeated-current-fluctuation",
        severity=severity,
        phase=phase,
        started_at=ago(90),
        detected_at=ago(30),
        updated_at=ago(1),
        ended_at=ago(1) if phase == "closed" else None,
        score=9,
        threshold=8,
        deviation=99,
        explanation="9 reversals",
    )
    return Finding(anomaly, learned([], anomaly))


ANOMALOUS: dict[str, tuple[list[Finding], int]] = {
    "none": ([], 0),
    "a warning": ([finding(1, "warning"), finding(2, "info")], 0),
    "a critical one": ([finding(1, "critical"), finding(2, "warning")], 1),
    "two critical ones": ([finding(1, "critical"), finding(2, "critical")], 2),
    "a critical one that is over": ([finding(1, "critical", "closed")], 0),
}


@pytest.mark.parametrize("state", ANOMALOUS)
def test_a_critical_anomaly_is_open(memory: Memory, state: str) -> None:
    findings, count = ANOMALOUS[state]
    memory.save(Work(findings=findings))
    assert evaluate(memory.grafana, CRITICAL) == (count, count > 0)


def test_a_bench_that_runs_well_is_neither_silent_nor_behind(memory: Memory) -> None:
    """Two dozen charge points until just now, one of them lost."""
    end = datetime.now(UTC)
    memory.remember(recorded_run.events(end - timedelta(minutes=2), end))
    memory.save(Work(pulse=pulse(0, 0.2)))
    fires = {rule["uid"]: evaluate(memory.grafana, rule)[1] for rule in (SILENCE, LAG)}
    assert fires == {SILENCE["uid"]: False, LAG["uid"]: False}


def test_a_reader_without_the_right_to_ask_is_an_error(memory: Memory) -> None:
    """What cannot be asked is neither fire nor rest: Grafana's execErrState says how it is told."""
    with psycopg.connect(memory.postgres.writer_url, autocommit=True) as writer:
        writer.execute("REVOKE SELECT ON dash.anomalies FROM grafana_reader")
        try:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                evaluate(memory.grafana, CRITICAL)
        finally:
            writer.execute("GRANT SELECT ON dash.anomalies TO grafana_reader")

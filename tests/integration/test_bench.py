"""The benchmarks themselves, small: that each part runs, and that what it measures is what it says."""

import psycopg
import pytest

from bench import csms, disk, ingest, past, queries, retention
from bench.report import Report
from memorybank import migrations
from memorybank_parts import ask

READINGS = 160_000
_SUMMED_UP = """
SELECT charge_point_id, origin, date_bin('10 s', at, 'epoch'), count(*), round(sum(current_a)::numeric, 3)
FROM memory.metrics GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_ROLLED_UP = """
SELECT charge_point_id, origin, at, readings::bigint, round(current_sum::numeric, 3)
FROM memory.metrics_10s ORDER BY 1, 2, 3
"""


@pytest.fixture
def memory(postgres):
    """An empty database with all migrations."""
    with psycopg.connect(postgres.writer_url, autocommit=True) as connection:
        migrations.apply(connection, migrations.available())
    return postgres


@pytest.mark.timeout(240)
def test_a_made_past_is_whole_and_every_query_and_retention_can_be_timed(memory, monkeypatch):
    """Every number once, the rollups as the rows say; then each query once, and a day forgotten."""
    made = past.make(memory, READINGS)
    assert ask(memory, "SELECT count(*) FROM memory.metrics") == [(READINGS,)]
    whole = "SELECT count(*), count(DISTINCT (source, seq)) FROM memory.numbered_events"
    ((rows, numbers),) = ask(memory, whole)
    assert rows == numbers == ask(memory, "SELECT sum(committed_seq)::bigint FROM memory.sources")[0][0]
    assert ask(memory, _SUMMED_UP) == ask(memory, _ROLLED_UP)

    monkeypatch.setattr(queries, "RUNS", 2)
    report = Report(1)
    timed = queries.measure([queries.Filled(memory, made, READINGS)], seed=1)
    assert len(timed) > 100
    assert all(0 < one.p95_ms(READINGS) < 5_000 for one in timed)
    queries.add_rows(report, timed)
    disk.add_readings(report, memory)
    retention.measure_in(report, memory)
    reading = next(row for row in report.rows if row.name.startswith("a reading on disk"))
    assert 1 < reading.ratio < 4
    by_age = next(row for row in report.rows if row.name.startswith("retention by age"))
    assert by_age.ours > 0
    by_size = next(row for row in report.rows if row.name.startswith("retention by size"))
    assert by_size.met is True
    assert ask(memory, "SELECT count(*) FROM memory.metrics") != [(READINGS,)]


@pytest.mark.timeout(240)
def test_ingest_is_timed_against_its_baselines(monkeypatch):
    for name, small in {"CHARGE_POINTS": 20, "SECONDS": 5, "ROUNDS": 1, "INSERTS": 100}.items():
        monkeypatch.setattr(ingest, name, small)
    report = Report(1)
    ingest.measure(report)
    with_goals = [row for row in report.rows if row.baseline is not None and row.goal is not None]
    assert len(with_goals) == 4
    assert all(row.ratio > 0 for row in with_goals)
    assert report.rows[-1].name.startswith("rollups whole")
    assert report.rows[-1].met is not None  # how soon is for a quiet machine to judge


@pytest.mark.timeout(240)
def test_a_call_to_the_csms_is_timed_against_a_plain_central_system(monkeypatch):
    """Each call is answered and its reading published, or the round would not end."""
    for name, small in {"CONNECTIONS": 4, "CALLS_EACH": 25, "ROUNDS": 1}.items():
        monkeypatch.setattr(csms, name, small)
    report = Report(1)
    csms.measure(report)
    rate, cost = report.rows
    assert rate.ratio > 0
    assert rate.met is not None  # by how much is for a quiet machine to judge
    assert 0 < cost.ours < 1e6

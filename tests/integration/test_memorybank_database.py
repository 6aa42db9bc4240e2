"""Migrations and roles on a real PostgreSQL."""

from dataclasses import replace

import psycopg
import pytest
from psycopg import errors

from embedded import postgres as embedded_postgres
from memorybank import migrations
from memorybank.errors import NewerDatabase
from memorybank.migrations import Migration
from memorybank_parts import ask
from real_parts import Postgres

ROLLUP = (
    "at charge_point_id connector origin readings current_sum current_squares current_n current_min"
    " current_max offered_max commanded_max voltage_sum voltage_n power_sum power_n power_max temperature_sum"
    " temperature_n temperature_max soc_max energy_max"
)
DASH = {
    "verdicts": "id detector charge_point_id connector kind at ended_at score explanation heard_at",
    "metrics": "at charge_point_id connector origin current_a offered_a voltage_v power_w energy_wh"
    " temperature_c soc_percent commanded_a acknowledged_a",
    "metrics_10s": ROLLUP,
    "metrics_1m": ROLLUP,
    "metrics_1h": ROLLUP,
    "charge_points": "charge_point_id connector status status_code status_at connected last_reading_at"
    " current_a power_w energy_wh soc_percent transaction_id open_anomalies",
    "status": "at charge_point_id connector status status_code",
    "anomalies": "id charge_point_id connector kind severity score threshold deviation started_at detected_at"
    " ended_at explanation pattern anomaly_id pattern_id connector_no",
    "sessions": "transaction_id charge_point_id connector id_tag started_at ended_at energy_wh peak_a mean_a"
    " reason anomalies duration_s",
    "events": "at charge_point_id connector kind summary",
    "sources": "source boot committed_seq gaps duplicates last_event_at lag_s ahead events metrics"
    " first_event_at last_stored_at rolled_seq dropped_seq",
    "gaps": "source boot first_seq last_seq lost noticed_at",
    "patterns": "pattern_id charge_point_id kind count first_seen_at last_seen_at period_s amplitude_a duty",
    "pulses": "at length_s lag_p50_s lag_p95_s lag_p99_s lag_max_s transactions messages events readings gaps"
    " duplicates ahead waiting_messages partition",
    "poison": "first_at last_at times topic reason",
    "baselines": "charge_point_id connector metric phase sessions samples mean sd histogram recent_mean"
    " anchor_mean anchor_sd is_held updated_at version",
    "baseline_versions": "partition version at sessions changed",
    "baseline_proposals": "charge_point_id connector metric phase proposed_at known_mean known_sd mean"
    " version agreed_at",
    "truth_runs": "run_id scenario anomaly charge_point_id started_at ended_at parameters seed"
    " physical_started_at physical_ended_at",
}
TRUTH = {"truth_runs"}
"""Views for people who watch, not for who judges."""


BEYOND_TABLES = [
    "SELECT n_tup_ins FROM pg_stat_all_tables WHERE relname = 'labels'",
    "SELECT heap_blks_hit FROM pg_statio_all_tables WHERE relname = 'labels'",
    "SELECT pg_stat_get_tuples_inserted(oid) FROM pg_class WHERE relname = 'labels'",
    "SELECT * FROM pg_locks",
    "SELECT lo_from_bytea(0, 'mine')",
    "SELECT pg_logical_emit_message(false, 'mine', 'mine')",
    "SELECT pg_advisory_lock(hashtext('chargebench memorybank'), 3)",
    "SELECT pg_try_advisory_xact_lock(hashtext('chargebench partitions'))",
]
"""What PostgreSQL allows everybody: to see when a label is stored, to write, to keep a MemoryBank out."""


@pytest.fixture
def migrated(postgres: Postgres) -> Postgres:
    with psycopg.connect(postgres.writer_url) as connection:
        migrations.apply(connection, migrations.available())
    return postgres


def assert_refused(url: str, question: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        # A role can undo its own settings: only grants count.
        connection.execute("SET default_transaction_read_only TO off")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(question)  # type: ignore[arg-type]


def test_a_migrated_database_is_left_alone(migrated: Postgres) -> None:
    """The second time there is nothing to do."""
    with psycopg.connect(migrated.writer_url) as connection:
        assert migrations.apply(connection, migrations.available()) == []


def test_a_failing_migration_leaves_nothing(postgres: Postgres) -> None:
    """All pending migrations are applied, or none."""
    broken = Migration(998, "0998_broken", b"CREATE TABLE memory.half (a int); SELECT 1/0;")
    with psycopg.connect(postgres.writer_url) as connection, pytest.raises(errors.DivisionByZero):
        migrations.apply(connection, [*migrations.available(), broken])
    assert ask(postgres, "SELECT count(*) FROM pg_tables WHERE schemaname = 'memory'") == [(0,)]


def test_a_newer_database_is_refused(migrated: Postgres) -> None:
    """An older version does not write into what it does not know."""
    future = Migration(999, "0999_future", b"SELECT 1;")
    with psycopg.connect(migrated.writer_url) as connection:
        migrations.apply(connection, [*migrations.available(), future])
        with pytest.raises(NewerDatabase, match="the database has migration 999"):
            migrations.apply(connection, migrations.available())


def test_a_changed_migration_is_refused(migrated: Postgres) -> None:
    """A file that was edited after it was applied is found out."""
    first, *others = migrations.available()
    edited = replace(first, text=first.text + b"-- edited")
    with (
        psycopg.connect(migrated.writer_url) as connection,
        pytest.raises(NewerDatabase, match="not the one this database has had"),
    ):
        migrations.apply(connection, [edited, *others])


def test_roles_can_be_applied_again(migrated: Postgres) -> None:
    """roles.sql repeats without harm, also after the migrations."""
    embedded_postgres.prepare(migrated.files, migrated.database)
    with psycopg.connect(migrated.reader_url) as connection:
        connection.execute("SELECT count(*) FROM memory.events")


def test_everything_is_commented(migrated: Postgres) -> None:
    """Every table of ours, every column of memory and truth, and every view says what it is."""
    query = """
        SELECT n.nspname || '.' || c.relname || coalesce('.' || a.attname, '')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND n.nspname <> 'dash'
        WHERE n.nspname IN ('memory', 'truth', 'dash') AND c.relkind IN ('r', 'p', 'v')
          AND NOT c.relispartition
          AND (obj_description(c.oid, 'pg_class') IS NULL
               OR (a.attnum IS NOT NULL AND col_description(c.oid, a.attnum) IS NULL))"""
    assert ask(migrated, query) == []


def test_every_instant_has_a_time_zone(migrated: Postgres) -> None:
    """timestamptz everywhere."""
    query = """
        SELECT table_schema, table_name, column_name FROM information_schema.columns
        WHERE table_schema IN ('memory', 'truth', 'dash') AND data_type LIKE 'timestamp without%'"""
    assert ask(migrated, query) == []


def test_the_dashboards_views_are_what_was_agreed(migrated: Postgres) -> None:
    """Names and order of the columns of schema dash."""
    query = """
        SELECT table_name, string_agg(column_name, ' ' ORDER BY ordinal_position)
        FROM information_schema.columns WHERE table_schema = 'dash' GROUP BY table_name"""
    assert dict(ask(migrated, query)) == DASH  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "question",
    [
        "SELECT * FROM truth.labels",
        "SELECT * FROM dash.truth_runs",
        "SELECT dash.sizes()",
        "SELECT payload FROM memory.poison",
        "DELETE FROM memory.events",
        "CREATE TABLE memory.mine (a int)",
        "CREATE TABLE public.mine (a int)",
        "CREATE TEMPORARY TABLE mine (a int)",
        "SELECT memory.make_partition('events', '2026-01-01')",
        *BEYOND_TABLES,
    ],
)
def test_the_reader_is_kept_from(migrated: Postgres, question: str) -> None:
    """memorybank_reader sees neither the truth nor poison's payloads, and changes nothing."""
    assert_refused(migrated.reader_url, question)


def test_no_reader_sees_when_the_truth_was_told(migrated: Postgres) -> None:
    """The pace of the truth channel would tell when scenarios begin: not even its sources show."""
    with psycopg.connect(migrated.writer_url) as connection:
        for number, channel in enumerate(("events", "truth"), start=1):
            connection.execute(
                "INSERT INTO memory.sources (source, boot, committed_seq) VALUES (%s, gen_random_uuid(), 7)",
                (f"csms:csms-0/{channel}/03",),
            )
            connection.execute(
                "INSERT INTO memory.poison (topic, source_no, seq, reason, payload, digest)"
                " VALUES (%s, %s, 5, 'nonsense', '', sha256(%s))",
                (f"chargebench/v1/{channel}/03/csms/csms-0", number, channel.encode()),
            )
            connection.execute("INSERT INTO memory.gaps VALUES (%s, %s, 9)", (number, number))
    with psycopg.connect(migrated.reader_url) as connection:
        sources = connection.execute("SELECT source FROM memory.sources").fetchall()
        assert sources == [("csms:csms-0/events/03",)]
        for table in ("poison", "numbered_events", "gaps"):
            assert connection.execute(f"SELECT count(*) FROM memory.{table}").fetchone() == (1,)  # type: ignore[arg-type]
    for url in (migrated.reader_url, migrated.grafana_url):
        with psycopg.connect(url) as connection:
            sources = connection.execute("SELECT source FROM dash.sources").fetchall()
            assert sources == [("csms:csms-0/events/03",)]
            assert connection.execute("SELECT topic FROM dash.poison").fetchall() == [
                ("chargebench/v1/events/03/csms/csms-0",)
            ]
            # Were hidden rows asked too, the error would tell of them.
            assert connection.execute("SELECT FROM dash.gaps WHERE 1 / (first_seq - 2) = 9").fetchall() == []


def test_the_reader_sees_the_memory(migrated: Postgres) -> None:
    """Every table of memory but poison's payload, and the dashboards' views."""
    with psycopg.connect(migrated.reader_url) as connection:
        for table in ("sources", "events", "metrics", "sessions", "anomalies", "patterns", "charge_points"):
            connection.execute(f"SELECT * FROM memory.{table}")  # type: ignore[arg-type]
        connection.execute("SELECT reason, times FROM memory.poison")
        for view in DASH.keys() - TRUTH:
            connection.execute(f"SELECT * FROM dash.{view}")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "question",
    [
        "SELECT * FROM memory.events",
        "SELECT * FROM memory.metrics",
        "SELECT * FROM truth.labels",
        "SELECT * FROM memory.numbered_events",
        "DELETE FROM dash.metrics",
        "INSERT INTO dash.sources VALUES ('a')",
        "CREATE TABLE dash.mine (a int)",
        "SET ROLE memorybank_writer",
        "SELECT pg_relation_size(oid) FROM pg_class WHERE relname = 'labels'",
        *BEYOND_TABLES,
    ],
)
def test_grafana_is_kept_from(migrated: Postgres, question: str) -> None:
    """grafana_reader has the views and nothing else, also after undoing its own settings."""
    assert_refused(migrated.grafana_url, question)


def test_grafana_sees_its_views(migrated: Postgres) -> None:
    """Each view of schema dash answers grafana_reader."""
    with psycopg.connect(migrated.grafana_url) as connection:
        for view in DASH:
            connection.execute(f"SELECT * FROM dash.{view}")  # type: ignore[arg-type]


def test_who_watches_sees_the_truth(migrated: Postgres) -> None:
    """A run is a row for each of its charge points; it has no end while it runs."""
    with psycopg.connect(migrated.writer_url) as connection:
        for seq, (run, phase, second) in enumerate(
            [("a", "started", 0), ("a", "ended", 30), ("b", "started", 40)], start=1
        ):
            connection.execute(
                "INSERT INTO truth.labels VALUES (make_timestamptz(2026, 1, 1, 0, 0, %s), %s, 1, %s, 'cycle',"
                " 'wear', %s, ARRAY['CP-1', 'CP-2'], '{}', 18446744073709551615)",
                (second, seq, run, phase),
            )
    with psycopg.connect(migrated.grafana_url) as connection:
        runs = connection.execute(
            "SELECT run_id, charge_point_id, extract(epoch FROM ended_at - started_at)::int, seed"
            " FROM dash.truth_runs ORDER BY 1, 2"
        ).fetchall()
    seed = "18446744073709551615"
    assert runs == [("a", "CP-1", 30, seed), ("a", "CP-2", 30, seed)] + [
        ("b", name, None, seed) for name in ("CP-1", "CP-2")
    ]


def test_grafana_sees_sizes_on_disk_by_table_and_partition(migrated: Postgres) -> None:
    """Of the memory only: not of the truth."""
    with psycopg.connect(migrated.grafana_url) as connection:
        sizes = connection.execute("SELECT parent, part, bytes FROM dash.sizes()").fetchall()
    assert {("metrics", "metrics_other"), ("anomalies", None)} <= {
        (parent, part) for parent, part, _ in sizes
    }
    assert all(size >= 0 for *_, size in sizes)
    assert "labels" not in {parent for parent, *_ in sizes}


def test_readers_have_a_time_limit(migrated: Postgres) -> None:
    """A forgotten question does not hold the server for ever."""
    for url in (migrated.reader_url, migrated.grafana_url):
        with psycopg.connect(url) as connection:
            assert connection.execute("SHOW statement_timeout").fetchone() == ("15s",)

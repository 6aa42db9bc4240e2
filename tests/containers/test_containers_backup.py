"""Backup and restore of the containers' memory, by the scripts that people call."""

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from container_stack import ROOT, Stack
from embedded.__main__ import main
from real_parts import COUNTED_WITH_GAPS, directory_open_to_postgres

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

NAMES = {"CP-1", "CP-2"}
_SEQS = "SELECT source_no::text AS source_no, committed_seq FROM memory.sources"
_ROWS = """
SELECT source_no, count(*)::int AS rows, md5(string_agg(text, ' ' ORDER BY text)) AS digest
FROM (
  SELECT source_no, seq, e::text AS text FROM memory.events e
  UNION ALL SELECT source_no, seq, m::text FROM memory.metrics m
) AS r
WHERE seq <= ('{upto}'::jsonb ->> source_no::text)::bigint
GROUP BY 1 ORDER BY 1
"""


@pytest.fixture(scope="module")
def own(_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of this file's own: other tests would miss what a restore takes away."""
    running = Stack(tmp_path_factory.mktemp("own"))
    try:
        running.up()
        yield running
    finally:
        running.remove()


def script(stack: Stack, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run one of deploy/*.sh on a stack, which compose's own variables name."""
    files = (ROOT / "docker-compose.yml", ROOT / "tests" / "containers" / "without-grafana.yml")
    environ = {
        "COMPOSE_PROJECT_NAME": stack.project,
        "COMPOSE_FILE": ":".join(map(str, files)),
        "COMPOSE_ENV_FILES": str(stack.folder / "env"),
    }
    return subprocess.run(
        [ROOT / "deploy" / name, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        cwd=stack.folder,
        env={**os.environ, **environ},
    )


def test_the_memory_is_put_back_and_what_came_later_is_a_gap(own: Stack) -> None:
    """Every row of the backup, then a gap that names its numbers, then what happens from now on."""
    own.wait_whole(NAMES, timeout_s=120)
    own.compose("stop", "memorybank")
    upto = json.dumps({row["source_no"]: row["committed_seq"] for row in own.query(_SEQS)})
    rows = own.query(_ROWS.format(upto=upto))
    made = script(own, "backup.sh", "memory.backup")
    assert made.returncode == 0, made.stderr
    assert (own.folder / "memory.backup").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in own.folder.glob("memory.backup*")) == ["memory.backup"]

    own.compose("start", "memorybank")
    own.wait_whole(NAMES, timeout_s=120)
    restored = script(own, "restore.sh", "memory.backup")
    assert restored.returncode == 0, restored.stderr
    own.wait_whole(NAMES, timeout_s=120)

    assert own.query(_ROWS.format(upto=upto)) == rows
    counted = own.query(COUNTED_WITH_GAPS)
    assert any(row["lost"] for row in counted)
    for row in counted:
        assert row["rows"] == row["numbers"] == row["committed_seq"] - row["lost"], row
    assert own.query("SELECT sum(lost)::int AS lost FROM dash.gaps")[0]["lost"] > 0
    assert own.query("SELECT datname FROM pg_database WHERE datname ~ 'chargebench'") == [
        {"datname": "chargebench"}
    ]


def test_a_backup_of_a_working_stack_and_one_of_the_embedded_bench_are_the_same_kind(
    own: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    """What containers wrote goes into an embedded bench, of another PostgreSQL, and back."""
    made = script(own, "backup.sh", "working.backup")
    assert made.returncode == 0, made.stderr
    sessions = own.query("SELECT transaction_id FROM memory.sessions ORDER BY 1")
    with directory_open_to_postgres() as home:
        assert main(["restore", "--home", str(home), str(own.folder / "working.backup")]) == 0, (
            capsys.readouterr()
        )
        assert main(["backup", "--home", str(home), str(own.folder / "embedded.backup")]) == 0, (
            capsys.readouterr()
        )
    restored = script(own, "restore.sh", "embedded.backup")
    assert restored.returncode == 0, restored.stderr
    own.wait_whole(NAMES, timeout_s=120)
    assert own.query("SELECT transaction_id FROM memory.sessions ORDER BY 1")[: len(sessions)] == sessions


def test_what_cannot_be_restored_changes_nothing(own: Stack) -> None:
    """The old memory stays, and the stack goes on with it."""
    whole = (own.folder / "memory.backup").read_bytes()
    (own.folder / "cut.backup").write_bytes(whole[:-2000])
    (own.folder / "no.backup").write_text("nothing of the kind\n" * 100)
    before = own.query("SELECT count(*)::int AS n FROM memory.events")[0]["n"]
    for name, words in (("cut", "pg_restore: error"), ("no", "is no backup"), ("missing", "cannot be read")):
        refused = script(own, "restore.sh", f"{name}.backup")
        assert refused.returncode != 0, name
        assert words in refused.stderr, name
    assert "is there already" in script(own, "backup.sh", "memory.backup").stderr
    own.wait_whole(NAMES, timeout_s=120)
    assert own.query("SELECT count(*)::int AS n FROM memory.events")[0]["n"] > before
    assert own.query("SELECT datname FROM pg_database WHERE datname ~ 'chargebench'") == [
        {"datname": "chargebench"}
    ]

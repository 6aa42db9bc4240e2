"""An embedded bench as a process of the test: `chargebench up` in a folder of its own."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg

from ocpp_calls import orders_to_charge
from real_parts import COUNTED_BY_SOURCE, directory_open_to_postgres, wait_until

START_S = 180.0
"""For a machine that is many times slower than it should be: where nothing hangs, seconds."""
START_EACH_S = 5.0
"""More for each charge point: it is a process of its own."""

_FRESH = """
SELECT count(DISTINCT (charge_point_id, origin))::int FROM dash.metrics
WHERE at > %s AND charge_point_id IN ('CP-1', 'CP-2')
"""


@contextmanager
def started_bench(charge_points: int = 2, *arguments: str) -> "Iterator[BenchProcess]":
    """Start a bench in a folder of its own, end it and remove the folder when left."""
    with directory_open_to_postgres() as directory:
        running = BenchProcess(directory / "bench", charge_points, arguments)
        try:
            running.start()
            yield running
        finally:
            running.stop()


@dataclass
class BenchProcess:
    """Start it, look into it, break it, end it."""

    home: Path
    charge_points: int = 2
    arguments: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = field(default=None)
    start_took_s: float = 0.0
    """Measured at its last start: what this machine needs for the work of every part's return, and more."""

    @property
    def log(self) -> Path:
        return self.home / "output.log"

    def start(self) -> None:
        """Start and wait until it says where to look."""
        began_s = time.monotonic()
        self.home.mkdir(parents=True, exist_ok=True)
        earlier = self._times_it_ran()
        command = [
            *(sys.executable, "-m", "embedded", "up", "--home", str(self.home)),
            *("--charge-points", str(self.charge_points), *self.arguments),
        ]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        start_s = START_S + START_EACH_S * self.charge_points
        wait_until(lambda: self._runs(earlier), timeout_s=start_s, what="the bench to run")
        # So that questions find tables: the MemoryBank makes them at its start.
        wait_until(self._remembers, timeout_s=START_S, what="the MemoryBank's tables")
        self.start_took_s = time.monotonic() - began_s

    def _times_it_ran(self) -> int:
        return self.output().count("the bench runs") if self.log.exists() else 0

    def _remembers(self) -> bool:
        try:
            return self.query("SELECT to_regclass('dash.events') IS NOT NULL") == [(True,)]
        except (psycopg.Error, OSError, KeyError, ValueError):
            return False

    def _runs(self, earlier: int) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the bench ended with {self.process.returncode}:\n{self.output()[-4000:]}")
        return self._times_it_ran() > earlier

    def output(self) -> str:
        """Return everything it printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def described(self) -> dict[str, Any]:
        """Return bench.json: addresses and process ids."""
        return json.loads((self.home / "bench.json").read_text(encoding="utf-8"))

    @property
    def secrets(self) -> dict[str, str]:
        return json.loads((self.home / "secrets.json").read_text(encoding="utf-8"))

    @property
    def token(self) -> dict[str, str]:
        """Return the header that changes state."""
        return {"X-ChargeBench-Token": self.secrets["token"]}

    def pid(self, program: str) -> int:
        """Return the process id of a program as it is now."""
        return self.described["processes"][program]

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database as its superuser: tests may look everywhere."""
        url = f"postgresql://postgres:{self.secrets['postgres']}@127.0.0.1:{self.described['postgres_port']}/chargebench"
        with psycopg.connect(url, connect_timeout=5) as connection:
            return connection.execute(sql, parameters).fetchall()

    def get(self, address: str, path: str) -> Any:
        """Return the JSON at a path of `csms_api`, `memorybank_api` or `console`."""
        response = httpx.get(self.described[address].rstrip("/") + path, timeout=10, trust_env=False)
        response.raise_for_status()
        return response.json()

    def ask_csms(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Change something by the CSMS's API; return the JSON of its answer."""
        url = self.described["csms_api"].rstrip("/") + path
        response = httpx.request(method, url, json=body, headers=self.token, timeout=30, trust_env=False)
        response.raise_for_status()
        return response.json()

    def connected(self) -> set[str]:
        """Return the charge points that the CSMS sees connected."""
        found = self.get("csms_api", "/api/charge-points")
        return {entry["charge_point_id"] for entry in found if entry["connected"]}

    def start_charging(self, names: Iterable[str], limit_a: float) -> None:
        """Let charge points charge with a limit; each must accept."""
        for name in names:
            for order in orders_to_charge(limit_a):
                answer = self.ask_csms("POST", f"/api/charge-points/{name}/commands", order)
                assert answer["outcome"] == "Accepted", (name, order["action"], answer)

    def is_whole(self, since: datetime) -> bool:
        """Return whether readings of CP-1 and CP-2 made after `since` came from both ends to the database."""
        try:
            return self.query(_FRESH, since) == [(4,)]
        except (psycopg.Error, OSError, KeyError, ValueError):  # the database, or bench.json, may be away
            return False

    def wait_whole(self, timeout_s: float) -> None:
        """Wait until the chain is whole, from now on."""
        since = datetime.now(UTC)
        wait_until(lambda: self.is_whole(since), timeout_s=timeout_s, what="the chain to be whole")

    def numbered(self) -> dict[str, int]:
        """Return the last number that each source gave, as the outboxes on disk say now."""
        numbered: dict[str, int] = {}
        for path in self.home.glob("state/**/outbox.sqlite"):
            # A copy: the owner holds its file exclusively.
            with tempfile.TemporaryDirectory() as folder:
                for part in path.parent.glob("outbox.sqlite*"):
                    shutil.copy(part, folder)
                with sqlite3.connect(Path(folder) / "outbox.sqlite") as outbox:
                    numbered |= dict(outbox.execute("SELECT source, last_seq FROM sources"))
        return numbered

    def assert_nothing_lost(self) -> None:
        """Assert that every event that was numbered up to now is in PostgreSQL exactly once."""
        numbered = self.numbered()
        assert numbered, "no outbox was found"

        def committed() -> bool:
            known = dict(self.query("SELECT source, max(committed_seq) FROM memory.sources GROUP BY 1"))
            return all(known.get(source, 0) >= last for source, last in numbered.items())

        wait_until(committed, timeout_s=60, what="everything that was numbered to be committed")
        assert self.query("SELECT coalesce(sum(gaps), 0)::int FROM memory.sources") == [(0,)]
        counted = self.query(COUNTED_BY_SOURCE)
        assert {source for source, *_ in counted} >= numbered.keys()
        for source, committed_seq, rows, distinct, first, last in counted:
            found = {"first": first, "rows": rows, "distinct": distinct, "last": last}
            assert found == dict.fromkeys(("rows", "distinct", "last"), committed_seq) | {"first": 1}, source

    def kill(self, program: str) -> int:
        """End a program as a crash would; return the process id that died."""
        pid = self.pid(program)
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self, timeout_s: float = 45.0) -> int:
        """End the bench as Ctrl-C does; return its exit status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise

"""A stack of containers for the tests: docker-compose.yml as people use it, under a project of its own."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from ocpp_calls import orders_to_charge
from real_parts import COUNTED_BY_SOURCE, free_port, wait_until

ROOT = Path(__file__).resolve().parents[1]
TOKEN = {"X-ChargeBench-Token": "token-of-the-tests"}
HEALTHY = ("CSMS_HTTP_PORT", "MEMORYBANK_HTTP_PORT", "CONSOLE_PORT")
PORTS = ("OCPP_PORT", *HEALTHY)

_FRESH = """
SELECT count(DISTINCT (charge_point_id, origin))::int AS fresh FROM dash.metrics
WHERE at > '{since}' AND charge_point_id IN ({names})
"""
_LATEST = """
SELECT charge_point_id, (array_agg(current_a ORDER BY at DESC))[1] AS current_a FROM dash.metrics
WHERE origin = 'can' AND at > now() - interval '10 s' GROUP BY 1
"""
_COMMITTED = "SELECT source, max(committed_seq) AS seq, sum(gaps)::int AS gaps FROM memory.sources GROUP BY 1"
_NUMBERED = """
import glob, json, shutil, sqlite3, tempfile
numbered = {}
for path in glob.glob("/states/**/outbox.sqlite", recursive=True):
    with tempfile.TemporaryDirectory() as folder:  # a copy: the owner holds its file exclusively
        for part in glob.glob(path + "*"):
            shutil.copy(part, folder)
        with sqlite3.connect(folder + "/outbox.sqlite") as outbox:
            numbered |= dict(outbox.execute("SELECT source, last_seq FROM sources"))
print(json.dumps(numbered))
"""


def docker(*arguments: str, stdin: str = "", timeout_s: float = 60, check: bool = True) -> str:
    """Run a docker command and return what it printed; a failure tells what it said."""
    done = subprocess.run(
        ["docker", *arguments],
        input=stdin,
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
    )
    if check and done.returncode:
        said = done.stdout + done.stderr
        raise AssertionError(f"docker {' '.join(arguments)}: status {done.returncode}\n{said}")
    return done.stdout + ("" if check else done.stderr)


def missing_engine() -> str | None:
    """Return what is missing for tests with containers, or None."""
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=20)
        except (OSError, subprocess.SubprocessError):
            return f"`{' '.join(command)}` does not answer"
    return None


@dataclass
class Stack:
    """Start it, look into it, break it, end it. `environ` is what a person would write into .env."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    project: str = field(default_factory=lambda: f"cbtest{secrets.token_hex(3)}")

    def __post_init__(self) -> None:
        self.environ = {
            **{name: str(free_port()) for name in PORTS},
            "CHARGEBENCH_TOKEN": TOKEN["X-ChargeBench-Token"],
            **self.environ,
        }
        self.configure()

    def configure(self, **settings: str) -> None:
        """Write .env with these settings too; the next `up` makes them true."""
        self.environ |= settings
        # A file of ours, so that a person's own .env does not change what is tested.
        (self.folder / "env").write_text("".join(f"{name}={text}\n" for name, text in self.environ.items()))

    def compose(self, *arguments: str, timeout_s: float = 120, check: bool = True) -> str:
        """Run a command of docker compose on this stack."""
        return docker(
            *("compose", "--project-name", self.project, "--env-file", str(self.folder / "env")),
            *("--file", str(ROOT / "docker-compose.yml")),
            *("--file", str(ROOT / "tests" / "containers" / "without-grafana.yml")),
            *arguments,
            timeout_s=timeout_s,
            check=check,
        )

    def up(self, *arguments: str) -> None:
        """Start what is not running and wait until all of it is healthy."""
        try:
            self.compose("up", "--detach", "--wait", "--wait-timeout", "300", *arguments, timeout_s=600)
        except AssertionError as error:
            logs = self.compose("logs", "--no-color", "--tail", "25", check=False)
            raise AssertionError(f"{error}\n{self.compose('ps', '--all')}\n{logs}") from None

    def remove(self) -> None:
        """Remove everything that bears this project's name."""
        self.compose("down", "--volumes", "--rmi", "local", "--timeout", "5", "--remove-orphans", check=False)

    def name(self, service: str, number: int = 1) -> str:
        """Return a container's name."""
        return f"{self.project}-{service}-{number}"

    def containers(self) -> list[dict[str, Any]]:
        """Return what the engine knows of each container."""
        return json.loads(docker("inspect", *self.compose("ps", "--all", "--quiet").split()))

    def inspect(self, service: str, number: int = 1) -> dict[str, Any]:
        return json.loads(docker("inspect", self.name(service, number)))[0]

    def python(self, service: str, code: str, number: int = 1) -> str:
        """Run Python inside a running container."""
        return docker("exec", "-i", self.name(service, number), "python", "-", stdin=code)

    def query(self, sql: str, role: str = "postgres") -> list[dict[str, Any]]:
        """Ask the database, by default as its superuser: tests may look everywhere."""
        answer = docker(
            *("exec", self.name("postgres"), "psql", "-U", role, "-d", "chargebench", "-XAtq"),
            *("-v", "ON_ERROR_STOP=1", "-c", f"SELECT coalesce(json_agg(q), '[]') FROM ({sql}) AS q"),
        )
        return json.loads(answer)

    def url(self, port: str) -> str:
        return f"http://127.0.0.1:{self.environ[port]}"

    def get(self, port: str, path: str) -> Any:
        """Return the JSON at a path of a service's API."""
        response = httpx.get(self.url(port) + path, timeout=10, trust_env=False)
        response.raise_for_status()
        return response.json()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Change something by the CSMS's API."""
        response = httpx.post(
            self.url("CSMS_HTTP_PORT") + path, json=body, headers=TOKEN, timeout=30, trust_env=False
        )
        response.raise_for_status()
        return response.json()

    def connected(self) -> set[str]:
        """Return the charge points that the CSMS sees connected."""
        try:
            found = self.get("CSMS_HTTP_PORT", "/api/charge-points")
        except httpx.HTTPError:
            return set()
        return {entry["charge_point_id"] for entry in found if entry["connected"]}

    def currents(self) -> dict[str, float]:
        """Return each charge point's latest current on CAN of the last ten seconds, A."""
        return {row["charge_point_id"]: row["current_a"] for row in self.query(_LATEST)}

    def charge(self, names: Iterable[str], limit_a: int) -> None:
        """Stop whatever was planned and start a transaction at each, limited so; it is accepted."""
        self.post("/api/stop-all", {})
        for name in sorted(names):
            for order in orders_to_charge(limit_a):
                answer = self.post(f"/api/charge-points/{name}/commands", order)
                assert answer["outcome"] == "Accepted", (name, order["action"], answer)

    def is_whole(self, names: set[str], since: datetime) -> bool:
        """Return whether readings made after `since`, of these charge points from both ends, are stored."""
        listed = ", ".join(f"'{name}'" for name in sorted(names))
        try:
            healthy = all(self.get(port, "/healthz")["ok"] for port in HEALTHY)
            return healthy and self.query(_FRESH.format(names=listed, since=since)) == [
                {"fresh": 2 * len(names)}
            ]
        except (AssertionError, httpx.HTTPError):  # the database or a service may be away
            return False

    def wait_whole(self, names: set[str], timeout_s: float) -> None:
        """Wait until the chain is whole: what happens from now on, at both ends, is stored, all are well."""
        now = datetime.now(UTC)
        wait_until(lambda: self.is_whole(names, now), timeout_s=timeout_s, what="the chain to be whole")

    def kill(self, service: str, number: int = 1) -> None:
        """End a container's processes as a crash would; the engine brings it back by its restart policy.

        Not by `docker kill`: the engine takes that for a person's wish and leaves it dead.
        """
        pid = self.inspect(service, number)["State"]["Pid"]
        # From a container that sees the host's processes, so that the tests need not be root.
        docker(
            *("run", "--rm", "--pid=host", "--network=none", "--user=0", "--entrypoint=sh"),
            *(f"{self.project}-charger", "-c", f"kill -9 {pid}"),
        )

    def on_can(self, code: str) -> str:
        """Run Python in a stranger's container on the CAN network."""
        return docker(
            *("run", "--rm", "--interactive", f"--network={self.project}_can", "--entrypoint=python"),
            *(f"{self.project}-charger", "-"),
            stdin=code,
        )

    def numbered(self) -> dict[str, int]:
        """Return the last number that each source gave, as the outboxes on disk say now."""
        volumes = ("csms-state", "chargepoint-state")
        mounts = [f"--volume={self.project}_{volume}:/states/{volume}:ro" for volume in volumes]
        command = ("run", "--rm", "--interactive", "--network=none", "--entrypoint=python", *mounts)
        return json.loads(docker(*command, f"{self.project}-charger", "-", stdin=_NUMBERED))

    def assert_nothing_lost(self) -> None:
        """Assert that every event that was numbered up to now is in PostgreSQL exactly once."""
        numbered = self.numbered()
        assert numbered, "no outbox was found"

        def committed() -> bool:
            known = {row["source"]: row["seq"] for row in self.query(_COMMITTED)}
            return all(known.get(source, 0) >= last for source, last in numbered.items())

        wait_until(committed, timeout_s=60, what="everything that was numbered to be committed")
        assert {row["source"]: row["gaps"] for row in self.query(_COMMITTED) if row["gaps"]} == {}
        counted = self.query(COUNTED_BY_SOURCE)
        assert {row["source"] for row in counted} >= numbered.keys()
        for row in counted:
            assert row["first"] == 1, row
            assert row["rows"] == row["numbers"] == row["committed_seq"], row

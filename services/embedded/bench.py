"""A whole bench: its folder, its passwords, its start in order, its end."""

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg

from chassis.process import deadline
from embedded import broker, postgres
from embedded.layout import SECRETS, Layout, Program, broker_program, postgres_program, services
from embedded.ports import Ports, any_free_port
from embedded.postgres import PostgresFiles
from embedded.supervisor import Say, Supervisor

FOUNDATION_S = 120.0
SERVICE_S = 120.0
"""Seconds on an idle machine, a minute on one with ten other programs; what cannot run says so at once."""


class BenchError(Exception):
    """The bench cannot start; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A running bench, as people and tests find it in `bench.json`."""

    layout: Layout
    supervisor: Supervisor
    started_at: datetime

    def describe(self) -> dict[str, object]:
        """Return what bench.json says: addresses, process ids, the token's place. No password."""
        ports = self.layout.ports
        return {
            "console": self.layout.console_url,
            "csms_api": self.layout.csms_api_url,
            "memorybank_api": self.layout.memorybank_api_url,
            "ocpp": f"ws://127.0.0.1:{ports.ocpp}",
            "mqtt_port": ports.mqtt,
            "postgres_port": ports.postgres,
            "can_backplane_port": ports.can_backplane,
            "can_base_port": ports.can_base,
            "metrics": {
                name: f"http://127.0.0.1:{port}/metrics" for name, port in self.layout.health_ports.items()
            },
            "started_at": self.started_at.isoformat(),
            "processes": {"bench": os.getpid(), **self.supervisor.processes},
            "restarts": self.supervisor.restarts,
        }


class BenchRuns(BenchError):  # noqa: N818 - named after its state
    """Another process owns the folder."""


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """Own the folder while inside; where another process owns it, raises BenchRuns."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise BenchRuns(
                f"a bench is already running in {home} (process {file.read().strip() or 'unknown'}); "
                "stop it, or give this one another folder with --home"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def load_secrets(home: Path) -> dict[str, str]:
    """Return the bench's own passwords, made once and kept readable by us alone."""
    path = home / "secrets.json"
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if not set(SECRETS) <= kept.keys():
        kept = {name: secrets.token_urlsafe(24) for name in SECRETS} | kept
        _write_private(path, json.dumps(kept, indent=2))
    return kept


def _write_private(path: Path, text: str) -> None:
    # Whole or not at all: half of secrets.json would lock us out of our own database.
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def make_layout(
    home: Path, ports: Ports, *, charge_points: int, per_process: int, scenario_plan: str, log_level: str
) -> Layout:
    """Return the layout of a bench in `home`, making its passwords and configuration files."""
    layout = Layout(
        home,
        ports,
        load_secrets(home),
        charge_points,
        per_process,
        scenario_plan,
        log_level,
        os.environ,
    )
    broker.write_configuration(layout.broker_configuration, ports.mqtt, layout.broker_passwords)
    _write_private(home / "viewer.url", layout.database.url("memorybank_reader"))
    _write_private(home / "truth.url", layout.database.url("memorybank_writer"))  # viewer's --truth
    _write_private(home / "token", layout.secrets["token"])
    return layout


@contextlib.asynccontextmanager
async def running(layout: Layout, say: Say) -> AsyncIterator[Bench]:
    """Start everything in order and yield when all of it works; end everything when left."""
    _demand_room(layout.home)
    described = layout.home / "bench.json"

    def changed() -> None:
        # Whole at every moment: others read it while processes come and go.
        written = described.with_suffix(".new")
        try:
            written.write_text(json.dumps(bench.describe(), indent=2), encoding="utf-8")
            written.replace(described)
        except OSError as error:  # a full disk must not end the care for the processes
            say("bench", f"{described} is not up to date: {error.strerror}")

    supervisor = Supervisor(say, changed)
    bench = Bench(layout, supervisor, datetime.now(UTC))
    try:
        say("bench", "starting PostgreSQL and the MQTT broker")
        await _start_postgres(layout, supervisor)
        await _start_foundation(broker_program(layout), supervisor)
        for together in services(layout):
            for program in together:
                await supervisor.start(program)
            for program in together:
                if program.health_url is not None:
                    await _until(_healthy(program.health_url), program.name, SERVICE_S, supervisor)
        yield bench
    finally:
        await supervisor.stop()
        described.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def postgres_alone(home: Path, say: Say) -> AsyncIterator[PostgresFiles]:
    """Run PostgreSQL of the bench in `home`, on a free port and nothing else, while inside; own the folder.

    Makes an empty database where there is none.
    """
    with locked(home):
        _demand_room(home)
        layout = Layout(home, Ports(postgres=any_free_port()), load_secrets(home))
        supervisor = Supervisor(say)
        try:
            await _start_postgres(layout, supervisor)
            yield layout.database
        finally:
            await supervisor.stop()


def _demand_room(home: Path) -> None:
    free = shutil.disk_usage(home).free
    if free < 512 * 1024 * 1024:
        raise BenchError(f"{home}: only {free // 1024**2} MB are free on this disk, 512 are needed")


async def _start_postgres(layout: Layout, supervisor: Supervisor) -> None:
    await asyncio.to_thread(postgres.initialise, layout.database)
    await _start_foundation(postgres_program(layout), supervisor)
    await _until(_prepared(layout), "PostgreSQL's roles", FOUNDATION_S, supervisor)


async def _start_foundation(program: Program, supervisor: Supervisor) -> None:
    await supervisor.start(program)
    if program.tcp_port is not None:
        await _until(_accepts(program.tcp_port), program.name, FOUNDATION_S, supervisor)


Check = Callable[[], Awaitable[bool]]


async def _until(holds: Check, what: str, limit_s: float, supervisor: Supervisor) -> None:
    """Wait until a condition holds; raise BenchError when it does not in time or a program cannot run."""
    try:
        async with deadline(limit_s, what):
            while not await holds():
                if supervisor.failed.done():
                    supervisor.failed.result()
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise BenchError(f"{error}; what it printed stands above") from error


def _accepts(port: int) -> Check:
    async def accepts() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    return accepts


def _prepared(layout: Layout) -> Check:
    async def prepared() -> bool:
        try:
            await asyncio.to_thread(postgres.prepare, layout.database)
        except psycopg.OperationalError:  # still starting, or recovering from a crash
            return False
        return True

    return prepared


def _healthy(url: str) -> Check:
    async def healthy() -> bool:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            with contextlib.suppress(httpx.HTTPError):
                return (await client.get(url)).is_success
        return False

    return healthy

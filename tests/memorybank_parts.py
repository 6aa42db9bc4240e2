"""The MemoryBank for tests: its process, and batches of numbered events."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from contracts import topics
from contracts.events import AnyEvent, Batch, Reading, SystemEvent
from contracts.topics import Source
from real_parts import Broker, Postgres, free_port, wait_until

START_AT = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)


def source_of(charge_point_id: str = "CP-1", name: str = "chargepoint:CP-1") -> Source:
    return Source(name, "events", topics.partition_of(charge_point_id))


def note(number: int, *, charge_point_id: str | None = "CP-1", at: datetime | None = None) -> SystemEvent:
    """A system event that can be told from every other by its number."""
    return SystemEvent(
        at=at or START_AT + timedelta(milliseconds=number),
        charge_point_id=charge_point_id,
        service="test",
        name="noted",
        detail={"number": number},
    )


def reading(seconds: float, current_a: float, **more: object) -> Reading:
    values: dict[str, object] = {
        "at": START_AT + timedelta(seconds=seconds),
        "charge_point_id": "CP-1",
        "connector": 1,
        "origin": "can",
        "offered_a": 100.0,
        "current_a": current_a,
        **more,
    }
    return Reading(**values)  # type: ignore[arg-type]


def batch(
    events: Sequence[AnyEvent],
    first_seq: int = 1,
    *,
    committed: int = 0,
    source: Source | None = None,
    boot: int = 1,
) -> Batch:
    source = source or source_of()
    return Batch(
        source=source.id,
        boot=uuid.UUID(int=boot),
        first_seq=first_seq,
        committed=committed,
        events=list(events),
    )


@dataclass
class MemoryBankProcess:
    """`python -m memorybank` as a process of the test: start, kill, start again."""

    postgres: Postgres
    broker: Broker
    log: Path
    environ: dict[str, str] = field(default_factory=dict)
    http_port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        environ = {
            **os.environ,
            **self.broker.environ("memorybank"),
            "DATABASE_URL": self.postgres.writer_url,
            "DATABASE_READER_URL": self.postgres.reader_url,
            "MEMORYBANK_HTTP_PORT": str(self.http_port),
            **self.environ,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "memorybank"], env=environ, stdout=log, stderr=subprocess.STDOUT
            )

    def wait_healthy(self, timeout_s: float = 60.0) -> None:
        wait_until(lambda: self.get("/healthz")[0] == 200, timeout_s=timeout_s, what=f"health; {self.said()}")

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body; (0, b"") while nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError:
            return 0, b""

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def stop(self) -> int:
        """End it as an operator would; return its exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(15)
        self.process = None
        return status

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


def ask(postgres: Postgres, query: str, *parameters: object) -> list[tuple[object, ...]]:
    """Return the rows of a question asked as superuser."""
    with psycopg.connect(postgres.superuser_url) as connection:
        return connection.execute(query, parameters or None).fetchall()  # type: ignore[arg-type]

"""Chaos: a flow from real outboxes while MemoryBank, broker and PostgreSQL are killed at random moments."""

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import psutil

from bench.life import Fleet
from bench.parts import started_broker, started_postgres
from bench.report import Progress, Report, Row, told
from chassis.mqtt import MqttSettings
from chassis.publisher import Publisher
from contracts.events import AnyEvent
from memorybank_parts import MemoryBankProcess, ask
from real_parts import COUNTED_BY_SOURCE, Broker, Postgres, ServerProcess

EVENTS_PER_S = 500
BENCH_S = 60
_EVENTS_PER_CHARGE_POINT_S = 11.3
_BETWEEN_KILLS_S = (1.0, 10.0)
_AWAY_S = (0.0, 3.0)
_RECOVERY_S = 120.0
_TICK_S = 0.02
_SUPERVISED_S = 1.0
_LAST_WORDS = 3000

# What is added up while events arrive would tell of an event that counted twice, or not at all.
_SUMS = {
    "readings in the 10 s rollups": "SELECT sum(readings) FROM memory.metrics_10s",
    "readings in the 1 min rollups": "SELECT sum(readings) FROM memory.metrics_1m",
    "readings in the 1 h rollups": "SELECT sum(readings) FROM memory.metrics_1h",
    "readings that sources count": "SELECT sum(metrics) FROM memory.sources",
}
_NOT_ROLLED_UP = (
    "SELECT count(*) FROM memory.metrics JOIN memory.sources USING (source_no) WHERE seq > rolled_seq"
)
_READINGS = "SELECT count(*) FROM memory.metrics"
_OF_SESSIONS = "SELECT sum(can_readings + ocpp_readings) FROM memory.sessions"
_IN_SESSIONS = "SELECT count(*) FROM memory.metrics WHERE transaction_id IS NOT NULL"


@dataclass
class Outcome:
    """What was told, what is stored, and what went wrong."""

    told: int = 0
    stored: int = 0
    duplicated: int = 0
    took_s: float = 0.0
    recovered_s: float = 0.0
    kills: dict[str, int] = field(default_factory=dict)
    wrong_sums: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    """What the MemoryBank said each time that it ended by itself."""

    @property
    def lost(self) -> int:
        """Events that got a number and are not stored."""
        return self.told - self.stored


def measure(report: Report) -> None:
    """Add the row of chaos: a minute of what `make soak` does for ten."""
    told(f"Chaos: {BENCH_S} s of {EVENTS_PER_S} events/s under SIGKILL")
    outcome = asyncio.run(run(BENCH_S, report.seed, Progress("chaos", BENCH_S).at))
    kills = ", ".join(f"{name} {count}" for name, count in sorted(outcome.kills.items()))
    under = f"{outcome.told:,} events in {outcome.took_s:.0f} s; killed: {kills}"
    for name, count in (("lost", outcome.lost), ("stored twice", outcome.duplicated)):
        row = Row(name=f"chaos, {under}: {name}", unit="events", ours=count, goal="0", met=count == 0)
        report.add(row)
    name = "chaos: sums that do not fit (rollups, sessions, sources)"
    wrong = len(outcome.wrong_sums)
    report.add(Row(name=name, unit="sums", ours=wrong, goal="0", met=wrong == 0))
    name, crashes = "chaos: the MemoryBank ended by itself", len(outcome.crashes)
    report.add(Row(name=name, unit="times", ours=crashes, goal="0", met=crashes == 0))


async def run(seconds: float, seed: int, on_second: Callable[[float], None] = lambda _: None) -> Outcome:
    """Live `seconds`, then wait until everything is committed, and count. Raises TimeoutError."""
    with (
        tempfile.TemporaryDirectory(prefix="chargebench-") as folder,
        started_postgres() as postgres,
        started_broker() as broker,
    ):
        bank = MemoryBankProcess(postgres, broker, Path(folder) / "memorybank.log")
        bank.start()
        try:
            return await _run(seconds, seed, on_second, _Parts(postgres, broker, bank), Path(folder))
        finally:
            bank.kill()


@dataclass
class _Parts:
    """What is killed, and how it comes back."""

    postgres: Postgres
    broker: Broker
    bank: MemoryBankProcess
    bank_is_wanted: bool = True

    def kill(self, name: str) -> None:
        if name == "memorybank":
            self.bank_is_wanted = False
            self.bank.kill()
        elif name == "broker":
            self.broker.server.kill()
        else:
            _kill_all(self.postgres.server)

    def start(self, name: str) -> None:
        if name == "memorybank":
            self.bank.start()
            self.bank_is_wanted = True
        elif name == "broker":
            self.broker.server.start()
        else:
            self.postgres.server.start()
            self.postgres.wait_ready()


def _kill_all(server: ServerProcess) -> None:
    """Kill a server and its children in one blow, as a power cut would; return when none is left."""
    assert server.process is not None
    children = psutil.Process(server.process.pid).children(recursive=True)
    server.kill()
    for child in children:
        child.kill()  # psutil knows a number that was given away since
    psutil.wait_procs(children, timeout=10)


class _Outboxes:
    """A publisher for each teller, as each has in its own process. Use as a context manager."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self._broker, self._folder = broker, folder
        self._opened = AsyncExitStack()
        self._publishers: dict[str, Publisher] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._opened.aclose()

    async def tell(self, teller: str, event: AnyEvent) -> None:
        """Publish an event as its teller."""
        if teller not in self._publishers:
            user, place = teller.partition(":")[0], (self._broker.host, self._broker.port)
            settings = MqttSettings(*place, user=user, password=self._broker.password)
            path = self._folder / f"{teller.replace(':', '-')}.sqlite"
            opening = Publisher.opened(teller, path, settings)
            self._publishers[teller] = await self._opened.enter_async_context(opening)
        self._publishers[teller].publish(event)

    def numbered(self) -> dict[str, int]:
        """Return the last number of every source; raise AssertionError where an event got none."""
        numbered: dict[str, int] = {}
        for teller, publisher in self._publishers.items():
            publisher.flush()
            assert publisher.dropped == 0, f"{teller}: {publisher.dropped} events got no number"
            outbox = publisher._outbox
            numbered |= {source: outbox.last_seq(source) for source in outbox.sources()}
        return numbered


async def _run(
    seconds: float, seed: int, on_second: Callable[[float], None], parts: _Parts, folder: Path
) -> Outcome:
    outcome = Outcome()
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(parts.bank.wait_healthy, 60)
    async with _Outboxes(parts.broker, folder) as outboxes, _supervised(parts, outcome):
        begun_s = loop.time()
        async with asyncio.TaskGroup() as tasks:
            for name in ("memorybank", "broker", "postgres"):
                moments = moments_of_death(name, seconds, seed)
                tasks.create_task(_keep_killing(name, parts, moments, begun_s, outcome))
            await _live(seconds, seed, on_second, outboxes, outcome)
        outcome.took_s = loop.time() - begun_s
        numbered = outboxes.numbered()
        assert sum(numbered.values()) == outcome.told
        ended_s = loop.time()
        while behind := await asyncio.to_thread(_behind, parts.postgres, numbered):
            if loop.time() - ended_s > _RECOVERY_S:
                raise TimeoutError(
                    f"not committed {_RECOVERY_S:g} s later: {behind}\n{parts.bank.said()[-4000:]}"
                )
            await asyncio.sleep(0.2)
        outcome.recovered_s = loop.time() - ended_s
    await asyncio.to_thread(_count, parts.postgres, outcome)
    return outcome


@asynccontextmanager
async def _supervised(parts: _Parts, outcome: Outcome) -> AsyncIterator[None]:
    """Start the MemoryBank again where it ends by itself, as Docker and the embedded bench do."""

    async def supervise() -> None:
        while True:
            await asyncio.sleep(_SUPERVISED_S)
            process = parts.bank.process
            if parts.bank_is_wanted and process is not None and process.poll() is not None:
                outcome.crashes.append(parts.bank.said()[-_LAST_WORDS:])
                parts.bank.start()

    supervisor = asyncio.create_task(supervise())
    try:
        yield
    finally:
        supervisor.cancel()


async def _live(
    seconds: float, seed: int, on_second: Callable[[float], None], outboxes: _Outboxes, outcome: Outcome
) -> None:
    """Tell what a fleet tells, each event at its own time."""
    fleet = Fleet(round(EVENTS_PER_S / _EVENTS_PER_CHARGE_POINT_S), seed)
    begin = datetime.now(UTC)
    for second in range(int(seconds)):
        for teller, event in fleet.second(begin + timedelta(seconds=second)):
            while event.at > datetime.now(UTC):  # noqa: ASYNC110 - nobody wakes us
                await asyncio.sleep(_TICK_S)
            await outboxes.tell(teller, event)
            outcome.told += 1
        on_second(second + 1)


async def _keep_killing(
    name: str, parts: _Parts, moments: list[tuple[float, float]], begun_s: float, outcome: Outcome
) -> None:
    """Kill at the moments, and start again after each one's while."""
    loop = asyncio.get_running_loop()
    outcome.kills[name] = 0
    for moment_s, away_s in moments:
        await asyncio.sleep(begun_s + moment_s - loop.time())
        await asyncio.to_thread(parts.kill, name)
        outcome.kills[name] += 1
        await asyncio.sleep(away_s)
        await asyncio.to_thread(parts.start, name)


def moments_of_death(name: str, seconds: float, seed: int) -> list[tuple[float, float]]:
    """Return when a part dies, in seconds from the begin, and for how long: the same for the same seed."""
    draw = random.Random(f"{seed}/{name}")
    found: list[tuple[float, float]] = []
    moment_s = draw.uniform(*_BETWEEN_KILLS_S)
    while moment_s < seconds:
        away_s = draw.uniform(*_AWAY_S)
        found.append((moment_s, away_s))
        moment_s += away_s + draw.uniform(*_BETWEEN_KILLS_S)
    return found


def _behind(postgres: Postgres, numbered: dict[str, int]) -> dict[str, Any]:
    """Return the sources that are not whole yet, and readings that are in no rollup yet."""
    query = "SELECT source, max(committed_seq) FROM memory.sources GROUP BY 1"
    known: dict[Any, Any] = dict(ask(postgres, query))  # type: ignore[arg-type]
    behind = {source: last - known.get(source, 0) for source, last in numbered.items()}
    behind = {source: count for source, count in behind.items() if count > 0}
    if not behind and (waiting := ask(postgres, _NOT_ROLLED_UP)[0][0]):
        behind["not rolled up"] = waiting
    return behind


def _count(postgres: Postgres, outcome: Outcome) -> None:
    """Count what is stored of each number, and compare the sums with the rows that they are made of."""
    for _, _, rows, numbers, _, _ in ask(postgres, COUNTED_BY_SOURCE):
        outcome.stored += numbers  # type: ignore[operator]
        outcome.duplicated += rows - numbers  # type: ignore[operator]
    pairs = [(name, query, _READINGS) for name, query in _SUMS.items()]
    pairs.append(("readings that sessions count", _OF_SESSIONS, _IN_SESSIONS))
    for name, query, expected in pairs:
        ((found,),), ((right,),) = ask(postgres, query), ask(postgres, expected)
        if found != right:
            outcome.wrong_sums.append(f"{name}: {found} instead of {right}")

"""One step: a whole bench with so many charge points, started, charging, measured, ended."""

import contextlib
import math
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import httpx
import psycopg
import pytest

from bench.knee import counters, stored
from bench.knee.ears import Ears
from bench.knee.processes import Ended, Taken, memory_mb, yardstick_ms
from bench.knee.steps import Step, bottleneck, percentile
from bench_process import BenchProcess
from contracts.backplane import BUSES_PER_CHARGE_POINT
from real_parts import directory_open_to_postgres, wait_until

SAMPLED = 50
"""Charge points whose buses are listened to; more would take from what is measured."""
START_S, START_EACH_S = 90.0, 0.2
"""How long connections, modules, transactions may take: so long, and so much for each charge point."""
SETTLE_S = 30.0
"""How long what the start has piled up may take to be stored."""
DRAIN_S = 30.0
"""What is not committed so long after the window counts as lost."""
_AT_ONCE = 4
_INTERVAL = "METER_VALUE_SAMPLE_INTERVAL_S"

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What is the same in every step."""

    window_s: float = 30.0
    interval_s: int = 1
    """Between two MeterValues of a charge point; the CAN side stays at 1 Hz."""
    history: int = 0
    """Readings that the memory has from before."""


def measured(charge_points: int, conditions: Conditions, say: Say) -> Step:
    """Return what a number of charge points comes to; `failed` where the bench cannot be measured."""
    try:
        with _started(charge_points, conditions, say) as bench:
            return _Running(bench, charge_points, conditions, say).step()
    except (
        pytest.fail.Exception,
        AssertionError,
        OSError,
        subprocess.SubprocessError,
        httpx.HTTPError,
        psycopg.Error,
        Ended,
        KeyError,
    ) as error:
        return Step(charge_points=charge_points, failed=f"{type(error).__name__}: {error}"[-500:])


@contextlib.contextmanager
def _started(charge_points: int, conditions: Conditions, say: Say) -> Iterator[BenchProcess]:
    with directory_open_to_postgres() as directory:
        arguments = ("--per-process", str(charge_points), "--scenario-plan", "none", "--log-level", "WARNING")
        bench = BenchProcess(directory / "bench", charge_points, arguments)
        say("making its database")
        stored.prepare(bench.home, conditions.history)
        say("starting")
        try:
            with _environment(_INTERVAL, str(conditions.interval_s)):
                bench.start()
            yield bench
        finally:
            say("ending")
            bench.stop(timeout_s=90)


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


class _Running:
    def __init__(self, bench: BenchProcess, count: int, conditions: Conditions, say: Say) -> None:
        self._bench, self._count, self._conditions, self._say = bench, count, conditions, say
        self._names = [f"CP-{number}" for number in range(1, count + 1)]
        every = max(1, math.ceil(count / SAMPLED))
        self._sample = self._names[::every]
        self._described = bench.described

    def step(self) -> Step:
        base = self._described["can_base_port"]
        numbers = {name: int(name.removeprefix("CP-")) - 1 for name in self._sample}
        buses = {name: base + number * BUSES_PER_CHARGE_POINT for name, number in numbers.items()}
        with Ears(buses) as ears:
            self._wait_for("charge_points_online")
            self._wait_for("modules")
            self._start_charging()
            self._wait_for("transactions")
            self._settle()
            return self._measure(ears)

    def _counted(self) -> counters.Counted:
        return counters.read(self._described["metrics"])

    def _wait_for(self, gauge: str) -> None:
        """Wait until the gauge of the chargepoint process is as high as there are charge points."""
        name = self._names[0]
        address = {name: self._described["metrics"][name]}

        def all_of_them() -> bool:
            time.sleep(0.3)
            found = counters.read(address)["chargepoint"][gauge]
            self._say(f"{gauge.replace('_', ' ')}: {found:.0f} of {self._count}")
            return found >= self._count

        limit_s = START_S + START_EACH_S * self._count
        wait_until(all_of_them, timeout_s=limit_s, what=f"{gauge} of all {self._count}")

    def _start_charging(self) -> None:
        """Start a transaction at every charge point, by the CSMS's API, as a person would."""
        self._say("starting to charge")
        with (
            httpx.Client(
                base_url=self._described["csms_api"],
                headers=self._bench.token,
                timeout=60,
                trust_env=False,
            ) as client,
            ThreadPoolExecutor(_AT_ONCE) as hands,
        ):
            list(hands.map(partial(_start, client), self._names))

    def _settle(self) -> None:
        """Wait until less than a second's worth waits in outboxes and at charge points, or SETTLE_S."""
        until_s = time.monotonic() + SETTLE_S
        before = self._counted()
        while time.monotonic() < until_s:
            self._say("letting the start be stored")
            time.sleep(1)
            now = self._counted()
            waiting = counters.backlogs(before, now)
            waiting.pop(counters.ROLLUPS)  # they come in rounds
            if all(backlog.after <= backlog.a_second for backlog in waiting.values()):
                return
            before = now

    def _measure(self, ears: Ears) -> Step:
        programs, ask, window_s = self._described["processes"], self._bench.query, self._conditions.window_s
        restarts = self._bench.described["restarts"]
        counted, written = self._counted(), stored.written(ask)
        taken, since, begun_s = Taken.now(programs), datetime.now(UTC), time.monotonic()
        yardsticks_ms = []
        while (past_s := time.monotonic() - begun_s) < window_s:
            self._say(f"measuring: {past_s:.0f} of {window_s:g} s")
            yardsticks_ms.append(yardstick_ms())
            time.sleep(max(0.0, min(1.0, window_s - past_s)))
        until, took_s, now_taken = datetime.now(UTC), time.monotonic() - begun_s, Taken.now(programs)
        now_counted, now_written = self._counted(), stored.written(ask)
        memory = memory_mb(programs)
        complete = self._drain(until)
        counted_late = counters.moved(counted, self._counted())
        cpu = now_taken.since(taken)
        busy_cores, measuring_cores = now_taken.of_machine_since(taken)
        foreign_cores = max(0.0, busy_cores - measuring_cores - sum(cpu.values()))
        busiest = now_taken.busiest_since(taken)
        backlogs = counters.backlogs(counted, now_counted)
        lost = stored.lost(ask, self._names, since, until, interval_s=self._conditions.interval_s)
        if complete:  # else it stands there as readings
            lost |= counters.lost(counted_late)
        died = {f"restarts of {name}": float(count) for name, count in self._restarts(restarts).items()}
        delays = stored.delays_s(
            ears.sent(since.timestamp(), until.timestamp()), stored.rows(ask, self._sample, since)
        )
        wal, growth = now_written.since(written)
        return Step(
            charge_points=self._count,
            window_s=took_s,
            frames=len(delays),
            median_s=percentile(delays, 0.5),
            p95_s=percentile(delays, 0.95),
            longest_s=percentile(delays, 1.0),
            rows_p95_s=stored.row_p95_s(ask, since, until),
            readings_a_second=counters.a_second(counted, now_counted, "memorybank", "readings_stored"),
            events_a_second=counters.a_second(counted, now_counted, "memorybank", *counters.STORED),
            lost=lost | died,
            counters=counted_late,
            cpu=cpu,
            busiest=busiest,
            busy_cores=busy_cores,
            measuring_cores=measuring_cores,
            foreign_cores=foreign_cores,
            yardstick_ms=percentile(yardsticks_ms, 0.5),
            memory_mb=memory,
            backlogs=backlogs,
            wal_bytes_a_second=wal,
            database_bytes_a_second=growth,
            bottleneck=bottleneck(
                busiest,
                cpu,
                backlogs,
                cores=len(os.sched_getaffinity(0)),
                busy_cores=busy_cores,
                foreign_cores=foreign_cores,
            ),
        )

    def _restarts(self, before: dict[str, int]) -> dict[str, int]:
        now = self._bench.described["restarts"]
        return {
            name: count - before.get(name, 0) for name, count in now.items() if count > before.get(name, 0)
        }

    def _drain(self, until: datetime) -> bool:
        """Wait until everything of the window is committed, or DRAIN_S; return whether it is."""
        limit_s = time.monotonic() + DRAIN_S + self._conditions.interval_s
        while time.monotonic() < limit_s:
            if stored.all_are_beyond(self._bench.query, self._names, until):
                return True
            self._say("waiting for what is under way")
            time.sleep(1)
        return False


def _start(client: httpx.Client, charge_point_id: str) -> None:
    order = {"action": "RemoteStartTransaction", "payload": {"idTag": "BENCH", "connectorId": 1}}
    answer = client.post(f"/api/charge-points/{charge_point_id}/commands", json=order)
    answer.raise_for_status()
    assert answer.json()["outcome"] == "Accepted", (charge_point_id, answer.text)

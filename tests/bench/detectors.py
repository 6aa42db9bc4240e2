"""What all detectors cost: time for each reading of CAN with everything else of its second, and memory."""

import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bench.life import Fleet
from bench.report import Report, Row, told
from contracts.events import AnyEvent, Reading
from lab.score.baselines import HalfSpaceTrees, Stumpi
from memorybank.detectors import found
from memorybank.watch import Watch

CHARGE_POINTS = 10
SECONDS = 1000
ROUNDS = 3
GOAL_US = 15.0
GOAL_KB = 8.0
STUMPI_READINGS = 600
"""Timed after the ten minutes that it needs before it says anything."""


def measure(report: Report) -> None:
    """Measure the detectors against river's HalfSpaceTrees and stumpy's stumpi, in turns on the same life."""
    told(f"detectors: {CHARGE_POINTS} charge points for {SECONDS} s")
    events = _life(report.seed)
    readings = [event for event in events if _is_current(event)]
    ours_us, trees_us, stumpi_us = [], [], []
    for _ in range(ROUNDS):
        ours_us.append(_us(lambda: _watched(events), len(readings)))
        trees_us.append(_us(lambda: _scored(HalfSpaceTrees(1), readings), len(readings)))
        stumpi_us.append(_stumpi_us(readings))
    ours = min(ours_us)
    for name, theirs in (("HalfSpaceTrees", trees_us), ("stumpi", stumpi_us)):
        report.add(
            Row(
                name=f"detectors: a reading with all of its second, all {len(found())} detectors",
                unit="us",
                ours=ours,
                baseline=min(theirs),
                baseline_name=f"{name}, current alone",
                goal=f"<= {GOAL_US:g} us",
                met=ours <= GOAL_US,
            )
        )
    state_kb = _state_kb(events)
    report.add(
        Row(
            name="detectors: state of a charge point",
            unit="kB",
            ours=state_kb,
            goal=f"< {GOAL_KB:g} kB",
            met=state_kb < GOAL_KB,
        )
    )


def _life(seed: int) -> list[AnyEvent]:
    fleet, begin = Fleet(CHARGE_POINTS, seed), datetime(2026, 3, 1, 12, tzinfo=UTC)
    return [event for n in range(SECONDS) for _, event in fleet.second(begin + timedelta(seconds=n))]


def _is_current(event: AnyEvent) -> bool:
    return isinstance(event, Reading) and event.origin == "can"


def _us(run: Callable[[], object], count: int) -> float:
    begun_s = time.perf_counter()
    run()
    return (time.perf_counter() - begun_s) / count * 1e6


def _watched(events: list[AnyEvent]) -> Watch:
    watch = Watch(found())
    for event in events:
        watch.observe(event, 0.0)
    return watch


def _scored(scorer: HalfSpaceTrees | Stumpi, readings: list[AnyEvent]) -> None:
    for reading in readings:
        scorer.score(reading)


def _stumpi_us(readings: list[AnyEvent]) -> float:
    scorer = Stumpi(1)
    of_one = [reading for reading in readings if reading.charge_point_id == readings[0].charge_point_id]
    warming, timed = of_one[: -STUMPI_READINGS // 2], of_one[-STUMPI_READINGS // 2 :]
    _scored(scorer, warming)
    return _us(lambda: _scored(scorer, timed), len(timed))


def _state_kb(events: list[AnyEvent]) -> float:
    """Return what the watch keeps after all this life; the events themselves are not its own."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        watch = _watched(events)
        after, _ = tracemalloc.get_traced_memory()
        del watch
    finally:
        tracemalloc.stop()
    return (after - before) / 1024 / CHARGE_POINTS

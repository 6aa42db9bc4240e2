"""What detectors cost, together and each: memory, and time for a reading of CAN with all of its second."""

import gc
import math
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from functools import partial

from bench.life import Fleet
from bench.report import Report, Row, told
from contracts.events import AnyEvent, Reading
from lab.score.baselines import HalfSpaceTrees, Stumpi
from memorybank.detector import AnyDetector, Place, no_tick
from memorybank.detectors import found
from memorybank.watch import FORGET_S, SILENCE_S, Watch

CHARGE_POINTS = 10
FEW = 4
"""The same share of them is attacked: the difference is what a charge point adds."""
SECONDS = 400
ROUNDS = 3
SLICE = 500
"""Events after which it is another's turn: some hundredths of a second."""
GOAL_US = 15.0
GOAL_KB = 8.0
STUMPI_SECONDS, STUMPI_READINGS = 900, 200
"""It is timed after the ten minutes that it needs before it says anything."""

_ALL, _WATCH, _TREES = "all", "the watch by itself", "HalfSpaceTrees"


def measure(report: Report) -> None:
    """Measure the detectors against river's HalfSpaceTrees and stumpy's stumpi, in turns on the same life."""
    told(f"detectors: {CHARGE_POINTS} charge points for {SECONDS} s, {ROUNDS} times")
    events = _life(report.seed, CHARGE_POINTS, SECONDS)
    readings = sum(map(_is_current, events))
    sets = _sets()
    gc.collect()
    gc.freeze()  # the life that was made beforehand is nobody's to look through
    try:
        took_us = {name: took_s / readings * 1e6 for name, took_s in _took_s(events, sets).items()}
        alone = _life(report.seed, 1, STUMPI_SECONDS)
        stumpi_us = min(_stumpi_us(alone) for _ in range(ROUNDS))
    finally:
        gc.unfreeze()
    few = _life(report.seed, FEW, SECONDS)
    kb = {name: _state_kb(few, events, detectors) for name, detectors in sets.items()}
    ours, state_kb = took_us[_ALL], kb[_ALL]
    for name, theirs_us in (("HalfSpaceTrees", took_us[_TREES]), ("stumpi", stumpi_us)):
        report.add(
            Row(
                name=f"detectors: a reading with all of its second, all {len(found())} detectors",
                unit="us",
                ours=ours,
                baseline=theirs_us,
                baseline_name=f"{name}, current alone",
                goal=f"<= {GOAL_US:g} us",
                met=ours <= GOAL_US,
            )
        )
    report.add(
        Row(
            name="detectors: state of a charge point",
            unit="kB",
            ours=state_kb,
            goal=f"< {GOAL_KB:g} kB",
            met=state_kb < GOAL_KB,
        )
    )
    # What two detectors share is in the figures of both.
    own = {name: (took_us[name] - took_us[_WATCH], kb[name] - kb[_WATCH]) for name in sets}
    own[_WATCH] = took_us[_WATCH], kb[_WATCH]
    del own[_ALL]
    for name, (own_us, own_kb) in sorted(own.items(), key=lambda figures: -figures[1][0]):
        report.add(
            Row(
                name=f"detectors: of that {name}; its state {own_kb:.2f} kB",
                unit="us",
                ours=own_us,
                baseline=ours,
                baseline_name="all together",
            )
        )


def _sets() -> dict[str, tuple[AnyDetector, ...]]:
    """Return all detectors, then such as do nothing, so that the watch is left, and each one beside those."""
    inert = {detector.name: _inert(detector) for detector in found()}
    each = {detector.name: tuple((inert | {detector.name: detector}).values()) for detector in found()}
    return {_ALL: found(), _WATCH: tuple(inert.values()), **each}


def _took_s(events: list[AnyEvent], sets: dict[str, tuple[AnyDetector, ...]]) -> dict[str, float]:
    """Return the processor time of each set over the life, and of the trees: slice by slice, all in turns.

    Of the rounds the fastest counts in each slice, so that what else the machine does falls on nobody alone.
    """
    slices = [events[begin : begin + SLICE] for begin in range(0, len(events), SLICE)]
    best_s = {name: [math.inf] * len(slices) for name in (*sets, _TREES)}
    for _ in range(ROUNDS):
        takers = {name: partial(_watch, Watch(detectors)) for name, detectors in sets.items()}
        takers[_TREES] = partial(_score, HalfSpaceTrees(1))
        for index, part in enumerate(slices):
            for name, take in takers.items():
                begun_s = time.process_time()
                take(part)
                best_s[name][index] = min(best_s[name][index], time.process_time() - begun_s)
    return {name: sum(slices_s) for name, slices_s in best_s.items()}


def _inert(detector: AnyDetector) -> AnyDetector:
    """Return a detector that is given the same and does nothing."""
    tick = no_tick if type(detector).tick is no_tick else _idle
    inert: AnyDetector = type(
        "Inert", (type(detector),), {"start": _stateless, "step": _idle, "tick": tick}
    )()
    return inert


def _stateless(_detector: AnyDetector, _place: Place) -> None:
    return None


def _idle(_detector: AnyDetector, _state: None, _event: object) -> None:
    return None


def _life(seed: int, charge_points: int, seconds: int) -> list[AnyEvent]:
    fleet, begin = Fleet(charge_points, seed), datetime(2026, 3, 1, 12, tzinfo=UTC)
    return [event for n in range(seconds) for _, event in fleet.second(begin + timedelta(seconds=n))]


def _is_current(event: AnyEvent) -> bool:
    return isinstance(event, Reading) and event.origin == "can"


def _watch(watch: Watch, events: list[AnyEvent]) -> None:
    for event in events:
        watch.observe(event, 0.0)


def _score(scorer: HalfSpaceTrees | Stumpi, events: list[AnyEvent]) -> None:
    for event in events:
        if _is_current(event):
            scorer.score(event)


def _stumpi_us(events: list[AnyEvent]) -> float:
    scorer = Stumpi(1)
    readings = [event for event in events if _is_current(event)]
    warming, timed = readings[:-STUMPI_READINGS], readings[-STUMPI_READINGS:]
    _score(scorer, warming)
    begun_s = time.process_time()
    _score(scorer, timed)
    return (time.process_time() - begun_s) / len(timed) * 1e6


def _state_kb(of_few: list[AnyEvent], of_many: list[AnyEvent], detectors: tuple[AnyDetector, ...]) -> float:
    """Return what each further charge point adds to what a watch keeps of its places and the fleet."""
    added_kb = _places_kb(of_many, detectors) - _places_kb(of_few, detectors)
    return added_kb / (CHARGE_POINTS - FEW)


def _places_kb(events: list[AnyEvent], detectors: tuple[AnyDetector, ...]) -> float:
    """Return what a watch lets go of that forgets its places after all this life, when no anomaly is open."""
    watch = Watch(detectors)
    tracemalloc.start()
    try:
        _watch(watch, events)
        watch.expire(SILENCE_S)
        before, _ = tracemalloc.get_traced_memory()
        watch.expire(FORGET_S)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (before - after) / 1024

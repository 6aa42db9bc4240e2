"""Worker processes that simulate the charge points of a fleet and write their parts."""

import time
from collections.abc import Callable, Iterator
from ctypes import c_double
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lab import pool
from lab.data_set.parts import Blocks, Part, write
from lab.data_set.tables import Row, micros
from lab.simulated.charge_point import ChargePoint
from lab.simulated.fleet import Fleet, plan

LOOK_S = 600.0
"""Of simulated time, between two looks at whether to go on."""
_reached_s: list[Any] = []
"""How far each charge point's simulation is, in an array that all processes share."""


@dataclass(frozen=True, slots=True)
class Lived:
    """What it took: seconds of charge-point life, those of them lived one by one, processor time."""

    life_s: float = 0.0
    occupied_s: float = 0.0
    processor_s: float = 0.0

    def __add__(self, other: "Lived") -> "Lived":
        return Lived(
            self.life_s + other.life_s,
            self.occupied_s + other.occupied_s,
            self.processor_s + other.processor_s,
        )

    @property
    def occupied_share(self) -> float:
        """The share of time in which something happened."""
        return self.occupied_s / self.life_s if self.life_s else 0.0


def simulate(
    fleet: Fleet,
    begin_at: datetime,
    directory: Path,
    *,
    workers: int,
    shows_wire: bool,
    tell: Callable[[float], None],
) -> Lived:
    """Write the part of every charge point; `tell` is given the share that is done, now and then.

    What is written depends on the fleet and begin alone, not on the number of workers. Where it is
    interrupted, or a part fails, all processes have ended when that is raised, which is soon.
    """
    reached_s = pool.CONTEXT.Array(c_double, fleet.charge_points, lock=False)
    with pool.pool(workers, _share, reached_s) as processes:
        given_out = [
            processes.submit(_part, fleet, number, begin_at, directory, shows_wire)
            for number in range(fleet.charge_points)
        ]
        in_all_s = fleet.charge_points * fleet.lasts_in_all_s
        return sum(pool.results(given_out, lambda _: tell(sum(reached_s[:]) / in_all_s)), Lived())


def blocks_of(fleet: Fleet, begin_at: datetime) -> Blocks:
    """Return the hours that the fleet's life spans."""
    end_at = begin_at + timedelta(seconds=fleet.lasts_in_all_s)
    return Blocks.spanning(micros(begin_at), micros(end_at))


def _share(reached_s: Any) -> None:
    _reached_s[:] = [reached_s]


def _part(fleet: Fleet, number: int, begin_at: datetime, directory: Path, shows_wire: bool) -> Lived:
    started_s = time.process_time()
    charge_point = ChargePoint(
        plan(fleet, number), number, seed=fleet.seed, begin_at=begin_at, shows_wire=shows_wire
    )
    begin_us = micros(begin_at)

    def rows() -> Iterator[Row]:
        told_s = 0.0
        for seq, (arrived_s, event) in enumerate(charge_point.run(fleet.lasts_in_all_s), 1):
            if arrived_s - told_s >= LOOK_S:
                _reached_s[0][number] = told_s = arrived_s
                pool.look()
            yield Row(begin_us + round(arrived_s * 1_000_000), seq, event)

    write(Part(directory, number), rows(), blocks_of(fleet, begin_at))
    _reached_s[0][number] = fleet.lasts_in_all_s
    return Lived(fleet.lasts_in_all_s, charge_point.lived_s, time.process_time() - started_s)

"""Draws from fitted figures: quantile tables, and several of them that hang together (a Gaussian copula)."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from random import Random
from statistics import NormalDist
from typing import Literal, TypeAlias, get_args

LEVELS = (0.0, 0.01, *(step / 20 for step in range(1, 20)), 0.99, 0.998)
"""Where quantiles stand. Above the last there is nothing: measured extremes are mostly errors."""

PartOfDay: TypeAlias = Literal["night", "morning", "midday", "afternoon", "evening"]
PARTS_OF_DAY: tuple[PartOfDay, ...] = get_args(PartOfDay)
_BEGINS_H = (6, 10, 14, 18)
_NORMAL = NormalDist()


def part_of_day(hour: int) -> PartOfDay:
    """Return in which part of the day an hour (0 to 23) lies."""
    return PARTS_OF_DAY[bisect_right(_BEGINS_H, hour)]


def quantile(table: Sequence[float], share: float) -> float:
    """Return the value below which this share (0 to 1) lies; straight between LEVELS."""
    right = min(bisect_right(LEVELS, share), len(LEVELS) - 1)
    x0, x1 = LEVELS[right - 1], LEVELS[right]
    within = min(1.0, (share - x0) / (x1 - x0))
    return table[right - 1] + (table[right] - table[right - 1]) * within


def shares(rng: Random, mix: Sequence[Sequence[float]]) -> list[float]:
    """Return uniform numbers that hang together as `mix` (of `mixing`) says."""
    scores = [rng.gauss(0.0, 1.0) for _ in mix]
    return [_NORMAL.cdf(sum(w * s for w, s in zip(row, scores, strict=False))) for row in mix]


def mixing(correlations: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return the Cholesky factor of a correlation matrix: independent scores times it are correlated so."""
    rows: list[list[float]] = []
    for i, wanted in enumerate(correlations):
        row: list[float] = []
        for j in range(i):
            known = sum(a * b for a, b in zip(row, rows[j], strict=False))
            row.append((wanted[j] - known) / rows[j][j])
        row.append(math.sqrt(1 - sum(value * value for value in row)))
        rows.append(row)
    return rows

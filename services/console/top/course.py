"""A connector's current over the last minute, in cells of a terminal. Pure."""

import math
from collections.abc import Sequence

from console.top.picture import Sample
from console.window import STALE_AFTER_S

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def course(samples: Sequence[Sample], now_s: float, span_s: float, columns: int) -> list[float | None]:
    """Return the highest value in each column of time; where none is in it the last, until it is stale."""
    if columns < 1:
        return []
    width_s = span_s / columns
    begin_s = now_s - span_s
    found: list[float | None] = [None] * columns
    for at_s, value in samples:
        column = math.ceil((at_s - begin_s) / width_s) - 1
        if 0 <= column < columns:
            before = found[column]
            found[column] = value if before is None else max(before, value)
    held: Sample | None = None
    at = 0
    for column in range(columns):
        end_s = begin_s + (column + 1) * width_s
        while at < len(samples) and samples[at][0] <= end_s:
            held = samples[at]
            at += 1
        if found[column] is None and held is not None and end_s - held[0] <= max(STALE_AFTER_S, width_s):
            found[column] = held[1]
    return found


def graph(values: Sequence[float | None], highest: float, rows: int) -> list[str]:
    """Return lines, the top one first, that draw the values from 0 to `highest`; None is a gap."""
    full = 8 * rows
    heights = [
        0 if value is None else max(1, min(full, round(max(0.0, value) / highest * full))) for value in values
    ]
    return [
        "".join(_EIGHTHS[max(0, min(8, height - 8 * row))] for height in heights)
        for row in range(rows - 1, -1, -1)
    ]


def scale_of(highest: float) -> float:
    """Return a round number that is not below it: the top of a scale."""
    if not 1e-9 < highest < 1e9:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(step * power for step in _STEPS if step * power >= highest or step == _STEPS[-1])

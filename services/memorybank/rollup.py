"""Keeping the rollups of the readings up to date, from what the tables hold; memory sums up nothing."""

from collections.abc import Sequence
from typing import Any

import psycopg

from memorybank.sql import queries


def _statement() -> bytes:
    parts = {name: text.decode() for name, text in queries("rollup.sql").items()}
    coarser = [
        parts["coarser"].format(rows=rows, finer=finer, stretch=stretch)
        for rows, finer, stretch in (("minutes", "tens", "1 minute"), ("hours", "minutes", "1 hour"))
    ]
    written = [
        parts["written"].format(level=level, rows=rows)
        for level, rows in (("10s", "tens"), ("1m", "minutes"), ("1h", "hours"))
    ]
    return parts["advance"].format(coarser=",\n".join(coarser), written=",\n".join(written)).encode()


_ADVANCE = _statement()
_ROWS = 5_000
"""Readings of one call: some tenth of a second's work, since the writer waits for it."""
_TURNS = 4
_STRETCH_S = 10.0
_ARRIVED_AFTER_S = 1.5
"""Readings are committed so long after they were measured, or a little sooner."""


def advance(connection: psycopg.Connection[Any], partitions: Sequence[int], *, rows: int = _ROWS) -> int:
    """Add readings that are not in the rollups yet, of the sources of these partitions, up to `rows` of them.

    Return how many numbers are left: 0 is caught up. Exactly once: what was added is noted in the same
    statement, so it may be cut off anywhere, called by two at once, and called again.
    """
    parameters = {"partitions": list(partitions), "rows": rows}
    row = connection.execute(_ADVANCE, parameters).fetchone()
    return int(row[0]) if row else 0


class Turns:
    """Whose readings are next: a fourth of the partitions', so that between two turns rows are stored.

    Fewer readings of everybody instead would write each row of the rollups several times.
    """

    def __init__(self, partitions: Sequence[int]) -> None:
        self._parts = [part for number in range(_TURNS) if (part := partitions[number::_TURNS])]
        self._left = [0] * len(self._parts)
        self._next = 0

    @property
    def partitions(self) -> Sequence[int]:
        """The partitions whose turn it is."""
        return self._parts[self._next]

    @property
    def left(self) -> int:
        """Numbers that the latest turn of each left."""
        return sum(self._left)

    def __len__(self) -> int:
        """Return how many turns a round has."""
        return len(self._parts)

    def taken(self, left: int) -> bool:
        """Note what this turn left; return whether a round is over."""
        self._left[self._next] = left
        self._next = (self._next + 1) % len(self._parts)
        return self._next == 0


def due_in_s(now_s: float) -> float:
    """Return the seconds until a stretch of 10 s is over and its readings have come; `now_s` since the epoch.

    Rolled up then, most rows of the finest level are written once; sooner, each would be several times.
    """
    return _STRETCH_S - (now_s - _ARRIVED_AFTER_S) % _STRETCH_S

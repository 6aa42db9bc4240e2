"""Instants with a current each, the oldest first: one array of pairs for what is rare and kept for long.

An array is as large as what is in it: while that becomes more, each is a new one. All that have none yet
share one.
"""

from array import array
from typing import TypeAlias

Moments: TypeAlias = "array[float]"

_NONE: Moments = array("d")


def none() -> Moments:
    """Return those of whoever has none yet, which most never have."""
    return _NONE


def added(moments: Moments, at_s: float, current_a: float, keep: int) -> Moments:
    """Return these and one more, `keep` at most: they are given away for what is returned."""
    if len(moments) < 2 * keep:
        return moments + array("d", (at_s, current_a))
    del moments[:2]
    moments.append(at_s)
    moments.append(current_a)
    return moments


def instants(moments: Moments) -> Moments:
    """Return when each was, in seconds."""
    return moments[::2]


def currents(moments: Moments) -> Moments:
    """Return the current of each, in amperes."""
    return moments[1::2]

"""Learned patterns: anomalies of a charge point that look alike, so that a new one recalls the others.

It recalls the like of it at other charge points too.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from msgspec import Struct, structs

from contracts.events import FLEET, Anomaly

_TOLERANCE = 0.25
"""Sampling at 1 Hz alone moves the peak of a short pulse by so much."""
_UNITS = ("_s", "_a", "_w", "_v", "_wh", "_c", "_hz", "_min", "_percent")
_RATIOS = frozenset({"gain", "ratio", "factor"})
_WITHIN = {"duty": 0.2, "share": 0.2, "share_of_usual": 0.2, "phase": 0.15, "direction": 0.5}
"""What has no unit, and by how much it may differ. Other names count something that grows while it lasts."""

MOST = 5000
"""Patterns kept in memory: what was not seen for longest is forgotten; its row stays."""
MOST_OF_A_KIND = 50
"""The same, of one kind at one charge point: what is like nothing before must not push out all others."""


class Pattern(Struct, frozen=True, kw_only=True):
    """What `count` anomalies of a kind on a charge point have in common; `signature` is their mean."""

    id: UUID
    charge_point_id: str
    kind: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    signature: dict[str, float]


def distance(signature: dict[str, float], other: dict[str, float]) -> float:
    """Return how far apart two signatures of one kind are: 1 is as far as two that are alike may be.

    Compared is what both have: with a unit in its name or a ratio, by a quarter; a share, by its difference.
    """
    return max(
        (_apart(name, signature[name], other[name]) for name in signature if name in other), default=0.0
    )


def alike(signature: dict[str, float], other: dict[str, float]) -> bool:
    """Return whether two signatures of one kind may be the same."""
    return distance(signature, other) <= 1.0


def _apart(name: str, one: float, other: float) -> float:
    if name in _WITHIN:
        return abs(one - other) / _WITHIN[name]
    if one != other and (name in _RATIOS or name.endswith(_UNITS)):
        return abs(one - other) / (_TOLERANCE * max(abs(one), abs(other)))
    return 0.0


def nearest(patterns: Iterable[Pattern], anomaly: Anomaly) -> Pattern | None:
    """Return the pattern that is most like an anomaly of its kind, if one is."""
    apart = ((distance(pattern.signature, anomaly.pattern), pattern) for pattern in patterns)
    found = min(apart, key=lambda pair: (pair[0], -pair[1].count), default=(2.0, None))
    return found[1] if found[0] <= 1.0 else None


def learned(patterns: Iterable[Pattern], anomaly: Anomaly) -> Pattern:
    """Return the pattern that a newly opened anomaly shows, with the anomaly counted in.

    `patterns` are those of its kind on its charge point; where none is like it, a new one begins.
    """
    known = nearest(patterns, anomaly)
    if known is None:
        return Pattern(
            id=anomaly.id,
            charge_point_id=anomaly.charge_point_id,
            kind=anomaly.kind,
            count=1,
            first_seen_at=anomaly.started_at,
            last_seen_at=anomaly.started_at,
            signature=anomaly.pattern,
        )
    count = known.count + 1
    mean = {
        name: known.signature.get(name, value) + (value - known.signature.get(name, value)) / count
        for name, value in anomaly.pattern.items()
    }
    return structs.replace(
        known,
        count=count,
        first_seen_at=min(known.first_seen_at, anomaly.started_at),
        last_seen_at=max(known.last_seen_at, anomaly.started_at),
        signature={name: round(value, 3) for name, value in mean.items()},
    )


def recollection(pattern: Pattern, elsewhere: Pattern | None = None) -> str:
    """Return what the pattern recalls, as the end of an explanation; `elsewhere`: the like of it there."""
    here = _where(pattern)
    told = f"the first of its kind {here}"
    if pattern.count > 1:
        told = f"the {_ordinal(pattern.count)} time {here}, first seen {_day(pattern)}"
    if elsewhere is None:
        return told
    times = "once" if elsewhere.count == 1 else f"{elsewhere.count} times"
    return f"{told}, the same as {_where(elsewhere)} ({times}, first seen {_day(elsewhere)})"


class Patterns:
    """The patterns that are recalled, by kind and charge point; bounded."""

    def __init__(self, known: Iterable[Pattern] = ()) -> None:
        """Take the known ones, as many as are kept."""
        self._by_id: dict[UUID, Pattern] = {}
        self._by_kind: dict[str, dict[str, dict[UUID, Pattern]]] = {}
        for pattern in sorted(known, key=lambda pattern: pattern.last_seen_at):
            self.keep(pattern)

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._by_id)

    def get(self, pattern_id: UUID) -> Pattern | None:
        """Return a pattern, if it is kept."""
        return self._by_id.get(pattern_id)

    def of(self, charge_point_id: str, kind: str) -> Collection[Pattern]:
        """Return a charge point's patterns of a kind."""
        return self._by_kind.get(kind, {}).get(charge_point_id, {}).values()

    def elsewhere(self, anomaly: Anomaly) -> Pattern | None:
        """Return the pattern of another charge point that is most like an anomaly, if one is."""
        places = self._by_kind.get(anomaly.kind, {}).items()
        others = [p for place, known in places if place != anomaly.charge_point_id for p in known.values()]
        return nearest(others, anomaly)

    def keep(self, pattern: Pattern) -> None:
        """Keep a pattern, new or as it is known now; forget what was not seen for longest."""
        own = self._by_kind.setdefault(pattern.kind, {}).setdefault(pattern.charge_point_id, {})
        # A pattern that is seen again moves to the end: the first was not seen for longest.
        own.pop(pattern.id, None)
        self._by_id.pop(pattern.id, None)
        own[pattern.id] = self._by_id[pattern.id] = pattern
        if len(own) > MOST_OF_A_KIND:
            self._forget(next(iter(own.values())))
        elif len(self._by_id) > MOST:
            self._forget(next(iter(self._by_id.values())))

    def _forget(self, pattern: Pattern) -> None:
        del self._by_id[pattern.id]
        places = self._by_kind[pattern.kind]
        del places[pattern.charge_point_id][pattern.id]
        if not places[pattern.charge_point_id]:
            del places[pattern.charge_point_id]


def _where(pattern: Pattern) -> str:
    return "in the fleet" if pattern.charge_point_id == FLEET else f"on {pattern.charge_point_id}"


def _day(pattern: Pattern) -> str:
    return f"{pattern.first_seen_at:%Y-%m-%d %H:%M} UTC"


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"

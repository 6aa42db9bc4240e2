"""Learned patterns: anomalies of a charge point that look alike, so that a new one recalls the others."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct, structs

from contracts.events import Anomaly

_FEATURES = ("period_s", "amplitude_a")
_TOLERANCE = 0.25
"""Sampling at 1 Hz alone moves the peak of a short pulse by so much."""


class Pattern(Struct, frozen=True, kw_only=True):
    """What `count` anomalies of a kind on a charge point have in common; `signature` is their mean."""

    id: UUID
    charge_point_id: str
    kind: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    signature: dict[str, float]


def alike(signature: dict[str, float], other: dict[str, float]) -> bool:
    """Return whether two signatures of one kind differ by a quarter at most, feature by feature."""
    return all(
        abs(signature[name] - other[name]) <= _TOLERANCE * max(abs(signature[name]), abs(other[name]))
        for name in _FEATURES
        if name in signature and name in other
    )


def learned(patterns: list[Pattern], anomaly: Anomaly) -> Pattern:
    """Return the pattern that a newly opened anomaly shows, with the anomaly counted in.

    `patterns` are those of its kind on its charge point; where none is like it, a new one begins.
    """
    known = next((pattern for pattern in patterns if alike(pattern.signature, anomaly.pattern)), None)
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


def recollection(pattern: Pattern) -> str:
    """Return what the pattern recalls, as the end of an explanation."""
    if pattern.count == 1:
        return f"the first of its kind on {pattern.charge_point_id}"
    seen_at = f"{pattern.first_seen_at:%Y-%m-%d %H:%M} UTC"
    return f"the {_ordinal(pattern.count)} time on {pattern.charge_point_id}, first seen {seen_at}"


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"

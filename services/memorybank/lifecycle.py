"""An anomaly's life: from the signs that detectors see to what is told: opened, updated, closed.

The first sign opens. Severity, score and deviation never fall. After a minute of event time without a sign it
is over, as of its last sign. All detectors of a place that see the same kind tell of one anomaly.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from msgspec import structs

from contracts.events import SEVERITIES, Anomaly
from memorybank.detector import Place, Sign

QUIET = timedelta(seconds=60)
"""Signs are told again every 20 s: three that are missing are an end."""
UPDATE = timedelta(seconds=10)
"""Nobody reads faster, and every update is a row to write."""


@dataclass(slots=True)
class Life:
    """An open anomaly as it is known, when its last sign was seen, and as of when it was told."""

    anomaly: Anomaly
    signed_at: datetime
    told_at: datetime


def anomaly_id(charge_point_id: str, connector: int, kind: str, started_at: datetime) -> UUID:
    """Return the anomaly's id; the same facts give the same id, so that a repetition adds nothing."""
    instant = started_at.astimezone(UTC).isoformat()
    return uuid5(NAMESPACE_URL, f"chargebench:{kind}/{connector}/{instant}/{charge_point_id}")


def opened(place: Place, sign: Sign, at: datetime) -> Life:
    """Return the life that a first sign, seen at `at`, begins. Raises ValueError where a number is none."""
    _check(sign)
    started_at = min(sign.since, at)
    anomaly = Anomaly(
        id=anomaly_id(place.charge_point_id, place.connector, sign.kind, started_at),
        charge_point_id=place.charge_point_id,
        connector=place.connector,
        kind=sign.kind,
        severity=sign.severity,
        phase="opened",
        started_at=started_at,
        detected_at=at,
        updated_at=at,
        score=sign.score,
        threshold=sign.threshold,
        deviation=sign.deviation,
        pattern=dict(sign.pattern),
        explanation=sign.explanation,
    )
    return Life(anomaly, at, at)


def resumed(anomaly: Anomaly) -> Life:
    """Return the life of an anomaly that was open before a restart."""
    return Life(anomaly, anomaly.updated_at, anomaly.updated_at)


def signed(life: Life, sign: Sign, at: datetime) -> Anomaly | None:
    """Take a further sign; return what is to be told now, if anything. Raises ValueError as `opened` does."""
    _check(sign)
    known = life.anomaly
    at = max(at, life.signed_at)
    rises = SEVERITIES.index(sign.severity) > SEVERITIES.index(known.severity)
    life.signed_at = at
    life.anomaly = structs.replace(
        known,
        phase="updated",
        updated_at=at,
        severity=sign.severity if rises else known.severity,
        score=max(sign.score, known.score),
        deviation=max(sign.deviation, known.deviation),
        pattern=dict(sign.pattern) or known.pattern,
        explanation=sign.explanation,
    )
    if not rises and at - life.told_at < UPDATE:
        return None
    life.told_at = at
    return life.anomaly


def is_over(life: Life, now: datetime) -> bool:
    """Return whether it has been quiet for so long that it is over."""
    if now + QUIET < life.signed_at:  # the clock was set back: from here on it is quiet
        life.signed_at = now
    return now - life.signed_at >= QUIET


def closed(life: Life) -> Anomaly:
    """Return the end of an anomaly, as of its last sign."""
    known = life.anomaly
    return structs.replace(known, phase="closed", ended_at=known.updated_at)


def _check(sign: Sign) -> None:
    numbers = (sign.score, sign.threshold, sign.deviation, *sign.pattern.values())
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"a sign of {sign.kind} with a number that is none: {numbers}")

"""Learned patterns: what looks alike is counted together, and recalled in words."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from contracts.events import Anomaly
from memorybank.patterns import Pattern, alike, learned, recollection

START_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def anomaly(number: int, period_s: float = 8.0, amplitude_a: float = 99.0) -> Anomaly:
    at = START_AT + timedelta(hours=number)
    return Anomaly(
        id=uuid.UUID(int=number),
        charge_point_id="CP-1",
        connector=1,
        kind="repeated-current-fluctuation",
        severity="warning",
        phase="opened",
        started_at=at,
        detected_at=at,
        updated_at=at,
        score=8.0,
        threshold=8.0,
        deviation=99.0,
        pattern={"period_s": period_s, "amplitude_a": amplitude_a, "duty": 0.25},
        explanation="",
    )


def test_the_first_of_its_kind_begins_a_pattern() -> None:
    """Its signature is the anomaly's own."""
    pattern = learned([], anomaly(1))
    assert (pattern.count, pattern.first_seen_at, pattern.signature["period_s"]) == (
        1,
        anomaly(1).started_at,
        8.0,
    )
    assert recollection(pattern) == "the first of its kind on CP-1"


def test_like_anomalies_are_counted_and_averaged() -> None:
    """The third time: count, first seen, and the running mean."""
    patterns: list[Pattern] = []
    for number, period_s in ((1, 8.0), (2, 8.6), (3, 8.3)):
        pattern = learned(patterns, anomaly(number, period_s))
        patterns = [pattern]
    assert pattern.count == 3
    assert pattern.signature["period_s"] == pytest.approx(8.3)
    assert recollection(pattern) == "the 3rd time on CP-1, first seen 2026-03-01 13:00 UTC"


def test_another_period_is_another_pattern() -> None:
    """20 s is not 8 s."""
    first = learned([], anomaly(1))
    assert learned([first], anomaly(2, period_s=20.0)).id == anomaly(2).id


def test_late_news_of_an_earlier_anomaly_move_the_first_time() -> None:
    """First and last seen are by event time, not by arrival."""
    pattern = learned([learned([], anomaly(5))], anomaly(2))
    assert (pattern.first_seen_at, pattern.last_seen_at) == (anomaly(2).started_at, anomaly(5).started_at)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"period_s": 8.0}, {"period_s": 8.0}, True),
        ({"period_s": 8.0}, {"period_s": 10.0}, True),
        ({"period_s": 8.0}, {"period_s": 11.0}, False),
        ({"period_s": 8.0, "amplitude_a": 99.0}, {"period_s": 8.0, "amplitude_a": 40.0}, False),
        ({"period_s": 0.0}, {"period_s": 0.0}, True),
        ({"rate_hz": 2.0}, {"rate_hz": 9.0}, True),
    ],
)
def test_alike(one: dict[str, float], other: dict[str, float], same: bool) -> None:
    """A quarter at most, in period and amplitude, where both have them."""
    assert alike(one, other) is same
    assert alike(other, one) is same


@pytest.mark.parametrize(
    ("count", "words"),
    [(2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (13, "13th"), (21, "21st"), (112, "112th")],
)
def test_ordinals(count: int, words: str) -> None:
    """English has its ways."""
    pattern = learned([], anomaly(1))
    many = Pattern(
        id=pattern.id,
        charge_point_id="CP-1",
        kind=pattern.kind,
        count=count,
        first_seen_at=START_AT,
        last_seen_at=START_AT,
        signature={},
    )
    assert recollection(many).startswith(f"the {words} time")

"""Learned patterns: what looks alike is counted together, and recalled in words."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from contracts.events import FLEET, Anomaly
from memorybank.patterns import MOST, MOST_OF_A_KIND, Pattern, Patterns, alike, learned, nearest, recollection

START_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def anomaly(
    number: int, period_s: float = 8.0, amplitude_a: float = 99.0, charge_point_id: str = "CP-1"
) -> Anomaly:
    at = START_AT + timedelta(hours=number)
    return Anomaly(
        id=uuid.UUID(int=number),
        charge_point_id=charge_point_id,
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
        ({"rate_hz": 2.0}, {"rate_hz": 9.0}, False),
        ({"gain": 0.1}, {"gain": 0.12}, True),
        ({"gain": 0.1}, {"gain": 10.0}, False),
        ({"duty": 0.25}, {"duty": 0.4}, True),
        ({"duty": 0.25}, {"duty": 0.5}, False),
        ({"a_per_min": 0.5}, {"a_per_min": -0.5}, False),
        ({"reversals": 8.0}, {"reversals": 90.0}, True),
        ({"period_s": 8.0}, {"limit_a": 6.0}, True),
    ],
)
def test_alike(one: dict[str, float], other: dict[str, float], same: bool) -> None:
    """A quarter at most where a name has a unit, a fifth of a share; what counts is passed over."""
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


def test_of_several_that_are_like_it_the_nearest_is_recalled() -> None:
    """Not the one that came first."""
    first, second = learned([], anomaly(1, period_s=8.0)), learned([], anomaly(2, period_s=11.0))
    assert nearest([first, second], anomaly(3, period_s=9.9)) == second
    assert nearest([first, second], anomaly(3, period_s=9.0)) == first
    assert nearest([first, second], anomaly(3, period_s=30.0)) is None


def test_the_like_of_it_elsewhere_is_recalled() -> None:
    """At another charge point; never its own, never of another kind."""
    patterns = Patterns()
    for number in (1, 2):
        patterns.keep(learned(patterns.of("CP-3", anomaly(1).kind), anomaly(number, charge_point_id="CP-3")))
    patterns.keep(learned([], anomaly(3, period_s=30.0, charge_point_id="CP-4")))
    own = learned([], anomaly(4))
    patterns.keep(own)
    known = patterns.elsewhere(anomaly(4))
    assert known is not None
    assert known.charge_point_id == "CP-3"
    assert recollection(own, known) == (
        "the first of its kind on CP-1, the same as on CP-3 (2 times, first seen 2026-03-01 13:00 UTC)"
    )
    assert patterns.elsewhere(anomaly(5, period_s=100.0)) is None


def test_the_fleet_is_named_as_such() -> None:
    assert (
        recollection(learned([], anomaly(1, charge_point_id=FLEET))) == "the first of its kind in the fleet"
    )


def test_memory_is_bounded() -> None:
    """What was not seen for longest goes first: of one kind here, and of all."""
    patterns = Patterns()
    first = learned([], anomaly(1))
    patterns.keep(first)
    for number in range(2, 10 * MOST_OF_A_KIND):
        patterns.keep(learned([], anomaly(number, period_s=1.5**number)))
        patterns.keep(first)
    assert len(patterns) == MOST_OF_A_KIND
    assert patterns.get(first.id) == first
    for number in range(2 * MOST):
        patterns.keep(learned([], anomaly(1_000_000 + number, charge_point_id=f"CP-{number}")))
    assert len(patterns) == MOST
    assert patterns.get(first.id) is None
    assert len(patterns.of("CP-1", first.kind)) == 0


def test_the_latest_are_taken_up() -> None:
    """Of more than are kept, whatever their order."""
    known = [
        learned([], anomaly(number, charge_point_id=f"CP-{number}")) for number in range(MOST + 10, 0, -1)
    ]
    patterns = Patterns(known)
    assert patterns.get(known[0].id) == known[0]
    assert patterns.get(known[-1].id) is None

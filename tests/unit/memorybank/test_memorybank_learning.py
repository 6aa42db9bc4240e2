"""Learning from clean sessions: quarantine, caps, versions, drift that is proposed and never absorbed."""

import itertools
import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import FLEET, Anomaly, Reading
from memorybank import baselines
from memorybank.baselines import BINS, BY_NAME, CAP, MATURE, METRICS, Baseline, Summary, quantile
from memorybank.detector import Expected
from memorybank.learning import Learning, Version

START_AT = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LIMIT = BY_NAME["commanded_a", "charging"]


def session(
    at: datetime,
    *,
    limit_a: float = 100.0,
    charge_point_id: str = "CP-1",
    seconds: int = 120,
    slew_a_s: float = 20.0,
    gain: float = 1.0,
    noise: random.Random | None = None,
) -> Iterator[Reading]:
    """A session as a charge point tells of it: idle, a linear ramp, steady, idle; the meter every 5 s."""
    current_a = 0.0
    for second in range(-3, seconds + 3):
        charging = 0 <= second < seconds
        target_a = limit_a if charging else 0.0
        current_a += max(-slew_a_s, min(slew_a_s, target_a - current_a))
        noise_a = noise.gauss(0.0, 0.2) if noise and current_a else 0.0
        told = Reading(
            at=at + timedelta(seconds=second),
            charge_point_id=charge_point_id,
            connector=1,
            origin="can",
            current_a=current_a + noise_a,
            commanded_a=limit_a,
            transaction_id=int(at.timestamp()) if charging else None,
        )
        yield told
        if second % 5 == 0:
            yield Reading(
                at=told.at,
                charge_point_id=charge_point_id,
                connector=1,
                origin="ocpp",
                current_a=gain * current_a,
            )


def anomaly(
    begin: datetime, end: datetime | None, charge_point_id: str = "CP-1", connector: int = 1
) -> Anomaly:
    return Anomaly(
        id=uuid4(),
        charge_point_id=charge_point_id,
        connector=connector,
        kind="odd",
        severity="info",
        phase="closed" if end else "opened",
        started_at=begin,
        detected_at=begin,
        updated_at=end or begin,
        ended_at=end,
        score=1.0,
        threshold=1.0,
        deviation=1.0,
        explanation="odd",
    )


def taught(learning: Learning, at: datetime, **more: object) -> Version | None:
    """Live a session and let the quarantine pass."""
    for reading in session(at, **more):  # type: ignore[arg-type]
        learning.observe(reading)
    return learning.advance(at + timedelta(minutes=20))


def days(learning: Learning, first: int, count: int, daily: int = 10, **more: object) -> None:
    """Live some sessions a day."""
    for number in range(first * daily, (first + count) * daily):
        taught(learning, START_AT + number * DAY / daily, **more)


def usual(learning: Learning, metric: str, phase: str, charge_point_id: str = "CP-1") -> Expected:
    known = learning.expectation(charge_point_id, 1)(metric, phase)
    assert known is not None
    return known


def test_what_clean_sessions_show_is_expected() -> None:
    """Every metric, as it was simulated."""
    learning = Learning()
    days(learning, 0, 1, limit_a=100.0, slew_a_s=20.0, gain=0.9)
    assert usual(learning, "commanded_a", "charging").mean == pytest.approx(100.0)
    assert usual(learning, "current_a", "steady").mean == pytest.approx(100.0)
    assert usual(learning, "slew_a_s", "ramp").mean == pytest.approx(20.0)
    assert usual(learning, "meter_gain", "steady").mean == pytest.approx(0.9)
    assert usual(learning, "frame_gap_s", "charging").mean == pytest.approx(1.0)
    assert usual(learning, "reversals_per_min", "charging").mean == 0.0
    assert usual(learning, "start_gap_s", "charging").mean == pytest.approx(8640.0)
    assert {(metric.name, metric.phase) for metric in METRICS} == {key[2:] for key in learning.baselines}


def test_nothing_is_expected_from_too_little() -> None:
    learning = Learning()
    assert learning.expectation("CP-1", 1)("slew_a_s", "ramp") is None
    assert learning.expectation("CP-1", 1)("no_such", "ramp") is None


def test_a_session_lies_in_quarantine_first() -> None:
    """Ten minutes after its end it is learned, not before."""
    learning = Learning()
    for reading in session(START_AT, seconds=120):
        learning.observe(reading)
    assert learning.advance(START_AT + timedelta(minutes=11)) is None
    version = learning.advance(START_AT + timedelta(minutes=12))
    assert version is not None
    assert (version.number, version.sessions, version.proposals) == (1, 1, [])


@pytest.mark.parametrize(
    ("begin_min", "end_min", "charge_point_id", "connector", "learned"),
    [
        (1, 1.5, "CP-1", 1, False),
        (-30, -15, "CP-1", 1, True),
        (-30, -5, "CP-1", 1, False),
        (8, None, "CP-1", 1, False),
        (-30, None, "CP-1", 1, False),
        (1, None, "CP-1", 0, False),
        (1, None, FLEET, 0, False),
        (1, None, "CP-1", 2, True),
        (1, None, "CP-2", 1, True),
    ],
)
def test_an_anomaly_near_a_session_speaks_against_it(
    begin_min: float, end_min: float | None, charge_point_id: str, connector: int, learned: bool
) -> None:
    """On it, at its charge point, of the whole fleet: within ten minutes before, and until it is learned."""
    learning = Learning()
    end = START_AT + end_min * MINUTE if end_min is not None else None
    learning.note(anomaly(START_AT + begin_min * MINUTE, end, charge_point_id, connector))
    version = taught(learning, START_AT)
    assert (version is not None) is learned
    assert (learning.learned_sessions, learning.refused_sessions) == ((1, 0) if learned else (0, 1))


def test_troubles_of_the_past_are_forgotten() -> None:
    """What is noted is bounded by what is still to be judged."""
    learning = Learning()
    for number in range(100):
        at = START_AT + number * timedelta(hours=1)
        learning.note(anomaly(at, at + MINUTE))
        learning.advance(at + timedelta(minutes=30))
    assert sum(map(len, learning._troubles.values())) <= 2


def test_sessions_not_seen_whole_or_too_short_teach_nothing() -> None:
    """One that ran when we came, one after a gap, one of a few seconds."""
    learning = Learning()
    for reading in session(START_AT):
        if reading.transaction_id is not None or reading.at > START_AT + 2 * MINUTE:
            learning.observe(reading)
    taught(learning, START_AT + timedelta(hours=1), seconds=30)
    assert learning.advance(START_AT + timedelta(hours=3)) is None
    assert learning.learned_sessions == learning.refused_sessions == 0


def test_versions_are_counted_and_not_too_many() -> None:
    """At most one in ten minutes, each with what changed, which carries its number."""
    learning = Learning()
    versions = []
    for number in range(60):
        for reading in session(START_AT + number * timedelta(minutes=3)):
            learning.observe(reading)
        version = learning.advance(START_AT + number * timedelta(minutes=3))
        versions += [version] if version else []
    assert [version.number for version in versions] == list(range(1, len(versions) + 1))
    assert all(b.at - a.at >= timedelta(minutes=10) for a, b in itertools.pairwise(versions))
    assert all(changed.version == version.number for version in versions for changed in version.changed)
    assert sum(version.sessions for version in versions) == learning.learned_sessions > 50


def test_a_fresh_charge_point_starts_from_the_fleet() -> None:
    """And what it shows itself counts more the longer it is known."""
    learning = Learning()
    for charge_point_id in ("CP-1", "CP-2", "CP-3"):
        days(learning, 0, 2, charge_point_id=charge_point_id, limit_a=100.0)
    assert usual(learning, "commanded_a", "charging", "CP-9").mean == pytest.approx(100.0)
    means = []
    for day in range(3, 15):
        days(learning, day, 1, daily=5, charge_point_id="CP-9", limit_a=102.0)
        means.append(usual(learning, "commanded_a", "charging", "CP-9").mean)
    assert means == sorted(means)
    assert 100.2 < means[0] < 101.5 < means[-1] <= 102.0


def test_one_session_moves_a_baseline_little() -> None:
    """However far off it is: a quarter of a standard deviation, once it is grown up."""
    learning = Learning()
    rng = random.Random(1)
    for number in range(40):
        taught(learning, START_AT + number * DAY, limit_a=rng.gauss(100.0, 5.0))
    key = ("CP-1", 1, "commanded_a", "charging")
    before = learning.baselines[key]
    taught(learning, START_AT + 50 * DAY, limit_a=600.0)
    after = learning.baselines[key]
    assert 0 < after.mean - before.mean <= CAP * before.sd * (1 + 1e-9)
    assert not after.is_held


@pytest.mark.parametrize("step_a", [0.02, 0.05, 0.2, -0.05, -0.2])
def test_a_limit_that_creeps_for_three_weeks_is_not_absorbed(step_a: float) -> None:
    """Ten sessions a day, each a little further: what is usual stays, and a person is asked once."""
    learning = Learning()
    rng = random.Random(7)
    days(learning, 0, 10, limit_a=100.0, noise=rng)
    before = usual(learning, "commanded_a", "charging")
    proposals = []
    for number in range(210):
        at = START_AT + 10 * DAY + number * DAY / 10
        version = taught(learning, at, limit_a=100.0 + step_a * number, noise=rng)
        proposals += [p for p in version.proposals if p.metric == "commanded_a"] if version else []
    after = usual(learning, "commanded_a", "charging")
    assert abs(after.mean - before.mean) <= before.sd
    assert after.sd <= 2 * before.sd
    if abs(step_a * 210) > 5:
        assert [p.charge_point_id for p in proposals] == ["CP-1", FLEET]
        assert math.copysign(1, proposals[0].mean - proposals[0].known_mean) == math.copysign(1, step_a)


def test_sessions_that_vary_are_no_drift() -> None:
    """A thousand sessions around one mean: nobody is asked."""
    learning = Learning()
    rng = random.Random(3)
    for number in range(1000):
        version = taught(learning, START_AT + number * timedelta(hours=2), limit_a=rng.uniform(32.0, 128.0))
        assert version is not None
        assert version.proposals == []
    assert usual(learning, "commanded_a", "charging").mean == pytest.approx(80.0, abs=15.0)
    assert usual(learning, "commanded_a", "charging").sd == pytest.approx(27.7, rel=0.3)


def test_a_person_agrees_and_learning_goes_on() -> None:
    """From what was proposed; the same word again changes nothing."""
    learning = Learning()
    days(learning, 0, 5, limit_a=100.0)
    proposals = []
    for number in range(100):
        version = taught(learning, START_AT + 5 * DAY + number * DAY / 10, limit_a=120.0)
        proposals += version.proposals if version else []
    assert usual(learning, "commanded_a", "charging").mean < 102.0
    later = Learning()
    later.load(learning.baselines.values(), learning.version, proposals)
    assert usual(later, "commanded_a", "charging").mean == pytest.approx(120.0, abs=10.0)
    for number in range(100):
        taught(later, START_AT + 20 * DAY + number * DAY / 10, limit_a=118.0)
    assert usual(later, "commanded_a", "charging").mean == pytest.approx(118.0, abs=2.0)
    assert later.version > learning.version


def test_a_baseline_of_another_version_s_bins_is_left() -> None:
    """What is not understood any more is learned anew."""
    learning = Learning()
    days(learning, 0, 1)
    strange = [Baseline(**{**_fields(b), "metric": "old"}) for b in learning.baselines.values()]
    later = Learning()
    later.load(strange, 3)
    assert later.baselines == {}
    assert later.version == 3


def _fields(baseline: Baseline) -> dict[str, object]:
    return {name: getattr(baseline, name) for name in Baseline.__struct_fields__}


@given(st.lists(st.floats(0.0, 640.0), min_size=1, max_size=200), st.floats(0.01, 0.99))
def test_a_quantile_is_right_to_a_bin(values: list[float], share: float) -> None:
    """By the histogram alone."""
    summary = Summary(histogram={})
    for value in values:
        summary.add(LIMIT, value)
    known = baselines.first(LIMIT, "CP-1", 1, summary, START_AT)
    exact = sorted(values)[min(len(values) - 1, math.ceil(share * len(values)) - 1)]
    assert abs(quantile(known, share) - exact) <= (LIMIT.high - LIMIT.low) / BINS + 1e-6
    assert sum(known.histogram) == pytest.approx(1.0)


def test_histograms_keep_the_shape() -> None:
    """Two usual limits are two peaks, which a mean does not show."""
    learning = Learning()
    for number in range(2 * MATURE):
        taught(learning, START_AT + number * DAY / 10, limit_a=30.0 if number % 2 else 130.0)
    known = learning.baselines["CP-1", 1, "commanded_a", "charging"]
    assert [round(part, 1) for part in known.histogram if part > 0.1] == [0.5, 0.5]
    assert quantile(known, 0.25) == pytest.approx(30.0, abs=20.0)
    assert quantile(known, 0.75) == pytest.approx(130.0, abs=20.0)

"""The reversal detector on traces of the base scenario (both ramp laws) and of benign charging."""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.events import Anomaly, Reading
from memorybank.detector import Place
from memorybank.detectors.reversals import KIND, Reversals, severity
from memorybank.watch import Watch

START_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEP_S = 0.1

Target = Callable[[float], float]
"""The current that is wished for at a second."""


def square(on_s: float, off_s: float, high_a: float = 100.0) -> Target:
    """Off first, then on, again and again."""
    return lambda second: high_a if second % (on_s + off_s) >= off_s else 0.0


def by_share(target: Target, seconds: float) -> Iterator[tuple[float, float]]:
    """20 % of the remaining gap per 0.1 s, read once a second."""
    current_a = 0.0
    for step in range(int(seconds / STEP_S)):
        current_a += 0.2 * (target(step * STEP_S) - current_a)
        if step % 10 == 0:
            yield step * STEP_S, current_a


def linear(target: Target, seconds: float, rate_a_per_s: float = 25.0) -> Iterator[tuple[float, float]]:
    """A linear ramp, read once a second (EVerest: 25 A/s)."""
    current_a = 0.0
    most_a = rate_a_per_s * STEP_S
    for step in range(int(seconds / STEP_S)):
        gap_a = target(step * STEP_S) - current_a
        current_a += max(-most_a, min(most_a, gap_a))
        if step % 10 == 0:
            yield step * STEP_S, current_a


def at(second: float) -> datetime:
    return START_AT + timedelta(seconds=second)


def reading(second: float, current_a: float | None, offered_a: float | None = 100.0) -> Reading:
    return Reading(
        at=at(second),
        charge_point_id="CP-1",
        connector=1,
        origin="can",
        current_a=current_a,
        offered_a=offered_a,
    )


def told(trace: Iterable[tuple[float, float]], detector: Reversals | None = None) -> list[Anomaly]:
    """Return everything that is told of a trace."""
    watch = Watch((detector or Reversals(),))
    return [f.anomaly for second, current_a in trace for f in watch.observe(reading(second, current_a), 0.0)]


BASE = square(on_s=2.0, off_s=6.0)


@pytest.mark.parametrize("ramp", [by_share, linear])
@pytest.mark.parametrize("phase_s", [0.0, 0.3, 0.5, 0.8])
def test_the_base_scenario_is_found_within_a_minute(
    ramp: Callable[[Target, float], Iterator[tuple[float, float]]], phase_s: float
) -> None:
    """By the current alone: 40 s after it began (at 6 s), with the period it has."""
    anomalies = told(ramp(lambda second: BASE(second + phase_s), 120))
    opened = [anomaly for anomaly in anomalies if anomaly.phase == "opened"]
    assert len(opened) == 1
    assert (opened[0].detected_at - START_AT).total_seconds() <= 47
    assert opened[0].kind == KIND
    assert opened[0].pattern["period_s"] == pytest.approx(8.0, abs=0.5)
    assert opened[0].pattern["amplitude_a"] > 20
    assert 0.1 < opened[0].pattern["duty"] < 0.5


def _benign(seed: int) -> Iterator[tuple[float, float]]:
    """An hour: sessions of minutes with noise, taper and pauses, a start and a stop each."""
    rng = random.Random(seed)
    edges_s = sorted(rng.sample(range(0, 3600, 90), 20))
    charging, limit_a, current_a = False, 0.0, 0.0
    for second in range(3600):
        if second in edges_s:
            charging = not charging
            limit_a = rng.uniform(16, 200)
        target_a = limit_a if charging else 0.0
        limit_a = max(16.0, limit_a - 0.05)  # constant voltage: a slow taper
        current_a += max(-20.0, min(20.0, target_a - current_a))
        yield second, max(0.0, current_a + rng.gauss(0, 0.3) * charging)


@pytest.mark.parametrize("seed", range(20))
def test_benign_charging_raises_no_alarm(seed: int) -> None:
    """Sessions with a start and a stop every few minutes, noise, taper: nothing."""
    assert told(_benign(seed)) == []


@pytest.mark.parametrize(
    "trace",
    [
        pytest.param([(s, 8.5 + 2.5 * (s % 30 < 15)) for s in range(1800)], id="photovoltaic-surplus"),
        pytest.param([(s, 60 + 9.5 * (-1) ** s) for s in range(600)], id="ripple-below-the-gate"),
        pytest.param([(s, max(0.0, 200.0 - s // 3)) for s in range(900)], id="taper-in-steps"),
        pytest.param([(s, 32.0 * (s % 60 < 40)) for s in range(900)], id="a-pause-every-minute"),
        pytest.param([(s, 0.0) for s in range(600)], id="nothing"),
    ],
)
def test_hard_benign_traces_raise_no_alarm(trace: list[tuple[float, float]]) -> None:
    """What really fluctuates, but less or slower, is no alarm."""
    assert told(trace) == []


def test_severity_follows_the_stress() -> None:
    """Few or small swings inform, three full-load cycles warn, ten are critical."""
    assert [severity(cycles) for cycles in (0.5, 3.0, 9.9, 10.0)] == [
        "info",
        "warning",
        "warning",
        "critical",
    ]
    full = told(by_share(BASE, 120), Reversals(rated_a=100.0))
    large_station = told(by_share(BASE, 120), Reversals(rated_a=300.0))
    small = told(by_share(square(2.0, 6.0, high_a=30.0), 60), Reversals(rated_a=100.0))
    assert [full[0].severity, full[-1].severity] == ["warning", "critical"]
    assert [large_station[0].severity, large_station[-1].severity] == ["info", "warning"]
    assert small[0].severity == "info"


def wear(anomaly: Anomaly) -> float:
    """Return the full-load cycles that an anomaly tells of."""
    return float(anomaly.explanation.partition("as wearing as ")[2].split()[0])


def test_wear_does_not_heal() -> None:
    """Swings that become small and slow add less, and take nothing of what was told away."""
    harsh = list(by_share(BASE, 120))
    mild = [(120 + at, current) for at, current in by_share(square(3.0, 9.0, high_a=40.0), 120)]
    anomalies = told(harsh + mild, Reversals(rated_a=100.0))
    assert len({anomaly.id for anomaly in anomalies}) == 1
    assert {anomaly.severity for anomaly in anomalies if anomaly.updated_at > at(100)} == {"critical"}
    wears = [wear(anomaly) for anomaly in anomalies]
    assert wears == sorted(wears)


def test_late_readings_change_nothing() -> None:
    """A few readings of the past in between are passed over."""
    trace = list(by_share(BASE, 120))
    late = [(5.0, 77.0), (6.0, 0.0), (7.0, 77.0)]
    assert told(trace[:60] + late + trace[60:]) == told(trace)


def test_a_clock_set_back_is_believed() -> None:
    """After ten readings of the past in a row the detector sees again."""
    shifted = [(second - 7200, current_a) for second, current_a in by_share(BASE, 80)]
    detector = Reversals()
    state = detector.start(Place("CP-1", 1))
    for second, current_a in by_share(BASE, 60):
        detector.step(state, reading(second, current_a))
    signs = [detector.step(state, reading(second, current_a)) for second, current_a in shifted]
    assert any(sign is not None and sign.since < START_AT for sign in signs)


def test_one_reading_of_the_future_does_not_blind() -> None:
    """A single wrong year costs ten readings, not the detector."""
    anomalies = told(itertools.chain([(0.0, 0.0), (3e8, 0.0)], by_share(BASE, 80)))
    assert [anomaly.phase for anomaly in anomalies][:1] == ["opened"]
    assert anomalies[0].updated_at < at(80)


def test_the_explanation_has_the_numbers() -> None:
    """One sentence that a person can check against the graph."""
    anomalies = told(by_share(BASE, 60))
    assert anomalies[0].explanation.startswith("current reversed 10 times by more than 9")
    assert "period 8.0 s, duty 2" in anomalies[0].explanation


def test_readings_without_a_current_say_nothing() -> None:
    """A missing measurand is not a zero."""
    detector = Reversals()
    state = detector.start(Place("CP-1", 1))
    assert detector.step(state, reading(0, None)) is None
    assert state == detector.start(Place("CP-1", 1))


finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.floats(-1e5, 1e8), finite, st.none() | finite), max_size=80))
def test_no_readings_break_it(trace: list[tuple[float, float, float | None]]) -> None:
    """Whatever arrives, nothing fails and what is told is finite."""
    watch = Watch((Reversals(threshold=3),))
    for second, current_a, offered_a in trace:
        for finding in watch.observe(reading(second, current_a, offered_a), 0.0):
            anomaly = finding.anomaly
            assert abs(anomaly.deviation) < 1e9
            assert all(abs(value) < 1e9 for value in anomaly.pattern.values())
            assert anomaly.started_at <= anomaly.updated_at
    assert watch.failures == 0

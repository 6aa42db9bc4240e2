"""The reversal detector on traces of the base scenario (both ramp laws) and of benign charging."""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.events import Anomaly, Reading
from memorybank.detectors.reversals import KIND, Reversals, State, severity

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


def told(
    trace: Iterable[tuple[float, float]], detector: Reversals | None = None, state: State | None = None
) -> tuple[State, list[Anomaly]]:
    """Return the state after a trace, and everything that the detector told."""
    detector = detector or Reversals()
    state = state or detector.start()
    anomalies: list[Anomaly] = []
    for second, current_a in trace:
        state, more = detector.step(state, reading(second, current_a))
        anomalies += more
    return state, anomalies


BASE = square(on_s=2.0, off_s=6.0)


@pytest.mark.parametrize("ramp", [by_share, linear])
@pytest.mark.parametrize("phase_s", [0.0, 0.3, 0.5, 0.8])
def test_the_base_scenario_is_found_within_a_minute(
    ramp: Callable[[Target, float], Iterator[tuple[float, float]]], phase_s: float
) -> None:
    """Both ramp laws, wherever the samples fall: opened once, within 40 s, with the period it has."""
    _, anomalies = told(ramp(lambda second: BASE(second + phase_s), 120))
    opened = [anomaly for anomaly in anomalies if anomaly.phase == "opened"]
    assert len(opened) == 1
    assert (opened[0].detected_at - START_AT).total_seconds() <= 40
    assert opened[0].kind == KIND
    assert opened[0].pattern["period_s"] == pytest.approx(8.0, abs=0.5)
    assert opened[0].pattern["amplitude_a"] > 20
    assert 0.1 < opened[0].pattern["duty"] < 0.5


def test_the_anomaly_is_told_of_at_most_every_ten_seconds() -> None:
    """Updates while it lasts carry the same identity and never shrink the evidence."""
    _, anomalies = told(by_share(BASE, 120))
    assert {anomaly.id for anomaly in anomalies} == {anomalies[0].id}
    assert [anomaly.phase for anomaly in anomalies] == ["opened", *["updated"] * (len(anomalies) - 1)]
    for earlier, later in itertools.pairwise(anomalies):
        assert (later.updated_at - earlier.updated_at).total_seconds() >= 10
        assert later.score >= earlier.score
        assert later.started_at == earlier.started_at


def test_it_closes_after_a_minute_of_calm() -> None:
    """The end is the time of the last reversal, not of the close."""
    state, _ = told(by_share(BASE, 120))
    state, (*_, closed) = told(((second, 0.0) for second in range(120, 260)), state=state)
    assert closed.phase == "closed"
    assert closed.ended_at is not None
    assert at(112) <= closed.ended_at <= at(121)
    assert closed.updated_at <= at(121 + 60 + 60)
    assert state.anomaly is None


def test_a_second_fluctuation_is_a_second_anomaly() -> None:
    """After a close the next one has an identity of its own."""
    calm = ((second, 0.0) for second in range(120, 300))
    again = ((300 + second, current_a) for second, current_a in by_share(BASE, 120))
    _, anomalies = told(itertools.chain(by_share(BASE, 120), calm, again))
    assert len({anomaly.id for anomaly in anomalies}) == 2


def test_the_same_trace_gives_the_same_identity() -> None:
    """A repetition after a crash finds the row that is there."""
    _, first = told(by_share(BASE, 60))
    _, second = told(by_share(BASE, 60))
    assert first[0].id == second[0].id


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
    assert told(_benign(seed))[1] == []


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
    assert told(trace)[1] == []


def test_late_readings_change_nothing() -> None:
    """A few readings of the past in between are passed over."""
    state, anomalies = told(by_share(BASE, 60))
    after, more = told([(5.0, 77.0), (6.0, 0.0), (7.0, 77.0)], state=state)
    assert more == []
    assert (after.pivots, after.at, after.anomaly) == (state.pivots, state.at, state.anomaly)
    assert len([a for a in anomalies if a.phase == "opened"]) == 1


def test_a_clock_set_back_is_believed() -> None:
    """After ten readings of the past in a row the detector sees again, and closes what was open."""
    state, _ = told(by_share(BASE, 60))
    shifted = ((second - 7200, current_a) for second, current_a in by_share(BASE, 80))
    _, anomalies = told(shifted, state=state)
    assert [anomaly.phase for anomaly in anomalies[:2]] == ["closed", "opened"]
    assert anomalies[1].started_at < START_AT


def test_one_reading_of_the_future_does_not_blind() -> None:
    """A single wrong year costs ten readings, not the detector."""
    _, anomalies = told(itertools.chain([(0.0, 0.0), (3e8, 0.0)], by_share(BASE, 80)))
    assert [anomaly.phase for anomaly in anomalies][:1] == ["opened"]


def test_the_end_of_readings_closes() -> None:
    """When nothing comes any more, `end` closes at the last reversal; without an anomaly it is silent."""
    state, _ = told(by_share(BASE, 60))
    state, (closed,) = Reversals().end(state)
    assert (closed.phase, closed.ended_at) == ("closed", state.last_pivot_at)
    assert Reversals().end(state) == (state, ())


def test_a_restart_goes_on_with_what_was_open() -> None:
    """From the last readings and the open anomaly: the same identity, updated and closed."""
    trace = list(by_share(BASE, 200))
    _, before = told(trace[:100])
    replayed, _ = told(trace[:100])
    state = Reversals().resume(replayed, before[-1])
    state, after = told(trace[100:], state=state)
    assert {anomaly.id for anomaly in after} == {before[0].id}
    assert {anomaly.phase for anomaly in after} == {"updated"}


def test_a_restart_without_readings_does_not_close_at_once() -> None:
    """An open anomaly stays open for its minute although the window is empty."""
    _, before = told(by_share(BASE, 60))
    state = Reversals().resume(Reversals().start(), before[-1])
    state, after = told([(61.0, 0.0), (62.0, 0.0)], state=state)
    assert after == []
    assert state.anomaly is not None


def test_severity_follows_the_stress() -> None:
    """Few or small swings inform, three full-load cycles warn, ten are critical."""
    assert [severity(cycles) for cycles in (0.5, 3.0, 9.9, 10.0)] == [
        "info",
        "warning",
        "warning",
        "critical",
    ]
    _, full = told(by_share(BASE, 120), Reversals(rating_a=100.0))
    _, large_station = told(by_share(BASE, 120), Reversals(rating_a=300.0))
    _, small = told(by_share(square(2.0, 6.0, high_a=30.0), 60), Reversals(rating_a=100.0))
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
    state, before = told(harsh, Reversals(rating_a=100.0))
    _, after = told(mild, Reversals(rating_a=100.0), state=state)
    assert before[-1].severity == "critical"
    assert {anomaly.severity for anomaly in after} == {"critical"}
    wears = [wear(anomaly) for anomaly in (*before, *after)]
    assert wears == sorted(wears)
    _, resumed = told(mild, Reversals(rating_a=100.0), state=Reversals().resume(State(), before[-1]))
    assert resumed[0].severity == "critical"
    assert wear(resumed[0]) == pytest.approx(wear(after[0]), rel=0.2)


def test_the_explanation_has_the_numbers() -> None:
    """One sentence that a person can check against the graph."""
    _, anomalies = told(by_share(BASE, 60))
    assert anomalies[0].explanation.startswith("8 reversals of 9")
    assert "period 8.0 s" in anomalies[0].explanation
    assert "; " not in anomalies[0].explanation  # what comes after it is the memory's


def test_readings_without_a_current_say_nothing() -> None:
    """A missing measurand is not a zero."""
    assert Reversals().step(State(), reading(0, None)) == (State(), ())


finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.floats(-1e5, 1e8), finite, st.none() | finite), max_size=80))
def test_no_readings_break_it(trace: list[tuple[float, float, float | None]]) -> None:
    """Whatever arrives, the state stays bounded and what is told is finite."""
    detector = Reversals(threshold=3)
    state = detector.start()
    for second, current_a, offered_a in trace:
        state, anomalies = detector.step(state, reading(second, current_a, offered_a))
        assert len(state.pivots) <= len(trace)
        for anomaly in anomalies:
            assert abs(anomaly.deviation) < 1e9
            assert all(abs(value) < 1e9 for value in anomaly.pattern.values())
            assert anomaly.started_at <= anomaly.updated_at

"""The rolling window: what it keeps, what it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.window import MAX_SAMPLES, SPAN_S, STALE_AFTER_S, Sample, Statistics, Window

NOW_S = 1_700_000_000.0

samples = st.lists(
    st.builds(
        Sample,
        at_s=st.floats(NOW_S - SPAN_S + 0.001, NOW_S),
        current_a=st.floats(-400, 400),
        **dict.fromkeys(Sample._fields[2:], st.none()),
    ),
    min_size=1,
    max_size=80,
)


def filled(*currents_a: float) -> Window:
    """Return a window with a sample a second, the last one now."""
    made = Window()
    for number, current_a in enumerate(currents_a):
        made.add(Sample(NOW_S - len(currents_a) + 1 + number, current_a, 32.0))
    return made


def test_statistics_of_a_window() -> None:
    """Present is the newest; lowest, highest and mean are over all."""
    assert filled(0.0, 100.0, 50.0).statistics(NOW_S) == Statistics(
        present_a=50.0,
        offered_a=32.0,
        min_a=0.0,
        max_a=100.0,
        mean_a=50.0,
        at_s=NOW_S,
        count=3,
        stale=False,
    )


def test_an_empty_window_says_nothing() -> None:
    """No number is invented where there is none."""
    assert Window().statistics(NOW_S) == Statistics(stale=True)


@pytest.mark.parametrize(
    "late_s,stale", [(STALE_AFTER_S - 0.01, False), (STALE_AFTER_S + 0.01, True), (59.0, True)]
)
def test_silence_makes_stale(late_s: float, stale: bool) -> None:
    """After three missed readings what is shown is no longer the present."""
    assert filled(10.0).statistics(NOW_S + late_s).stale is stale


def test_samples_leave_after_the_span() -> None:
    """A peak of more than 60 s ago is no longer the highest, though nothing new came."""
    rolled = filled(100.0)
    rolled.add(Sample(NOW_S + 30, 20.0))
    assert rolled.statistics(NOW_S + 59).max_a == 100.0
    assert rolled.statistics(NOW_S + 61).max_a == 20.0
    assert rolled.statistics(NOW_S + 91) == Statistics(stale=True)


def test_adding_drops_what_is_too_old() -> None:
    """A window never holds more than its span."""
    rolled = filled(100.0)
    rolled.add(Sample(NOW_S + SPAN_S, 1.0))
    assert [sample.current_a for sample in rolled.recent(NOW_S + SPAN_S)] == [1.0]
    assert rolled.dropped == 0


def test_a_flood_is_bounded_and_counted() -> None:
    """A flooded bus costs the oldest samples, not the memory."""
    flooded = Window()
    for number in range(MAX_SAMPLES + 5):
        flooded.add(Sample(NOW_S + number / 1000, float(number)))
    assert len(flooded) == MAX_SAMPLES
    assert flooded.dropped == 5
    assert flooded.recent(NOW_S)[0].current_a == 5.0


@pytest.mark.parametrize("back_s,left_a", [(3600, [7.0]), (0.5, [10.0, 20.0, 7.0])])
def test_a_clock_set_back_takes_its_future_along(back_s: float, left_a: list[float]) -> None:
    """What the clock now calls the future would otherwise be shown for as long as it was set back."""
    window = filled(10.0, 20.0, 30.0)
    window.add(Sample(NOW_S - back_s, 7.0))
    assert [sample.current_a for sample in window.recent(NOW_S - back_s)] == left_a


def test_what_is_new_since_a_count() -> None:
    """Each page remembers how many samples it was told of and gets those that came later, as far as kept."""
    window = filled(1.0, 2.0)
    told = window.added
    assert window.since(told) == []
    for number in range(3):
        window.add(Sample(NOW_S + 1 + number, 10.0 + number))
    assert [sample.current_a for sample in window.since(told)] == [10.0, 11.0, 12.0]
    assert [sample.current_a for sample in window.since(told + 2)] == [12.0]
    assert len(window.since(-1000)) == 5


@given(st.integers(0, 200), st.integers(1, 60))
def test_thinned_keeps_the_newest_and_the_order(count: int, most: int) -> None:
    """A sparkline of few points ends where the window ends, and its points are as far apart as can be."""
    window = filled(*map(float, range(count)))
    kept = [sample.at_s for sample in window.recent(NOW_S)]
    thinned = [sample.at_s for sample in window.thinned(NOW_S, most)]
    assert len(thinned) <= most
    assert thinned[-1:] == kept[-1:]
    assert thinned == sorted(thinned)
    assert len(thinned) >= min(len(kept), (most + 1) // 2)


@given(samples)
def test_the_mean_lies_between_lowest_and_highest(arrived) -> None:
    """Also where the sum is rounded."""
    made = Window()
    for sample in sorted(arrived, key=lambda sample: sample.at_s):
        made.add(sample)
    told = made.statistics(NOW_S)
    assert told.min_a is not None
    assert told.mean_a is not None
    assert told.max_a is not None
    assert told.min_a <= told.mean_a <= told.max_a

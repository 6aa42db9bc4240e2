"""The rolling window: what it keeps, what it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import window
from console.window import EMPTY, MAX_SAMPLES, SPAN_S, STALE_AFTER_S, Sample, Statistics, Window

NOW_S = 1_700_000_000.0

samples = st.lists(
    st.builds(
        Sample,
        at_s=st.floats(NOW_S - SPAN_S + 0.001, NOW_S),
        current_a=st.floats(-400, 400),
        offered_a=st.none() | st.floats(0, 400),
    ),
    min_size=1,
    max_size=80,
)


def filled(*currents_a: float) -> Window:
    """Return a window with a sample a second, the last one now."""
    made = EMPTY
    for number, current_a in enumerate(currents_a):
        made = window.add(made, Sample(NOW_S - len(currents_a) + 1 + number, current_a, 32.0))
    return made


def test_statistics_of_a_window() -> None:
    """Present is the newest; lowest, highest and mean are over all."""
    assert window.statistics(filled(0.0, 100.0, 50.0), NOW_S) == Statistics(
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
    assert window.statistics(EMPTY, NOW_S) == Statistics(stale=True)


@pytest.mark.parametrize(
    "late_s,stale", [(STALE_AFTER_S - 0.01, False), (STALE_AFTER_S + 0.01, True), (59.0, True)]
)
def test_silence_makes_stale(late_s: float, stale: bool) -> None:
    """After three missed readings what is shown is no longer the present."""
    assert window.statistics(filled(10.0), NOW_S + late_s).stale is stale


def test_samples_leave_after_the_span() -> None:
    """A peak of more than 60 s ago is no longer the highest, though nothing new came."""
    rolled = window.add(filled(100.0), Sample(NOW_S + 30, 20.0))
    assert window.statistics(rolled, NOW_S + 59).max_a == 100.0
    assert window.statistics(rolled, NOW_S + 61).max_a == 20.0
    assert window.statistics(rolled, NOW_S + 91) == Statistics(stale=True)


def test_adding_drops_what_is_too_old() -> None:
    """A window never holds more than its span."""
    rolled = window.add(filled(100.0), Sample(NOW_S + SPAN_S, 1.0))
    assert [sample.current_a for sample in rolled.samples] == [1.0]
    assert rolled.dropped == 0


def test_a_flood_is_bounded_and_counted() -> None:
    """A flooded bus costs the oldest samples, not the memory."""
    flooded = EMPTY
    for number in range(MAX_SAMPLES + 5):
        flooded = window.add(flooded, Sample(NOW_S + number / 1000, float(number)))
    assert len(flooded.samples) == MAX_SAMPLES
    assert flooded.dropped == 5
    assert flooded.samples[0].current_a == 5.0


def test_a_clock_set_back_begins_anew() -> None:
    """What the clock calls the future would otherwise be shown for as long as it was set back."""
    anew = window.add(filled(100.0, 100.0), Sample(NOW_S - 3600, 7.0))
    assert [sample.current_a for sample in anew.samples] == [7.0]


@given(samples, st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(arrived, random) -> None:
    """The window is in order of event time whatever the order of arrival."""
    unique = list({sample.at_s: sample for sample in arrived}.values())
    shuffled = random.sample(unique, len(unique))
    one, other = EMPTY, EMPTY
    for sample in unique:
        one = window.add(one, sample)
    for sample in shuffled:
        other = window.add(other, sample)
    assert one == other
    assert list(one.samples) == sorted(unique, key=lambda sample: sample.at_s)


@given(samples)
def test_the_mean_lies_between_lowest_and_highest(arrived) -> None:
    """Also where the sum is rounded."""
    made = EMPTY
    for sample in arrived:
        made = window.add(made, sample)
    told = window.statistics(made, NOW_S)
    assert told.min_a is not None
    assert told.mean_a is not None
    assert told.max_a is not None
    assert told.min_a <= told.mean_a <= told.max_a

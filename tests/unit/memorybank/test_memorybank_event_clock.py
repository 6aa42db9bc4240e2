"""What time it is at a place: which events its clock follows, and which it does not."""

from datetime import timedelta

import pytest

from detector_parts import START_AT
from memorybank.event_clock import EventClock


def clock_after(seconds: int) -> EventClock:
    """Return a clock that went on each second."""
    clock = EventClock(START_AT)
    assert all(clock.move(START_AT + timedelta(seconds=second)) for second in range(1, seconds + 1))
    return clock


@pytest.mark.parametrize("seconds", [9, 10, 25])
@pytest.mark.parametrize(("ahead_s", "moves"), [(-40.0, False), (0.5, False), (1.0, True), (110.0, True)])
def test_it_goes_on_with_what_is_due(seconds: int, ahead_s: float, moves: bool) -> None:
    """A second later or more; never back to what another source tells later."""
    clock, at = clock_after(seconds), START_AT + timedelta(seconds=seconds + ahead_s)
    assert clock.move(at) is moves
    assert clock.told(at) == at
    assert clock.now == (at if moves else START_AT + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [9, 10, 25])
@pytest.mark.parametrize("off_s", [-71.0, 131.0])
def test_what_is_far_off_it_follows_when_it_comes_ten_times(seconds: int, off_s: float) -> None:
    """Until then it is what time it was: one event may be of a backlog, or of a wrong clock."""
    clock, at = clock_after(seconds), START_AT + timedelta(seconds=seconds + off_s)
    assert clock.told(at) == clock.now
    assert [clock.move(at) for _ in range(10)] == [False] * 9 + [True]
    assert clock.now == at


def test_after_a_silence_it_follows_at_once() -> None:
    """As far as our own clock went on meanwhile."""
    clock, at = clock_after(9), START_AT + timedelta(hours=1)
    assert clock.move(at, quiet_s=3600.0)
    assert clock.now == at

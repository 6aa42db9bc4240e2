"""The pace of the ingest: what a pulse says of ten seconds."""

from datetime import UTC, datetime, timedelta

from memorybank.ledger import Verdict
from memorybank.pace import Pace, Tally

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def tally(*ages_s: float, verdict: Verdict | None = None) -> Tally:
    made = Tally()
    for age_s in ages_s:
        made.add(
            verdict or Verdict(skip=0, committed=3), NOW - timedelta(seconds=age_s), events=2, readings=1
        )
    return made


def test_a_pulse_is_due_after_ten_seconds() -> None:
    pace = Pace(3, 100.0)
    pace.commit(tally(0.5), NOW)
    assert pace.pulse(NOW, 109.9, 0) is None
    pulse = pace.pulse(NOW, 112.0, 7)
    assert pulse is not None
    assert (pulse.length_s, pulse.partition, pulse.waiting_messages) == (12.0, 3, 7)
    assert (pulse.transactions, pulse.messages, pulse.events, pulse.readings) == (1, 1, 2, 1)


def test_lags_are_of_the_messages_since_the_last_pulse() -> None:
    pace = Pace(0, 0.0)
    pace.commit(tally(99.0), NOW)
    pace.pulse(NOW, 10.0, 0)
    pace.commit(tally(*(second / 10 for second in range(1, 101))), NOW)
    pulse = pace.pulse(NOW, 20.0, 0)
    assert pulse is not None
    lags = (pulse.lag_p50_s, pulse.lag_p95_s, pulse.lag_p99_s, pulse.lag_max_s)
    assert lags == (5.0, 9.5, 9.9, 10.0)


def test_in_silence_there_is_no_lag() -> None:
    pulse = Pace(0, 0.0).pulse(NOW, 10.0, 0)
    assert pulse is not None
    assert (pulse.messages, pulse.lag_p50_s, pulse.lag_max_s) == (0, None, None)


def test_a_source_whose_clock_is_ahead_has_no_negative_lag() -> None:
    pace = Pace(0, 0.0)
    pace.commit(tally(-5.0), NOW)
    pulse = pace.pulse(NOW, 10.0, 0)
    assert pulse is not None
    assert pulse.lag_max_s == 0


def test_what_was_lost_and_what_came_again_is_counted() -> None:
    pace = Pace(0, 0.0)
    again = Tally()
    again.add(Verdict(skip=3, committed=3, duplicates=3), None, events=0, readings=0)
    pace.commit(again, NOW)
    pace.commit(tally(1.0, verdict=Verdict(skip=0, committed=9, gap=4, ahead=2)), NOW)
    pulse = pace.pulse(NOW, 10.0, 0)
    assert pulse is not None
    assert (pulse.messages, pulse.duplicates, pulse.gaps, pulse.ahead) == (1, 3, 4, 2)

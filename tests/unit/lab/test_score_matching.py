"""Alarms against the truth: first crossings, merging, names, false alarms."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from contracts.events import FLEET, ScenarioLabel
from lab.score.matching import Alarm, TrueEvent, judged, merged
from lab.score.truth import true_events

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def alarm(seconds: float, kind="swing", place="CP-1") -> Alarm:
    return Alarm(place, kind, at(seconds))


def event(begin: float, end: float, places=("CP-1",), physical: float | None = None) -> TrueEvent:
    return TrueEvent(
        "a1", frozenset({"swing", "storm"}), frozenset(places), at(begin),
        None if physical is None else at(physical), at(end),
    )  # fmt: skip


def test_the_first_crossing_counts():
    (found,) = judged([event(100, 400, physical=105)], [alarm(130), alarm(300)]).found
    assert (found.delay_s, found.physical_delay_s, len(found.alarms)) == (30, 25, 2)


def test_an_alarm_before_the_event_did_not_find_it():
    result = judged([event(100, 400)], [alarm(99)])
    assert not result.found[0].detected
    assert len(result.false_alarms) == 1


def test_an_alarm_may_come_while_a_window_fills_after_the_end_and_no_later():
    assert judged([event(100, 400)], [alarm(459)]).found[0].detected
    assert not judged([event(100, 400)], [alarm(461)]).found[0].detected


def test_an_alarm_of_another_charge_point_is_false():
    result = judged([event(100, 400)], [alarm(130, place="CP-2")])
    assert not result.found[0].detected
    assert [one.charge_point_id for one in result.false_alarms] == ["CP-2"]


def test_an_alarm_of_the_fleet_finds_an_event_of_several_only():
    of_fleet = alarm(130, place=FLEET)
    assert judged([event(100, 400, places=("CP-1", "CP-2"))], [of_fleet]).found[0].detected
    assert not judged([event(100, 400)], [of_fleet]).found[0].detected


def test_names_first_and_within_the_same_alarm():
    (found,) = judged([event(100, 400)], [alarm(130, "other"), alarm(150, "storm")]).found
    assert (found.named_first, found.named) == (False, True)
    (found,) = judged([event(100, 400)], [alarm(130, "other"), alarm(200, "storm")]).found
    assert (found.named_first, found.named) == (False, False)


def test_one_alarm_matches_one_event():
    both = judged([event(100, 200), event(150, 300)], [alarm(160)]).found
    assert [found.detected for found in both] == [True, False]


def test_false_alarms_within_a_minute_are_one():
    assert len(merged([alarm(0), alarm(50), alarm(100), alarm(200)])) == 2
    assert len(merged([alarm(0), alarm(1, place="CP-2")])) == 2


@given(st.lists(st.floats(0, 1000)), st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 200))))
def test_every_alarm_belongs_to_one_event_or_is_false(alarms, spans):
    """Nothing is counted twice, nothing is lost but by merging false ones."""
    events = [event(begin, begin + length) for begin, length in spans]
    result = judged(events, [alarm(seconds) for seconds in alarms])
    of_events = sum(len(found.alarms) for found in result.found)
    strays = [
        one
        for one in alarms
        if not any(e.commanded_at <= at(one) <= e.ended_at + timedelta(seconds=60) for e in events)
    ]
    assert of_events == len(alarms) - len(strays)
    assert len(result.false_alarms) == len(merged([alarm(one) for one in sorted(strays)]))


def label(phase, seconds, run_id="run-1", anomaly="swing", physical=None) -> ScenarioLabel:
    return ScenarioLabel(
        at=at(seconds), run_id=run_id, scenario="a1", anomaly=anomaly, phase=phase, charge_point_ids=["CP-1"],
        physical_started_at=None if physical is None else at(physical),
    )  # fmt: skip


def test_a_start_and_an_end_make_an_event():
    (one,) = true_events([label("started", 10), label("ended", 60, physical=12)], {}, at(1000))
    assert (one.commanded_at, one.physical_at, one.ended_at) == (at(10), at(12), at(60))
    assert one.accepted == {"swing"}


def test_a_run_at_several_charge_points_is_one_event():
    labels = [
        ScenarioLabel(
            at=at(seconds), charge_point_id=place, run_id="r", scenario="a2", anomaly="swing", phase=phase,
            charge_point_ids=[place],
        )
        for place, phase, seconds in (
            ("CP-1", "started", 10), ("CP-2", "started", 11), ("CP-1", "ended", 50), ("CP-2", "ended", 70)
        )
    ]  # fmt: skip
    (one,) = true_events(labels, {}, at(1000))
    assert (one.charge_point_ids, one.commanded_at, one.ended_at) == ({"CP-1", "CP-2"}, at(10), at(70))
    (unended,) = true_events(labels[:3], {}, at(1000))
    assert unended.ended_at == at(1000)


def test_a_run_without_an_end_lasts():
    (one,) = true_events([label("started", 10)], {"a1": frozenset({"storm"})}, at(1000))
    assert (one.ended_at, one.accepted) == (at(1000), {"storm"})


def test_benign_runs_are_no_events():
    assert (
        true_events([label("started", 10, anomaly=None), label("ended", 60, anomaly=None)], {}, at(100)) == []
    )

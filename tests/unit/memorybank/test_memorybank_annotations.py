"""What Grafana is told of an anomaly, and which changes wait to be told."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.events import Anomaly
from memorybank.annotations import Waiting, is_as, own_tag, region
from memorybank.metrics import Parts
from memorybank.store import Store

AT = datetime(2025, 3, 1, 12, 0, 0, 250_000, UTC)


def anomaly(number=1, phase="opened", after_s=0.0, **changes):
    updated_at = AT + timedelta(seconds=60 + after_s)
    known = Anomaly(
        id=uuid.UUID(int=number),
        charge_point_id="CP-1",
        connector=2,
        kind="repeated-current-fluctuation",
        severity="warning",
        phase=phase,
        started_at=AT,
        detected_at=AT + timedelta(seconds=60),
        updated_at=updated_at,
        ended_at=updated_at if phase == "closed" else None,
        score=9,
        threshold=8,
        deviation=99.5,
        explanation="9 reversals within 60 s",
    )
    return replace(known, **changes)


def waiting_for(waiting):
    """Return what waits, in the order in which it is told, telling it."""
    found = []
    while (first := waiting.first()) is not None:
        found.append(first)
        waiting.mark_told(first)
    return found


def test_an_open_anomaly_is_a_region_up_to_where_it_was_seen():
    told = region(anomaly(after_s=5))
    assert (told.start_ms, told.end_ms) == (1_740_830_400_250, 1_740_830_465_250)
    assert told.text == "CP-1 / 2: 9 reversals within 60 s"
    assert told.tags == (
        "chargebench",
        "repeated-current-fluctuation",
        "warning",
        "CP-1",
        f"anomaly:{uuid.UUID(int=1)}",
    )


def test_a_closed_one_ends_where_it_ended():
    closed = anomaly(phase="closed", ended_at=AT + timedelta(seconds=50))
    assert region(closed).end_ms - region(closed).start_ms == 50_000


def test_a_name_from_outside_is_no_markup_and_one_tag():
    told = region(anomaly(charge_point_id="<b>a:b</b>" + "x" * 300))
    assert told.text.startswith("&lt;b&gt;a:b&lt;/b&gt;x")
    assert told.tags[3].startswith("<b>a_b</b>x")
    assert len(told.tags[3]) == 100


def test_what_grafana_gives_back_is_known_again():
    told = region(anomaly())
    found = {
        "id": 7,
        "time": told.start_ms,
        "timeEnd": told.end_ms,
        "text": told.text,
        "tags": list(told.tags),
    }
    assert is_as(found, told)
    for change in ({"timeEnd": told.end_ms + 1}, {"text": "other"}, {"tags": ["chargebench", "critical"]}):
        assert not is_as(found | change, told)


def test_of_several_changes_the_last_is_told_in_the_place_of_the_first():
    waiting = Waiting()
    for one in (anomaly(1), anomaly(2), anomaly(1, "updated", 5), anomaly(1, "closed", 9)):
        waiting.add(one)
    assert waiting_for(waiting) == [anomaly(1, "closed", 9), anomaly(2)]


@pytest.mark.parametrize(
    ("change", "is_told"),
    [
        (anomaly(phase="updated", after_s=59), False),
        (anomaly(phase="updated", after_s=60), True),
        (anomaly(phase="updated", after_s=1, severity="critical"), True),
        (anomaly(phase="closed", after_s=1), True),
    ],
)
def test_an_open_anomaly_is_told_again_when_it_says_something_new(change, is_told):
    waiting = Waiting()
    waiting.add(anomaly())
    waiting_for(waiting)
    waiting.add(change)
    assert waiting_for(waiting) == ([change] if is_told else [])


def test_a_change_while_it_is_told_is_told_after_it():
    waiting = Waiting()
    waiting.add(anomaly())
    first = waiting.first()
    waiting.add(anomaly(phase="closed", after_s=1))
    waiting.mark_told(first)
    assert waiting_for(waiting) == [anomaly(phase="closed", after_s=1)]


def test_beyond_the_bound_the_longest_waiting_are_given_up_and_counted():
    waiting = Waiting(most=3)
    for number in range(5):
        waiting.add(anomaly(number))
    assert [one.id.int for one in waiting_for(waiting)] == [2, 3, 4]
    assert waiting.dropped == 2


def test_one_that_was_given_up_is_taken_again():
    waiting = Waiting()
    waiting.add(anomaly())
    waiting.drop(waiting.first())
    waiting.add(anomaly(phase="updated", after_s=1))
    assert len(waiting) == 1


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["opened", "updated", "closed"]), st.booleans()),
        max_size=60,
    )
)
def test_grafana_knows_the_end_of_everything_that_was_not_given_up(steps):
    """Whatever is told in between, the last of each anomaly arrives; and what is kept is bounded."""
    waiting, told, last = Waiting(most=6), {}, {}
    for step, (number, phase, is_reached) in enumerate(steps):
        one = anomaly(number, phase, after_s=60.0 * step)
        last[number] = one
        waiting.add(one)
        if is_reached and (first := waiting.first()):
            told[first.id.int] = first
            waiting.mark_told(first)
        assert len(waiting) <= 6
    told |= {one.id.int: one for one in waiting_for(waiting)}
    assert told == last
    assert waiting.dropped == 0
    assert set(waiting._told) == {one.id for one in last.values() if one.phase != "closed"}


def test_the_tag_of_an_anomaly_is_its_own():
    assert own_tag(uuid.UUID(int=1)) != own_tag(uuid.UUID(int=2))


def test_a_memorybank_that_tells_grafana_nothing_says_so():
    assert Parts(Store("postgresql://nowhere")).health()["annotations"] is None

"""The knee's pure parts: which number comes next, what was held, what is named, what is lost."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.knee import counters, picture, stored
from bench.knee.__main__ import main, sentence
from bench.knee.ears import Sent
from bench.knee.processes import Ended, Taken
from bench.knee.steps import NO_LIMIT, Backlog, Plan, Step, bottleneck, knee, percentile, rounded
from bench.knee.stored import Row


def climbed(plan: Plan, limit: float) -> list[int]:
    """Return the numbers that are tried where `limit` charge points are held and no more."""
    tried: list[tuple[int, bool]] = []
    while number := plan.following(tried):
        tried.append((number, number <= limit))
    return [number for number, _ in tried]


def test_numbers_rise_until_one_is_too_many_then_one_between() -> None:
    assert climbed(Plan(first=50, last=2000), 300) == [50, 100, 200, 400, 280]
    assert climbed(Plan(first=50, last=2000), 280) == [50, 100, 200, 400, 280]
    assert climbed(Plan(first=50, last=2000), 5000) == [50, 100, 200, 400, 800, 1600, 2000]
    assert climbed(Plan(first=50, last=2000), 10) == [50]
    assert climbed(Plan(first=4, last=8), 100) == [4, 8]
    assert climbed(Plan(first=1, last=4, factor=1.1), 100) == [1, 2, 3, 4]


@given(
    first=st.integers(1, 500),
    more=st.integers(0, 1500),
    factor=st.floats(1.1, 10),
    limit=st.integers(0, 2500),
)
def test_a_climb_ends_and_no_number_is_tried_twice(first: int, more: int, factor: float, limit: int) -> None:
    tried = climbed(Plan(first=first, last=first + more, factor=factor), limit)
    assert len(set(tried)) == len(tried) <= 100
    assert all(first <= number <= first + more for number in tried)
    assert sum(number > limit for number in tried) <= 2


def test_numbers_have_two_digits() -> None:
    assert [rounded(number) for number in (1.2, 9.6, 70.7, 282.8, 1131.4)] == [1, 10, 71, 280, 1100]


@given(st.lists(st.floats(0, 100) | st.just(math.inf), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert sum(value < found for value in values) < share * len(values) + 1e-6


def test_no_values_have_no_percentile() -> None:
    assert percentile([], 0.95) is None


HELD = Step(charge_points=100, p95_s=0.3, cpu={"csms": 0.5, "memorybank": 0.5})


def test_a_step_is_held_when_it_is_fast_and_whole() -> None:
    assert HELD.held
    assert HELD.cpu_ms == 10
    for changes in (
        {"p95_s": 1.01},
        {"p95_s": math.inf},
        {"p95_s": None},
        {"lost": {"readings by can": 1.0}},
        {"failed": "no port"},
    ):
        assert not replace(HELD, **changes).held, changes


def test_the_knee_is_the_last_that_was_held_below_the_first_that_was_not() -> None:
    steps = [replace(HELD, charge_points=number) for number in (50, 100, 200)]
    too_many = replace(HELD, charge_points=150, p95_s=2.0)
    assert knee(steps).charge_points == 200
    assert knee([*steps, too_many]).charge_points == 100
    assert knee([too_many]) is None
    assert knee([]) is None


def test_what_was_found_is_said_in_a_line() -> None:
    too_many = replace(HELD, charge_points=150, p95_s=2.0, bottleneck="csms: one process at 97% of a core")
    failed = Step(charge_points=150, failed="no port")
    assert sentence([HELD, too_many]) == "The knee: 100 charge points. With 150: " + too_many.bottleneck + "."
    assert sentence([too_many]) == "Not even the first was held. With 150: " + too_many.bottleneck + "."
    assert sentence([HELD, failed]) == "The knee: 100 charge points. With 150: no port."
    assert sentence([HELD]) == "All were held, up to 100 charge points: the knee lies beyond."
    assert sentence([]) == "Nothing was measured."
    broken_off = sentence([HELD], interrupted=True)
    assert (
        broken_off == "All were held, up to 100 charge points: more was not tried, since it was interrupted."
    )


def test_a_program_that_ended_is_named() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    with pytest.raises(Ended, match=f"csms.*{gone.pid}"):
        Taken.now({"csms": gone.pid})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, NO_LIMIT),
        ({"busiest": {"csms": 0.97, "memorybank": 0.5}}, "csms: one process at 97% of a core"),
        ({"busy_cores": 1.95}, "all 2 cores: memorybank 0.60, csms 0.40"),
        (
            {"busy_cores": 1.95, "foreign_cores": 0.9},
            "all 2 cores: other programs 0.90, memorybank 0.60, csms 0.40",
        ),
        (
            {"backlogs": {"outbox of csms": Backlog(before=10, after=300, a_second=200)}},
            "outbox of csms grows, 10 to 300",
        ),
        ({"backlogs": {"outbox of csms": Backlog(before=10, after=200, a_second=200)}}, NO_LIMIT),
    ],
)
def test_what_was_at_its_limit_is_named(changes: dict, named: str) -> None:
    seen = {
        "busiest": {"csms": 0.4, "memorybank": 0.6},
        "cpu": {"csms": 0.4, "memorybank": 0.6},
        "backlogs": {},
        "busy_cores": 1.2,
        "foreign_cores": 0.0,
    }
    assert bottleneck(cores=2, **(seen | changes)) == named


def test_everything_at_its_limit_is_named() -> None:
    named = bottleneck(
        {"csms": 0.95},
        {"csms": 0.95},
        {"outbox of csms": Backlog(before=0, after=9, a_second=1)},
        cores=1,
        busy_cores=1.0,
        foreign_cores=0.0,
    )
    assert named == (
        "csms: one process at 95% of a core; all 1 cores: csms 0.95; outbox of csms grows, 0 to 9"
    )


def test_a_delay_ends_with_the_commit_of_the_reading_that_follows_its_status() -> None:
    """Of rows in the order of their numbers; frames of other charge points do not come between."""
    rows = [
        Row("CP-1", 1, 1, "a0", None),
        Row("CP-1", 1, 2, None, 10.3),
        Row("CP-1", 1, 3, None, 11.9),  # a 0x300 that stood alone
        Row("CP-1", 1, 4, "a1", None),
        Row("CP-2", 1, 5, None, 99.0),
        Row("CP-1", 1, 6, None, 11.5),
        Row("CP-1", 1, 7, "a2", None),  # its reading is not there
    ]
    sent = [Sent("CP-1", status, at) for status, at in (("a0", 10.0), ("a1", 11.0), ("a2", 12.0))]
    sent.append(Sent("CP-2", "b0", 12.0))
    assert [round(delay, 6) for delay in stored.delays_s(sent, rows)] == [0.3, 0.5, math.inf, math.inf]


def test_readings_that_are_missing_are_counted() -> None:
    """A window of 10 s has 9, 10 or 11 of 1 Hz."""
    counted = [("CP-1", "can", 9), ("CP-1", "ocpp", 11), ("CP-2", "can", 7), ("CP-2", "ocpp", 10)]
    assert stored.missing(counted, ["CP-1", "CP-2"], 10.4) == {"readings by can": 2}
    assert stored.missing(counted, ["CP-1", "CP-2", "CP-3"], 10.4) == {
        "readings by can": 11,
        "readings by ocpp": 9,
    }
    assert stored.missing(counted[:2], ["CP-1"], 10.4) == {}


def test_counters_that_moved_are_told_and_losses_among_them_are_known() -> None:
    before = {"csms": {"events_dropped_total": 2.0, "messages_total{direction=sent}": 5.0}}
    after = {
        "csms": {"events_dropped_total": 5.0, "messages_total{direction=sent}": 9.0, "resends_total": 1.0},
        "console": {"messages_dropped_total": 7.0},
    }
    moved = counters.moved(before, after)
    assert moved == {
        "csms events_dropped_total": 3,
        "csms resends_total": 1,
        "console messages_dropped_total": 7,
    }
    assert counters.lost(moved) == {"csms events_dropped_total": 3}


def test_what_waits_is_held_against_what_a_second_brings() -> None:
    """Rates are by the time between the readings of the same service: others are read before and after it."""
    before = {
        "chargepoint": {"events_uncommitted": 5.0, "events_published_total": 100.0, counters.READ_AT: 10.0},
        "memorybank": {"rollup_lag_events": 1.0, "events_stored_total": 0.0, counters.READ_AT: 11.0},
    }
    after = {
        "chargepoint": {
            "events_uncommitted": 90.0,
            "events_published_total": 500.0,
            "charge_points": 4.0,
            "queued_messages": 9.0,
            counters.READ_AT: 20.0,
        },
        "memorybank": {
            "rollup_lag_events": 31.0,
            "events_stored_total": 6.0,
            "readings_stored_total": 4.0,
            counters.READ_AT: 16.0,
        },
    }
    found = counters.backlogs(before, after)
    assert found["outbox of chargepoint"] == Backlog(before=5, after=90, a_second=40)
    assert found["MeterValues that wait at charge points"] == Backlog(before=0, after=9, a_second=4)
    assert found[counters.ROLLUPS] == Backlog(before=1, after=31, a_second=2 * counters.ROLLUPS_WAIT_S)
    assert {name for name, backlog in found.items() if backlog.grows} == {
        "outbox of chargepoint",
        "MeterValues that wait at charge points",
    }
    assert counters.moved(before, after) == {}


def test_time_of_processes_is_by_service_and_of_the_busiest() -> None:
    """A backend that ended is in its parent's time; one that came is counted from its beginning."""
    before = Taken({"postgres": {1: 1.0, 2: 5.0}}, {"postgres": 0.0}, 100.0, 3.0, at_s=50.0)
    after = Taken({"postgres": {1: 1.5, 3: 2.0}}, {"postgres": 5.5}, 118.0, 4.0, at_s=60.0)
    assert after.since(before) == {"postgres": pytest.approx(0.3)}
    assert after.busiest_since(before) == {"postgres": pytest.approx(0.2)}
    assert after.of_machine_since(before) == pytest.approx((1.8, 0.1))


def test_the_picture_suits_light_and_dark_and_takes_what_never_came(tmp_path) -> None:
    steps = [
        replace(HELD, memory_mb={"csms": 50.0}, median_s=0.1, longest_s=0.5),
        replace(HELD, charge_points=200, p95_s=math.inf, lost={"readings by can": 3.0}, memory_mb={}),
        Step(charge_points=400, failed="no port"),
    ]
    for number in (1, 2, 3):
        path = tmp_path / f"{number}.svg"
        picture.write(path, steps[:number], cores=2)
        drawn = path.read_text()
        assert drawn.startswith("<svg")
        assert "prefers-color-scheme: dark" in drawn
        assert "currentColor" in drawn
        assert "the knee: 100 charge points" in drawn
        assert ">lost<" in drawn or number == 1
    picture.write(tmp_path / "none.svg", steps[2:], cores=2)
    assert not (tmp_path / "none.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--from", "0"], "'0' is not a number from 1 to 2000"),
        (["--from", "20", "--to", "10"], "--from 20 is more than --to 10"),
        (["--factor", "one"], "'one' is not a number from 1.1 to 10"),
        (["--window", "999"], "'999' is not a number from 3 to 120"),
    ],
)
def test_nonsense_is_refused_by_name(arguments: list[str], told: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_help_has_an_example(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "make bench-knee ARGS=" in capsys.readouterr().out

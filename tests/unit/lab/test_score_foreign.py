"""A foreign detector as a judge: real processes that answer, crash, hang and talk nonsense."""

import shlex
import sys
from datetime import UTC, datetime, timedelta

import pytest

from contracts.events import CanFrameSeen, Reading
from lab.score import foreign
from lab.score.foreign import Foreign
from lab.score.matching import Alarm

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)

VERDICT = """
def verdict(at, **more):
    said = {"detector": "t", "kind": "strange", "charge_point_id": "CP-1", "connector": 1, "at": at}
    return json.dumps([{**said, **more}])
"""


def program(answer: str) -> str:
    """Return the command of a detector that answers the line `number` (of events `events`) with `answer`."""
    text = f"""
import json, os, sys, time
{VERDICT}
for number, line in enumerate(sys.stdin):
    events = json.loads(line)["events"]
    print({answer}, flush=True)
"""
    return shlex.join([sys.executable, "-c", text])


def frame(second: float) -> CanFrameSeen:
    return CanFrameSeen(
        at=BEGIN + timedelta(seconds=second), charge_point_id="CP-1", connector=1, can_id=0x300, data="6400"
    )


def judged(command: str, seconds: int = 4, patience_s: float = 5.0) -> Foreign:
    judge = Foreign(command, patience_s)
    for second in range(seconds):
        judge.take(frame(second))
        judge.take(frame(second + 0.5))
    judge.close()
    return judge


def test_an_alarm_counts_from_the_last_event_that_was_told() -> None:
    """Whatever instant the verdict claims, and once however often it is told."""
    early = BEGIN.isoformat()
    judge = judged(program(f"verdict({early!r}) if number else []"))
    assert judge.alarms == [Alarm("CP-1", "strange", BEGIN + timedelta(seconds=1.5))]
    assert judge.complaints == {}


def test_a_line_has_the_events_of_a_second() -> None:
    judge = judged(program('verdict(events[-1]["at"], kind=f"n{len(events)}")'))
    assert [alarm.kind for alarm in judge.alarms] == ["n2"] * 4
    assert [alarm.at for alarm in judge.alarms] == [frame(n + 0.5).at for n in range(4)]


def test_a_charge_points_wrong_clock_moves_no_alarm() -> None:
    judge = Foreign(program('verdict(events[0]["at"])'))
    judge.take(frame(0))
    judge.take(Reading(at=BEGIN - timedelta(hours=1), charge_point_id="CP-1", connector=1, origin="ocpp"))
    judge.close()
    assert [alarm.at for alarm in judge.alarms] == [BEGIN, BEGIN]


def test_nonsense_is_counted_and_passed_over() -> None:
    good = BEGIN.isoformat()
    ahead = (BEGIN + timedelta(hours=1)).isoformat()
    answers = f"['x', '[]', '[7, ' + verdict({good!r})[1:], verdict({ahead!r})][number]"
    judge = judged(program(answers))
    assert [alarm.kind for alarm in judge.alarms] == ["strange"]
    assert sorted(judge.complaints.values()) == [1, 1, 1]
    assert any("yet to come" in reason for reason in judge.complaints)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("os._exit(3)", "it ended with exit status 3"),
        ("time.sleep(60)", "no answer within 2 s"),
        ("'[' * 2_000_000", "an answer of more than 1000000 bytes"),
        ("'[]\\n[]'", "it answers with more than a line, or before it was asked"),
    ],
)
def test_a_detector_that_fails_is_over(answer: str, reason: str) -> None:
    """It keeps what it said before, is told of once, and does not hold up the rest."""
    good = BEGIN.isoformat()
    judge = judged(program(f"verdict({good!r}) if number == 0 else {answer}"), patience_s=2.0)
    assert len(judge.alarms) == 1
    assert judge.complaints == {reason: 1}


def test_a_line_longer_than_a_pipe_is_read_while_it_is_written() -> None:
    """Neither waits for the other, though it answers before it has read all."""
    judge = Foreign(program("verdict(events[-1]['at'], score=len(events))"))
    for number in range(5_000):
        judge.take(frame(number / 10_000))
    judge.close()
    assert len(judge.alarms) == 1


def test_what_does_not_answer_is_refused_before_anything_is_simulated() -> None:
    assert foreign.complaint(program("[]")) is None
    assert "cannot be started" in (foreign.complaint("/no/such/program") or "")
    assert "exit status 3" in (foreign.complaint(program("os._exit(3)")) or "")
    assert "no closing quotation" in (foreign.complaint("'") or "").lower()
    assert "does not answer a line with a list" in (foreign.complaint(program("{}")) or "")

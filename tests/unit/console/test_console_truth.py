"""Ground truth beside a verdict, and the evidence: which runs count, how finely the past is asked for."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from console import evidence, truth
from console.answers import ScenarioRun
from console.frame_by_hand import Allowance
from contracts.events import Anomaly

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def anomaly(*, ended_s: float | None = None) -> Anomaly:
    return Anomaly(
        id=uuid.UUID(int=1),
        charge_point_id="CP-1",
        connector=1,
        kind="repeated-current-fluctuation",
        severity="warning",
        phase="opened" if ended_s is None else "closed",
        started_at=AT,
        detected_at=AT + timedelta(seconds=13),
        updated_at=AT + timedelta(seconds=13),
        ended_at=None if ended_s is None else AT + timedelta(seconds=ended_s),
        score=8.0,
        threshold=6.0,
        deviation=97.0,
        explanation="8 reversals",
    )


def run(scenario: str, provokes: str | None, ended_at: str | None = None) -> ScenarioRun:
    return ScenarioRun(
        run_id="1",
        scenario=scenario,
        state="running",
        anomaly=provokes,
        started_at="2026-01-01T11:59:00Z",
        ended_at=ended_at,
    )


def test_what_was_provoked_was_rightly_found() -> None:
    told = truth.judged(
        anomaly(),
        [run("fluctuation", "repeated-current-fluctuation", "2026-01-01T12:01:00Z")],
        remembers=True,
    )
    assert (told.known, told.verdict) == (True, "true_positive")
    assert told.text == "Provoked: fluctuation ran on CP-1 from 11:59:00 UTC until 12:01:00 UTC."


def test_what_was_provoked_otherwise_is_found_and_said_so() -> None:
    """A detector may be right that something is wrong, and wrong about what."""
    runs = [run("benign-charging", None), run("flood", "can-flood")]
    told = truth.judged(anomaly(), runs, remembers=True)
    assert told.verdict == "true_positive"
    assert told.text.endswith("which provokes can-flood, not repeated-current-fluctuation.")
    assert told.runs == runs


def test_benign_life_is_a_false_alarm() -> None:
    told = truth.judged(anomaly(), [run("benign-charging", None)], remembers=True)
    assert (told.known, told.verdict) == (True, "false_positive")
    assert told.text == (
        "A false alarm: nothing was provoked on CP-1 then (benign-charging ran, which is benign)."
    )


def test_without_any_run_from_then_nothing_is_claimed() -> None:
    """A CSMS that began later, or forgot, cannot call it a false alarm."""
    told = truth.judged(anomaly(), [], remembers=False)
    assert (told.known, told.verdict) == (False, "unknown")
    assert truth.judged(anomaly(), [], remembers=True).verdict == "false_positive"


@pytest.mark.parametrize("ended_s,until_s", [(60, 180), (5, 133), (90_000, 90_120)])
def test_evidence_reaches_two_minutes_around(ended_s: float, until_s: float) -> None:
    """From before the first sign to after the end, or after the detection where that came later."""
    since, until = evidence.stretch_of(anomaly(ended_s=ended_s), AT + timedelta(days=30))
    assert (since - AT, until - AT) == (timedelta(seconds=-120), timedelta(seconds=until_s))


@pytest.mark.parametrize("ago_s", [20, 3600])
def test_evidence_of_what_is_open_ends_now(ago_s: float) -> None:
    now = AT + timedelta(seconds=ago_s)
    assert evidence.stretch_of(anomaly(), now)[1] == now


@pytest.mark.parametrize(
    "span_s,wanted",
    [
        (240, ["reading", "10s", "1m", "1h"]),
        (1501, ["10s", "1m", "1h"]),
        (4 * 3600, ["10s", "1m", "1h"]),
        (86_400, ["1m", "1h"]),
        (30 * 86_400, ["1h"]),
        (400 * 86_400, ["1h"]),
    ],
)
def test_evidence_fits_a_screen(span_s: float, wanted: list[str]) -> None:
    """The longer, the coarser; what is not kept so finely any more is asked for more coarsely."""
    assert evidence.finenesses(span_s) == wanted


def test_an_allowance_is_used_up_and_comes_back() -> None:
    """So many at once, then so many a second, and never more than at once after a rest."""
    allowance = Allowance(burst=3, per_s=2.0)
    assert [allowance.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert [allowance.take(10.5), allowance.take(10.5)] == [True, False]
    assert [allowance.take(100.0) for _ in range(4)] == [True, True, True, False]

"""Ground truth beside a verdict: which runs count."""

from datetime import UTC, datetime

import msgspec

from console import truth
from console.answers import ScenarioRun
from console_parts import fluctuation
from contracts.events import FLEET


def run(scenario: str, provokes: str | None, ended_at: str | None = None) -> ScenarioRun:
    return ScenarioRun(
        run_id="1",
        scenario=scenario,
        state="running",
        anomaly=provokes,
        started_at=datetime(2026, 1, 1, 11, 59, tzinfo=UTC),
        ended_at=None if ended_at is None else datetime.fromisoformat(ended_at),
    )


def test_what_was_provoked_was_rightly_found() -> None:
    told = truth.judged(
        fluctuation(),
        [run("fluctuation", "repeated-current-fluctuation", "2026-01-01T12:01:00Z")],
        remembers=True,
    )
    assert (told.known, told.verdict) == (True, "true_positive")
    assert told.text == "Provoked: fluctuation ran on CP-1 from 11:59:00 UTC until 12:01:00 UTC."


def test_what_was_provoked_otherwise_is_found_and_said_so() -> None:
    """A detector may be right that something is wrong, and wrong about what."""
    runs = [run("benign-charging", None), run("flood", "can-flood")]
    told = truth.judged(fluctuation(), runs, remembers=True)
    assert told.verdict == "true_positive"
    assert told.text.endswith("which provokes can-flood, not repeated-current-fluctuation.")
    assert told.runs == runs


def test_benign_life_is_a_false_alarm() -> None:
    told = truth.judged(fluctuation(), [run("benign-charging", None)], remembers=True)
    assert (told.known, told.verdict) == (True, "false_positive")
    assert told.text == (
        "A false alarm: nothing was provoked on CP-1 then (benign-charging ran, which is benign)."
    )


def test_without_any_run_from_then_nothing_is_claimed() -> None:
    """A CSMS that began later, or forgot, cannot call it a false alarm."""
    told = truth.judged(fluctuation(), [], remembers=False)
    assert (told.known, told.verdict) == (False, "unknown")
    assert truth.judged(fluctuation(), [], remembers=True).verdict == "false_positive"


def test_a_finding_of_the_fleet_is_about_what_several_charge_points_did() -> None:
    of_fleet = msgspec.structs.replace(fluctuation(), charge_point_id=FLEET, connector=0, kind="mass-step")
    step = run("mass-step", "mass-step")
    alone = msgspec.structs.replace(step, charge_point_ids=["CP-1"])
    told = truth.judged(of_fleet, [alone], remembers=True)
    assert told.verdict == "false_positive"
    assert told.text.startswith("A false alarm: nothing was provoked on the fleet then")
    told = truth.judged(
        of_fleet, [msgspec.structs.replace(step, charge_point_ids=["CP-1", "CP-2"])], remembers=True
    )
    assert told.verdict == "true_positive"
    assert "ran on the fleet" in told.text

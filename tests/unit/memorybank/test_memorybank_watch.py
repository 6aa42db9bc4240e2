"""All detectors over all connectors: streams kept apart, silence, restarts, a detector that fails."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from contracts.events import Anomaly, Reading
from memorybank.detectors.reversals import Reversals
from memorybank.watch import FORGET_S, SILENCE_S, Finding, Watch

START_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CYCLE = [0.0, 0.0, 0.0, 0.0, 89.0, 99.0, 1.0, 0.0]


def reading(second: int, charge_point_id: str = "CP-1", **more: object) -> Reading:
    known = Reading(
        at=START_AT + timedelta(seconds=second),
        charge_point_id=charge_point_id,
        connector=1,
        origin="can",
        current_a=CYCLE[second % 8],
    )
    return structs.replace(known, **more)


def observed(
    watch: Watch, seconds: range, charge_point_id: str = "CP-1", heard_s: float = 0.0
) -> list[Finding]:
    return [f for second in seconds for f in watch.observe(reading(second, charge_point_id), heard_s)]


@pytest.fixture
def watch() -> Watch:
    return Watch((Reversals(),))


def test_connectors_are_watched_apart(watch: Watch) -> None:
    """Two charge points that each swing half as often are no alarm."""
    for second in range(120):
        assert watch.observe(reading(second, "CP-1" if second // 8 % 2 else "CP-2"), 0.0) == []
    assert {key[0] for key in watch._streams} == {"CP-1", "CP-2"}


def test_only_what_was_measured_on_can_is_judged(watch: Watch) -> None:
    """What is reported by OCPP, or about no connector, opens nothing."""
    for second in range(120):
        assert watch.observe(reading(second, origin="ocpp"), 0.0) == []
        assert watch.observe(reading(second, charge_point_id=None), 0.0) == []


def test_a_finding_recalls_the_earlier_ones(watch: Watch) -> None:
    """The second anomaly of a charge point says so; another's first does not."""
    first = observed(watch, range(60))
    assert first[0].anomaly.explanation.endswith("; the first of its kind on CP-1")
    watch.observe(reading(1000), 0.0)
    again = [f for f in observed(watch, range(1008, 1080)) if f.anomaly.phase == "opened"]
    assert again[0].anomaly.explanation.endswith("the 2nd time on CP-1, first seen 2026-03-01 12:00 UTC")
    assert again[0].pattern.id == first[0].pattern.id
    other = observed(watch, range(1008, 1080), "CP-2")
    assert "the first of its kind on CP-2" in other[0].anomaly.explanation


def test_an_anomaly_is_counted_once_in_its_pattern(watch: Watch) -> None:
    """Its updates and its close show the pattern and do not learn it again."""
    findings = observed(watch, range(200))
    assert len(findings) > 5
    assert {finding.pattern.count for finding in findings} == {1}


def test_silence_closes(watch: Watch) -> None:
    """Nothing heard for two minutes: what is open ends; after an hour the stream is forgotten."""
    observed(watch, range(60), heard_s=1000.0)
    assert watch.expire(1000.0 + SILENCE_S - 1) == []
    (closed,) = watch.expire(1000.0 + SILENCE_S)
    assert closed.anomaly.phase == "closed"
    assert watch.expire(1000.0 + SILENCE_S + 1) == []
    watch.expire(1000.0 + FORGET_S)
    assert watch._streams == {}


def test_a_restart_tells_nothing_again(watch: Watch) -> None:
    """Replayed readings open nothing; the open anomaly goes on with its identity, pattern and words."""
    before = observed(watch, range(100))
    last = before[-1]
    after = Watch((Reversals(),), {last.pattern.id: last.pattern}, {last.anomaly.id: last.pattern.id})
    after.resume([reading(second) for second in range(100)], [last.anomaly], 0.0)
    findings = observed(after, range(100, 160))
    assert {finding.anomaly.id for finding in findings} == {last.anomaly.id}
    assert {finding.anomaly.phase for finding in findings} == {"updated"}
    assert {finding.pattern.count for finding in findings} == {1}
    (closed,) = after.expire(SILENCE_S)
    assert closed.anomaly.explanation.count("; ") == 1


def test_a_restart_keeps_closed_what_was_closed(watch: Watch) -> None:
    """What the replay opens and the memory does not know as open is not open."""
    observed(watch, range(100))
    after = Watch((Reversals(),))
    after.resume([reading(second) for second in range(100)], [], 0.0)
    assert after.expire(SILENCE_S) == []
    assert after.patterns == {}


@dataclass(frozen=True)
class Broken:
    """A detector with a bug."""

    kind: str = "broken"

    def start(self) -> int:
        return 0

    def step(self, state: int, reading: Reading) -> tuple[int, tuple[Anomaly, ...]]:
        raise ZeroDivisionError

    def end(self, state: int) -> tuple[int, tuple[Anomaly, ...]]:
        return state, ()

    def resume(self, state: int, anomaly: Anomaly) -> int:
        return state


def test_a_broken_detector_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Its failure is counted and logged; the others go on."""
    watch = Watch((Broken(), Reversals()))
    assert observed(watch, range(60))
    assert watch.failures == 60
    assert "broken failed on CP-1" in caplog.text

"""All detectors over all connectors: streams kept apart, silence, restarts, a detector that fails."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from msgspec import structs

from contracts.events import FLEET, CommandSent, Event, OcppMessageSeen, Reading, Severity, SystemEvent
from memorybank.detector import Layer, Place, Scope, Sign
from memorybank.detectors.reversals import Reversals
from memorybank.patterns import Patterns
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
    assert watch.places == 2


def test_only_what_was_measured_on_can_is_judged(watch: Watch) -> None:
    """What is reported by OCPP where there is a bus, or about no connector, opens nothing."""
    watch.observe(reading(-1), 0.0)
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
    words = "; the first of its kind on CP-2, the same as on CP-1 (2 times, first seen 2026-03-01 12:00 UTC)"
    assert other[0].anomaly.explanation.endswith(words)
    assert {f.anomaly.explanation.count("the same as") for f in other} == {1}


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
    assert watch.places == 0


def test_a_restart_tells_nothing_again(watch: Watch) -> None:
    """Replayed readings open nothing; the open anomaly goes on with its identity, pattern and words."""
    before = observed(watch, range(100))
    last = before[-1]
    after = Watch((Reversals(),), Patterns([last.pattern]), {last.anomaly.id: last.pattern.id})
    after.resume([reading(second) for second in range(100)], [last.anomaly], 0.0)
    findings = observed(after, range(100, 160))
    assert {finding.anomaly.id for finding in findings} == {last.anomaly.id}
    assert {finding.anomaly.phase for finding in findings} == {"updated"}
    assert {finding.pattern.count for finding in findings} == {1}
    (closed,) = after.expire(SILENCE_S)
    assert closed.anomaly.explanation.count(" of its kind") == 1


def test_a_restart_keeps_closed_what_was_closed(watch: Watch) -> None:
    """What the replay opens and the memory does not know as open is not open."""
    observed(watch, range(100))
    after = Watch((Reversals(),))
    after.resume([reading(second) for second in range(100)], [], 0.0)
    assert after.expire(SILENCE_S) == []
    assert len(after.patterns) == 0


@dataclass(frozen=True)
class Probe:
    """Notes what it is given; sees what the script of its place says."""

    script: dict[int, Sign] = field(default_factory=dict)
    scope: Scope = "connector"
    name: ClassVar[str] = "probe"
    layer: ClassVar[Layer] = "consistency"
    takes: ClassVar[tuple[type[Event], ...]] = (Reading, CommandSent)
    given: dict[tuple[str, int], list[Event]] = field(default_factory=dict)
    ticked: dict[tuple[str, int], list[datetime]] = field(default_factory=dict)

    def start(self, place: Place) -> tuple[str, int]:
        return place.charge_point_id, place.connector

    def step(self, state: tuple[str, int], event: Event) -> Sign | None:
        self.given.setdefault(state, []).append(event)
        return self.script.get(round((event.at - START_AT).total_seconds()))

    def tick(self, state: tuple[str, int], now: datetime) -> Sign | None:
        self.ticked.setdefault(state, []).append(now)
        return None


@dataclass(frozen=True)
class Broken(Probe):
    """A detector with a bug."""

    name: ClassVar[str] = "broken"

    def step(self, state: tuple[str, int], event: Event) -> Sign | None:
        raise ZeroDivisionError


def command(second: int, connector: int | None, charge_point_id: str = "CP-1") -> CommandSent:
    return CommandSent(
        at=START_AT + timedelta(seconds=second),
        charge_point_id=charge_point_id,
        connector=connector,
        command="Reset",
        outcome="Accepted",
    )


def sign(second: int, severity: Severity = "warning", **more: Any) -> Sign:
    known: dict[str, Any] = {"kind": "odd", "score": 2.0, "threshold": 1.0, "deviation": 3.0}
    since = START_AT + timedelta(seconds=second - 1)
    return Sign(**(known | {"severity": severity, "since": since, "explanation": f"at {second}"} | more))


def test_a_broken_detector_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Its failure is counted and logged; the others go on."""
    watch = Watch((Broken(), Reversals()))
    assert observed(watch, range(60))
    assert watch.failures == 60
    assert "broken failed on CP-1" in caplog.text


@pytest.mark.parametrize(
    ("scope", "places"),
    [
        ("connector", {("CP-1", 1), ("CP-1", 2), ("CP-2", 1)}),
        ("charge_point", {("CP-1", 0), ("CP-2", 0)}),
        ("fleet", {(FLEET, 0)}),
    ],
)
def test_an_event_goes_to_its_places(scope: Scope, places: set[tuple[str, int]]) -> None:
    """A connector's own, the charge point's, everybody's; types that nobody takes go nowhere."""
    probe = Probe(scope=scope)
    watch = Watch((probe,))
    for event in (reading(0), reading(0, connector=2), reading(0, "CP-2")):
        watch.observe(event, 0.0)
    watch.observe(SystemEvent(at=START_AT, charge_point_id="CP-3", service="csms", name="seen"), 0.0)
    watch.observe(
        OcppMessageSeen(at=START_AT, charge_point_id="CP-3", direction="sent", message_type="call"), 0.0
    )
    assert set(probe.given) == places


@pytest.mark.parametrize("connector", [None, 0])
def test_what_concerns_a_station_goes_to_its_connectors(connector: int | None) -> None:
    """To those that are known, and to no other station's."""
    probe = Probe()
    watch = Watch((probe,))
    for event in (reading(0), reading(0, connector=2), reading(0, "CP-2"), command(1, connector)):
        watch.observe(event, 0.0)
    commanded = {place for place, given in probe.given.items() if command(1, connector) in given}
    assert commanded == {("CP-1", 1), ("CP-1", 2)}


def test_a_place_ticks_once_a_second_of_its_events() -> None:
    """However many events a second has; a gap is one tick."""
    probe = Probe()
    watch = Watch((probe,))
    for tenth in [*range(50), 300]:
        watch.observe(reading(0, at=START_AT + timedelta(seconds=tenth / 10)), 0.0)
    ticks = [(at - START_AT).total_seconds() for at in probe.ticked["CP-1", 1]]
    assert ticks == [1.0, 2.0, 3.0, 4.0, 30.0]


def test_an_anomaly_opens_updates_and_closes() -> None:
    """Told at most every 10 s or when it becomes graver; nothing falls; a quiet minute is its end."""
    signs = {
        10: sign(10),
        15: sign(15, score=5.0, deviation=9.0),
        16: sign(16, "critical"),
        30: sign(30, "info", score=1.0),
    }
    watch = Watch((Probe(signs),))
    told = [finding.anomaly for finding in observed(watch, range(200))]
    assert [(a.phase, (a.updated_at - START_AT).total_seconds()) for a in told] == [
        ("opened", 10.0),
        ("updated", 16.0),
        ("updated", 30.0),
        ("closed", 30.0),
    ]
    assert [a.severity for a in told] == ["warning", "critical", "critical", "critical"]
    assert [(a.score, a.deviation) for a in told] == [(2.0, 3.0), (5.0, 9.0), (5.0, 9.0), (5.0, 9.0)]
    assert {a.id for a in told} == {told[0].id}
    assert told[0].started_at == START_AT + timedelta(seconds=9)
    assert told[-1].ended_at == START_AT + timedelta(seconds=30)
    assert told[-1].explanation.startswith("at 30; ")


def test_a_second_time_is_a_second_anomaly() -> None:
    """After its end, another sign begins another one."""
    watch = Watch((Probe({10: sign(10), 90: sign(90)}),))
    opened = [f.anomaly for f in observed(watch, range(200)) if f.anomaly.phase == "opened"]
    assert len({anomaly.id for anomaly in opened}) == 2


def test_two_detectors_that_see_the_same_tell_of_one() -> None:
    """The kind is what it is; who saw it does not matter."""
    watch = Watch((Probe({10: sign(10)}), Probe({11: sign(11, score=8.0)})))
    findings = observed(watch, range(200))
    assert [finding.anomaly.phase for finding in findings] == ["opened", "closed"]
    assert findings[-1].anomaly.score == 8.0


def test_a_number_that_is_none_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    """It could be neither stored nor shown."""
    watch = Watch((Probe({10: sign(10, score=float("nan"))}),))
    assert observed(watch, range(60)) == []
    assert watch.failures == 1
    assert "a sign of odd with a number that is none" in caplog.text


def test_a_clock_far_off_moves_nothing_until_it_is_believed() -> None:
    """A wrong year in between neither closes nor ticks; a clock set back leaves nothing open for years."""
    probe = Probe({10: sign(10)})
    watch = Watch((probe,))
    observed(watch, range(20))
    assert watch.observe(reading(300_000_000), 0.0) == []
    assert observed(watch, range(20, 30)) == []
    assert max(probe.ticked["CP-1", 1]) == START_AT + timedelta(seconds=29)
    told = observed(watch, range(-7200, -7100))
    assert [finding.anomaly.phase for finding in told] == ["closed"]


@pytest.mark.parametrize(("quiet_s", "told_s"), [(3600.0, 3600), (5.0, 0)])
def test_where_nothing_was_heard_for_long_an_event_s_time_is_believed(quiet_s: float, told_s: int) -> None:
    """As far as time went by on our clock, too: a place of rare events has no other."""
    watch = Watch((Probe({3600: sign(3600)}, scope="charge_point"),))
    watch.observe(reading(0), 7.0)
    (opened,) = watch.observe(reading(3600), 7.0 + quiet_s)
    assert opened.anomaly.detected_at == START_AT + timedelta(seconds=told_s)


def test_resumed_explanations_keep_their_own_words() -> None:
    """Also where a detector's sentence has a semicolon in it."""
    watch = Watch((Probe({10: sign(10, explanation="one; two")}),))
    (opened,) = observed(watch, range(20))
    after = Watch((Probe(),), Patterns([opened.pattern]), {opened.anomaly.id: opened.pattern.id})
    after.resume([], [opened.anomaly], 0.0)
    (closed,) = after.expire(SILENCE_S)
    assert closed.anomaly.explanation == opened.anomaly.explanation

"""The simulated bench against the real chain: the base scenario gives the same commands, currents, verdict.

What may differ is what the real chain has and the simulation has not: latencies that vary, readings that come
now a little before the command and now a little after. The tolerances below say by how much.
"""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from bench_process import BenchProcess
from contracts.events import (
    AnyEvent,
    CommandSent,
    OcppMessageSeen,
    Reading,
    StatusChanged,
    TransactionStarted,
)
from csms import scenario_file
from csms.default_plan import planned
from lab.replay import memory
from lab.score.judges import Ours
from lab.simulated.bench import Bench
from lab.simulated.plan import ChargePointPlan, ScenarioRun
from memorybank.detectors import found
from memorybank.filters import Filters
from memorybank.reader import Reader
from real_parts import wait_until

CYCLES = 4
NAME = "repeated-current-fluctuation"
PEAK_A = 11.0
"""The last reading before the stop comes up to a second before it, when so much of the 100 A is missing."""
RAMP_A = 5.0
"""From 0.9 s after the start on; a command that comes 0.1 s later costs 3 A then."""
PERIOD_S = 0.3
DELAY_S = 8.0
"""One period: where in its swing the first reading falls is chance."""
SCENARIOS = Path(__file__).parents[2] / "scenarios"


class Lived:
    """CP-1's life from the scenario's first command on, for so many whole cycles."""

    def __init__(self, events: list[AnyEvent]) -> None:
        # A cycle begins with the first of its two profiles, 3 s after the stop: all of the last one has come.
        begins = [e.at for e in self._commands(events) if e.command == "SetChargingProfile"][::2]
        self.begin, self.end = begins[0], begins[CYCLES]
        self.period_s = median((b - a).total_seconds() for a, b in pairwise(begins[: CYCLES + 1]))
        self.events = events
        self.during = [event for event in events if self.begin <= event.at < self.end]
        self.commands = [
            (event.command, event.connector, _profile(event), event.outcome)
            for event in self._commands(self.during)
        ]

    @staticmethod
    def _commands(events: list[AnyEvent]) -> list[CommandSent]:
        return sorted((event for event in events if isinstance(event, CommandSent)), key=lambda e: e.at)

    def currents_a(self, origin: str) -> list[float]:
        return [
            event.current_a or 0.0
            for event in self.during
            if isinstance(event, Reading) and event.origin == origin
        ]

    def off_the_ramp_a(self) -> float:
        """Return how far readings of the bus are at most from the ramp, from 0.9 s after a start on."""
        starts = [event.at for event in self.during if isinstance(event, TransactionStarted)]
        readings = [e for e in self.during if isinstance(e, Reading) and e.origin == "can"]
        ages = [
            ((reading.at - start).total_seconds(), reading.current_a or 0.0)
            for start in starts
            for reading in readings
            if 0.9 < (reading.at - start).total_seconds() < 1.95
        ]
        assert ages
        return max(abs(current_a - 100 * (1 - 0.8 ** (10 * age_s))) for age_s, current_a in ages)

    @property
    def swings(self) -> int:
        """How often the current rose from below 20 A to above 80 A."""
        states = [a > 80 for a in self.currents_a("can") if a > 80 or a < 20]
        return sum(after and not before for before, after in pairwise(states))

    @property
    def statuses(self) -> set[str]:
        return {event.status for event in self.during if isinstance(event, StatusChanged)}

    @property
    def messages_per_cycle(self) -> dict[str, float]:
        counted = Counter(
            event.action
            for event in self.during
            if isinstance(event, OcppMessageSeen) and event.message_type == "call"
        )
        return {action: count / CYCLES for action, count in counted.items() if action != "Heartbeat"}

    def delay_s(self) -> float:
        """How long after the first command our detectors say what it is."""
        judge = Ours(found())
        for event in self.events:
            judge.take(event)
        named = [alarm.at for alarm in judge.alarms if alarm.kind == NAME]
        assert named, f"no alarm of {NAME}: {judge.alarms}"
        return (named[0] - self.begin).total_seconds()


def _profile(event: CommandSent) -> object:
    """Return the profile without what is numbered."""
    return event.parameters.get("csChargingProfiles", event.parameters.get("idTag"))


@pytest.fixture(scope="module")
def real(bench: BenchProcess) -> Lived:
    def lived_long_enough() -> bool:
        sql = "SELECT count(*) FROM memory.events WHERE kind = 'transaction_started' AND charge_point_id = %s"
        return bench.query(sql, "CP-1")[0][0] > CYCLES

    wait_until(lived_long_enough, timeout_s=100, what=f"{CYCLES} cycles of CP-1")
    secrets, port = bench.secrets, bench.described["postgres_port"]
    with Reader(f"postgresql://postgres:{secrets['postgres']}@127.0.0.1:{port}/chargebench") as reader:
        return Lived(list(memory.events(reader, Filters(charge_point_id="CP-1"))))


@pytest.fixture(scope="module")
def simulated(real: Lived) -> Lived:
    """The plan that CP-1 has by itself, with its seed."""
    plan = planned("CP-1")
    assert plan is not None
    name, delay_s, seed = plan
    scenario = scenario_file.load(SCENARIOS / f"{name}.toml")
    run = ScenarioRun(run_id="run", scenario=scenario, start_s=5.0 + delay_s, seed=seed)
    begin_at: datetime = real.begin - timedelta(seconds=5.0 + delay_s)
    bench = Bench([ChargePointPlan(charge_point_id="CP-1", runs=(run,))], seed=1, begin_at=begin_at)
    return Lived(list(bench.run(8.3 * (CYCLES + 2) + 5)))


def test_commands_are_the_same(real: Lived, simulated: Lived) -> None:
    """The same file and the same seed: the same commands with the same content and outcome, in order."""
    assert simulated.commands == real.commands
    assert len(real.commands) == 4 * CYCLES


def test_current_swings_the_same(real: Lived, simulated: Lived) -> None:
    for origin in ("can", "ocpp"):
        assert max(simulated.currents_a(origin)) == pytest.approx(max(real.currents_a(origin)), abs=PEAK_A)
        assert min(simulated.currents_a(origin)) == min(real.currents_a(origin)) == 0.0
    assert real.off_the_ramp_a() < RAMP_A
    assert simulated.off_the_ramp_a() < RAMP_A / 2
    assert simulated.swings == pytest.approx(real.swings, abs=1)
    assert simulated.period_s == pytest.approx(real.period_s, abs=PERIOD_S)


def test_the_wire_looks_the_same(real: Lived, simulated: Lived) -> None:
    """As many readings and messages of each kind a cycle, the same statuses."""
    assert simulated.statuses == real.statuses
    assert simulated.messages_per_cycle.keys() == real.messages_per_cycle.keys()
    for action, count in real.messages_per_cycle.items():
        assert simulated.messages_per_cycle[action] == pytest.approx(count, abs=1.0), action
    assert len(simulated.currents_a("can")) == pytest.approx(len(real.currents_a("can")), abs=3)
    starts = [sum(isinstance(e, TransactionStarted) for e in lived.during) for lived in (real, simulated)]
    assert starts == [CYCLES, CYCLES]


def test_verdict_is_the_same(real: Lived, simulated: Lived) -> None:
    """The detectors name both, about as soon."""
    assert simulated.delay_s() == pytest.approx(real.delay_s(), abs=DELAY_S)

"""Lives a scenario at one simulated charge point: the same steps and commands as csms.scenario_driver."""

import random
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from uuid import UUID

from chassis import backoff
from contracts.events import Reading, ScenarioLabel
from contracts.injections import Inject as Order
from csms import scenario
from csms.run_record import EFFECT_A
from csms.scenario import (
    Command,
    CommandStep,
    Inject,
    RemoteStart,
    RemoteStop,
    Reset,
    SetChargingProfile,
    Situation,
    Step,
    Wait,
)
from csms.scenario_driver import FIRST_PAUSE_S, LONGEST_PAUSE_S, PATIENCE_S, SHORTEST_CYCLE_S
from csms.state.runs import Intervention
from csms.targets import RATE_UNIT_KEY, SETTLE_S, START_DEADLINE_S, STOP_DEADLINE_S, StepFailed
from lab.simulated.agenda import NEVER_S, Agenda, Process, Until, Waiting
from lab.simulated.central_system import CentralSystem
from lab.simulated.injector import Injector
from lab.simulated.ocpp_line import OcppLine
from lab.simulated.plan import ScenarioRun


@dataclass(slots=True)
class Effect:
    """What a run has done so far: its commands, and when its effect showed first and last."""

    first_command_s: float | None = None
    last_command_s: float = 0.0
    before_a: float | None = None
    first_s: float | None = None
    last_s: float | None = None
    injected_s: tuple[float, float] | None = None
    """From the begin of the first injection to the end of the last one."""


class Driver:
    """One charge point's part of a run."""

    def __init__(
        self,
        run: ScenarioRun,
        agenda: Agenda,
        csms: CentralSystem,
        line: OcppLine,
        injector: Injector,
    ) -> None:
        self.run = run
        self.is_running = False
        self.effect = Effect()
        self._agenda = agenda
        self._csms = csms
        self._line = line
        self._injector = injector
        self._values = scenario.chosen_parameters(run.scenario, run.parameters)
        self._current_a = 0.0
        self._expects_transaction = False
        self._is_harmless = False
        """While it prepares: nothing of that is in the truth."""

    def drive(self) -> Process:
        """Live the run to its end, then undo what it did and end its label."""
        self.is_running = True
        end_s = float("inf") if self.run.lasts_s is None else self._agenda.now_s + self.run.lasts_s
        living = self._live()
        for waiting in living:
            if self._agenda.now_s >= end_s:
                break
            left_s = end_s - self._agenda.now_s
            if isinstance(waiting, Until):
                yield Until(waiting.condition, min(waiting.timeout_s, left_s))
            else:
                yield min(waiting, left_s)
            if self._agenda.now_s >= end_s:
                break
        living.close()
        self._withdraw()
        yield from self._restore()
        if self.effect.first_command_s is not None:
            self._label("ended")
        self.is_running = False

    def read(self, reading: Reading) -> None:
        """Take note of a reading of the bus: it may show the effect."""
        effect, current_a = self.effect, reading.current_a or 0.0
        self._current_a = current_a
        if effect.before_a is not None and abs(current_a - effect.before_a) > EFFECT_A:
            effect.first_s = self._agenda.now_s if effect.first_s is None else effect.first_s
            effect.last_s = self._agenda.now_s

    def _live(self) -> Generator[Waiting, None, None]:
        number, is_safe = 0, False
        jitter = random.Random(f"{self.run.seed}/{self._csms.charge_point_id}/pauses")
        pauses_s = backoff.delays_s(FIRST_PAUSE_S, LONGEST_PAUSE_S, jitter)
        cycles = self.run.cycles if self.run.cycles is not None else self.run.scenario.repeat
        while cycles is None or number < cycles:
            yield from self._until_there()
            try:
                if not is_safe:
                    yield from self._stop_transactions()
                    self._expects_transaction = False
                    yield from self._prepare()
                yield from self._cycle(number)
            except StepFailed:
                is_safe = False
                yield next(pauses_s)
                continue
            number, is_safe = number + 1, True
            pauses_s = backoff.delays_s(FIRST_PAUSE_S, LONGEST_PAUSE_S, jitter)

    def _cycle(self, number: int) -> Generator[Waiting, None, None]:
        started_s = self._agenda.now_s
        rng = random.Random(f"{self.run.seed}/{self._csms.charge_point_id}/{number}")
        yield from self._perform(scenario.cycle(self.run.scenario, self._values, rng), rng)
        yield max(0.0, started_s + SHORTEST_CYCLE_S - self._agenda.now_s)

    def _prepare(self) -> Generator[Waiting, None, None]:
        rng = random.Random(f"{self.run.seed}/{self._csms.charge_point_id}/prepare")
        steps = scenario.preparation(self.run.scenario, self._values, rng)
        self._is_harmless = True
        try:
            yield from self._perform(steps, rng)
        finally:
            self._is_harmless = False

    def _perform(self, steps: Iterable[Step], rng: random.Random) -> Generator[Waiting, None, None]:
        for step in steps:
            if isinstance(step, Wait):
                yield from self._wait(scenario.settled_number(step.seconds))
                continue
            if isinstance(step, Inject):
                self._begin_injection(step, rng)
                continue
            yield from self._command(step)
            if isinstance(step, RemoteStart | RemoteStop | Reset):
                self._expects_transaction = isinstance(step, RemoteStart)

    def _until_there(self) -> Generator[Waiting, None, None]:
        yield Until(lambda: self._line.is_up, NEVER_S)
        yield max(0.0, self._line.connected_s + SETTLE_S - self._agenda.now_s)

    def _begin_injection(self, step: Inject, rng: random.Random) -> None:
        seconds, now_s = scenario.settled_number(step.seconds), self._agenda.now_s
        if not self._is_harmless:
            first_s, last_s = self.effect.injected_s or (now_s, 0.0)
            self.effect.injected_s = first_s, max(last_s, now_s + seconds)
        if step.fault == scenario.PRESENT_TAG:
            self._keep_intervention(step)
        self._commanded()
        self._injector.inject(
            Order(
                id=UUID(int=rng.getrandbits(128)),
                charge_point_id=self._csms.charge_point_id,
                connector=scenario.connector_of(step),
                seconds=seconds,
                seed=self.run.seed,
                injection=scenario.injection(step),
            )
        )

    def _withdraw(self) -> None:
        """End what injections outlast the run."""
        if self.effect.injected_s is not None:
            first_s, last_s = self.effect.injected_s
            self.effect.injected_s = first_s, min(last_s, self._agenda.now_s)
            self._injector.withdraw()

    def _commanded(self) -> None:
        """Take note that a command goes out, or an injection begins, now."""
        if self._is_harmless:
            return
        effect = self.effect
        effect.last_command_s = self._agenda.now_s
        if effect.first_command_s is None:
            effect.first_command_s = self._agenda.now_s
            effect.before_a = self._current_a
            self._label("started")

    def _ask_rate_unit(self) -> Generator[Waiting, None, None]:
        """Ask what the CSMS asks each charge point before its first limit."""
        self._line.is_asked = True
        yield from self._send(Command("GetConfiguration", {"key": [RATE_UNIT_KEY]}, frozenset({"Answered"})))

    def _command(self, step: CommandStep) -> Generator[Waiting, None, None]:
        if not self._line.is_asked:
            yield from self._ask_rate_unit()
        connector = scenario.connector_of(step)
        transaction_id = None
        if scenario.needs_transaction(step):
            yield Until(lambda: bool(self._csms.transactions_of_runs(connector)), START_DEADLINE_S)
            active = self._csms.transactions_of_runs(connector)
            if not active:
                raise StepFailed(f"no transaction at connector {connector} within {START_DEADLINE_S:g} s")
            transaction_id = active[-1].transaction_id
        self._keep_intervention(step)
        self._commanded()
        yield from self._send(scenario.command(step, Situation(transaction_id)))

    def _send(self, command: Command) -> Generator[Waiting, None, str]:
        words: list[str] = []
        self._line.command(command, words.append)
        yield Until(lambda: bool(words), START_DEADLINE_S)
        word = words[0] if words else "Timeout"
        if word not in command.welcome:
            raise StepFailed(f"{command.action}: {word}")
        return word

    def _wait(self, seconds: float) -> Generator[Waiting, None, None]:
        if not self._expects_transaction:
            yield seconds
            return
        due_s = self._agenda.now_s + seconds
        yield Until(self._is_charging, min(seconds, PATIENCE_S))
        if self._is_charging():
            yield Until(lambda: not self._is_charging(), due_s - self._agenda.now_s)
            if not self._is_charging():
                raise StepFailed("the transaction ended by itself")
        elif seconds > PATIENCE_S:
            raise StepFailed(f"no transaction within {PATIENCE_S:g} s of the remote start")

    def _is_charging(self) -> bool:
        return bool(self._csms.transactions_of_runs())

    def _stop_transactions(self) -> Generator[Waiting, None, None]:
        for ours in self._csms.transactions_of_runs():
            stopping, number = scenario.stopping(ours.transaction_id), ours.transaction_id
            try:
                yield from self._send(stopping)
            except StepFailed:
                self._csms.end_stale(number)
                continue
            yield Until(lambda: not self._is_active(number), STOP_DEADLINE_S)  # noqa: B023 - waited for here

    def _is_active(self, transaction_id: int) -> bool:
        known = self._csms.state.transactions.get(transaction_id)
        return known is not None and known.is_active

    def _restore(self) -> Generator[Waiting, None, None]:
        """Undo what the run did; where its charge point is away, once it is back."""
        runs, charge_point_id = self._csms.state.runs, self._csms.charge_point_id
        intervention = runs.intervention(charge_point_id)
        if intervention is None:
            return
        self.effect.last_command_s = self._agenda.now_s
        while runs.intervention(charge_point_id) is not None:
            yield from self._until_there()
            try:
                yield from self._stop_transactions()
                for profile in sorted(intervention.profile_ids):
                    yield from self._send(scenario.clearing(profile))
                runs.undone(charge_point_id)
            except StepFailed:
                yield FIRST_PAUSE_S

    def _keep_intervention(self, step: CommandStep | Inject) -> None:
        runs, charge_point_id = self._csms.state.runs, self._csms.charge_point_id
        before = runs.intervention(charge_point_id)
        known = before or Intervention(self.run.run_id)
        profiles = {scenario.profile_id(step)} if isinstance(step, SetChargingProfile) else set()
        after = Intervention(
            self.run.run_id, known.id_tags | self.run.scenario.id_tags, known.profile_ids | profiles
        )
        if after != before:
            runs.intervened(charge_point_id, after)

    def _label(self, phase: str) -> None:
        effect, agenda, run = self.effect, self._agenda, self.run
        first_s, last_s = effect.injected_s or (effect.first_s, effect.last_s)
        charge_point_id = self._csms.charge_point_id
        is_over = phase == "ended"
        self._csms.tell(
            ScenarioLabel(
                at=agenda.instant(effect.last_command_s),
                charge_point_id=charge_point_id,
                run_id=run.run_id,
                scenario=run.scenario.name,
                anomaly=run.scenario.anomaly,
                phase="ended" if is_over else "started",
                charge_point_ids=list(run.charge_point_ids) or [charge_point_id],
                parameters=dict(self._values),
                seed=run.seed,
                physical_started_at=None if first_s is None else agenda.instant(first_s),
                physical_ended_at=agenda.instant(last_s) if is_over and last_s is not None else None,
            )
        )

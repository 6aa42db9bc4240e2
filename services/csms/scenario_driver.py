"""Lives a scenario at one charge point: cycle after cycle, through failures and absences."""

import asyncio
import logging
import random
from collections.abc import Iterable
from uuid import UUID

from chassis import backoff
from contracts.injections import Inject as Order
from contracts.injections import Injected
from csms import scenario
from csms.injectors import Injectors
from csms.run_record import RunRecord
from csms.scenario import (
    CommandStep,
    Inject,
    RemoteStart,
    RemoteStop,
    Reset,
    Scenario,
    SetChargingProfile,
    Step,
    Wait,
)
from csms.state import State
from csms.state.runs import Intervention
from csms.targets import StepFailed, Targets

log = logging.getLogger("csms")

FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 8.0
"""Between a failed step and the next try, so that a bench is whole again soon after what failed is."""
SHORTEST_CYCLE_S = 0.1
PATIENCE_S = 30.0
"""How long a remote start that was accepted may take to become a transaction (a driver has to plug in)."""


def _not_told(_: Injected) -> None:
    """What is harmless does not show in the truth."""


class ScenarioDriver:
    """One charge point's part of a run."""

    def __init__(
        self,
        charge_point_id: str,
        played: Scenario,
        record: RunRecord,
        targets: Targets,
        injectors: Injectors,
        state: State,
        *,
        delay_s: float = 0.0,
    ) -> None:
        self.charge_point_id = charge_point_id
        self._scenario = played
        self._record = record
        self._targets = targets
        self._injectors = injectors
        self._state = state
        self._delay_s = delay_s
        self._told = ""
        self.expects_transaction = False
        """A remote start went out and no remote stop since: a transaction runs, or may still come."""

    async def drive(self) -> None:
        """Live the scenario to its end, if it has one. A failed step leads back to the start of its cycle."""
        await asyncio.sleep(self._delay_s)
        number, is_safe = 0, False
        pauses_s = backoff.delays_s(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        while self._scenario.repeat is None or number < self._scenario.repeat:
            await self._targets.until_there(self.charge_point_id)
            try:
                if not is_safe:
                    await self._targets.stop_transactions(self.charge_point_id)
                    self.expects_transaction = False
                    await self._prepare()
                await self._cycle(number)
            except StepFailed as failure:
                self._tell(failure)
                self._record.stumbled(f"{self.charge_point_id}: {failure}")
                is_safe = False
                await asyncio.sleep(next(pauses_s))
                continue
            number, is_safe = number + 1, True
            self._told = ""
            pauses_s = backoff.delays_s(FIRST_PAUSE_S, LONGEST_PAUSE_S)
            self._record.completed_cycle()

    def _tell(self, failure: StepFailed) -> None:
        # A charge point that refuses does so every few seconds; told is what is new.
        level = logging.DEBUG if str(failure) == self._told else logging.WARNING
        words = "%s: %s fails and begins again: %s"
        log.log(level, words, self.charge_point_id, self._scenario.name, failure)
        self._told = str(failure)

    async def _prepare(self) -> None:
        run = self._record.run
        rng = random.Random(f"{run.seed}/{self.charge_point_id}/prepare")
        steps = scenario.preparation(self._scenario, run.parameters, rng)
        await self._perform(steps, rng, is_harmless=True)

    async def _cycle(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        run = self._record.run
        rng = random.Random(f"{run.seed}/{self.charge_point_id}/{number}")
        await self._perform(scenario.cycle(self._scenario, run.parameters, rng), rng, is_harmless=False)
        await asyncio.sleep(max(0.0, started_s + SHORTEST_CYCLE_S - loop.time()))

    async def _perform(self, steps: Iterable[Step], rng: random.Random, *, is_harmless: bool) -> None:
        for step in steps:
            if isinstance(step, Wait):
                await self._wait(scenario.settled_number(step.seconds))
            elif isinstance(step, Inject):
                await self._inject(step, rng, is_harmless=is_harmless)
            else:
                await self._command(step, is_harmless=is_harmless)

    async def _inject(self, step: Inject, rng: random.Random, *, is_harmless: bool) -> None:
        order = Order(
            id=UUID(int=rng.getrandbits(128)),
            charge_point_id=self.charge_point_id,
            connector=scenario.connector_of(step),
            seconds=scenario.settled_number(step.seconds),
            seed=self._record.run.seed,
            injection=scenario.injection(step),
        )
        if step.fault == scenario.PRESENT_TAG:
            self._keep_intervention(step)
        if not is_harmless:
            self._record.commanded()
        await self._injectors.begin(order, _not_told if is_harmless else self._record.injected)

    async def _command(self, step: CommandStep, *, is_harmless: bool) -> None:
        situation = await self._targets.situation(
            self.charge_point_id,
            scenario.connector_of(step),
            with_transaction=scenario.needs_transaction(step),
        )
        self._keep_intervention(step)
        if isinstance(step, RemoteStart):
            self.expects_transaction = True
        if not is_harmless:
            self._record.commanded()
        await self._targets.send(self.charge_point_id, scenario.command(step, situation))
        if isinstance(step, RemoteStop | Reset):
            self.expects_transaction = False

    def _keep_intervention(self, step: CommandStep | Inject) -> None:
        """Put on record what will have to be undone, before it is done."""
        run_id, before = self._record.run.run_id, self._state.runs.intervention(self.charge_point_id)
        known = before or Intervention(run_id)
        profiles = {scenario.profile_id(step)} if isinstance(step, SetChargingProfile) else set()
        after = Intervention(run_id, known.id_tags | self._scenario.id_tags, known.profile_ids | profiles)
        if after != before:
            self._state.runs.intervened(self.charge_point_id, after)

    async def _wait(self, seconds: float) -> None:
        if not self.expects_transaction:
            await asyncio.sleep(seconds)
            return
        # A session that ends by itself (a restart, a fault, a driver) must not leave its charge point idle
        # for the rest of a long wait.
        loop = asyncio.get_running_loop()
        due_s = loop.time() + seconds
        if await self._targets.until(self.charge_point_id, self._is_charging, min(seconds, PATIENCE_S)):
            if await self._targets.until(
                self.charge_point_id, lambda: not self._is_charging(), due_s - loop.time()
            ):
                raise StepFailed("the transaction ended by itself")
        elif seconds > PATIENCE_S:
            raise StepFailed(f"no transaction within {PATIENCE_S:g} s of the remote start")

    def _is_charging(self) -> bool:
        return bool(self._targets.transactions(self.charge_point_id))

"""The scenario runs: started by people or by the default plan, stopped with everything undone."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts.errors import ContractError
from contracts.events import AnyEvent, Reading
from csms import manual_frame
from csms.connections import Connection
from csms.default_plan import planned
from csms.injectors import Injectors
from csms.run_record import RunRecord
from csms.scenario import Scenario, chosen_parameters
from csms.scenario_driver import ScenarioDriver
from csms.state import State
from csms.state.runs import Run, RunState
from csms.targets import StepFailed, Targets

log = logging.getLogger("csms")

RESTORE_DEADLINE_S = 20.0
TIME_IS_OVER = "its time is over"
CLOSE_DEADLINE_S = 3.0  # all of a process's end has to fit into 8 s


class UnknownName(ContractError):  # noqa: N818 - named after what is the matter
    """There is no such scenario, charge point or run."""


class NotAllowed(ContractError):  # noqa: N818
    """A charge point is neither enrolled nor on the allow-list."""


class Busy(ContractError):  # noqa: N818
    """A charge point is in a scenario already."""


@dataclass(slots=True, eq=False)
class _LiveRun:
    record: RunRecord
    drivers: list[ScenarioDriver] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None
    ending: "asyncio.Task[int] | None" = None
    over: asyncio.Event = field(default_factory=asyncio.Event)


class ScenarioRunner:
    """Owns every run; a charge point is in one at most."""

    def __init__(
        self,
        scenarios: Mapping[str, Scenario],
        targets: Targets,
        injectors: Injectors,
        state: State,
        publish: Callable[[AnyEvent], None],
        *,
        follows_plan: bool = True,
    ) -> None:
        self.scenarios = scenarios
        self._targets = targets
        self._injectors = injectors
        self._state = state
        self._publish = publish
        self._follows_plan = follows_plan
        self._live: dict[str, _LiveRun] = {}
        self._by_charge_point: dict[str, _LiveRun] = {}
        self._restoring: dict[str, asyncio.Task[int]] = {}
        self._closing = False

    def recover(self) -> None:
        """End, also as ground truth, the runs that died with the process before this one."""
        for run in self._state.runs.running():
            RunRecord(run, self._state, self._publish).end("failed", "the CSMS died during the run")

    def arrived(self, connection: Connection) -> None:
        """Do what is due at a charge point that just connected: its plan, or what is still to be undone."""
        charge_point_id = connection.charge_point_id
        if self._closing or self.run_at(charge_point_id) is not None:
            return
        plan = planned(charge_point_id) if self._follows_plan and connection.enrolled else None
        if plan and plan[0] in self.scenarios and not self._state.runs.is_left_alone(charge_point_id):
            name, delay_s, seed = plan
            self._begin(self.scenarios[name], [charge_point_id], {}, seed, delay_s=delay_s)
        else:
            self._restore_soon(charge_point_id)

    def runs(self) -> list[Run]:
        """Return the running runs, then the newest that ended."""
        running = sorted((live.record.run for live in self._live.values()), key=lambda run: run.started_at)
        return [*reversed(running), *self._state.runs.ended()]

    def frame_by_hand(self, charge_point_id: str, connector: int, can_id: int, data: bytes) -> Run:
        """Put on record that a person sends a CAN frame now; raises UnknownName and NotAllowed."""
        self.demand_ours([charge_point_id])
        run = manual_frame.run_of(charge_point_id, connector, can_id, data, datetime.now(UTC))
        record = RunRecord(run, self._state, self._publish)
        record.begin()
        record.commanded()
        record.end("finished", None)
        return record.run

    def read(self, reading: Reading) -> None:
        """Let the run that a charge point is in see its reading."""
        live = self._by_charge_point.get(reading.charge_point_id or "")
        if live is not None:
            live.record.read(reading)

    def run_at(self, charge_point_id: str) -> Run | None:
        """Return the run that a charge point is in, or None."""
        live = self._by_charge_point.get(charge_point_id)
        return None if live is None else live.record.run

    async def start(
        self,
        scenario_name: str,
        charge_point_ids: Sequence[str],
        parameters: Mapping[str, float],
        seed: int,
        *,
        replace: bool = False,
        lasts_s: float | None = None,
        mix_run_id: str | None = None,
    ) -> Run:
        """Start a scenario for a person or a mix; its run ends after `lasts_s` at the latest.

        Raises UnknownName, NotAllowed, Busy (unless `replace`, which stops the other runs first),
        WrongParameters.
        """
        played = self.scenarios.get(scenario_name)
        if played is None:
            raise UnknownName(f"there is no scenario {scenario_name!r}")
        ids = list(dict.fromkeys(charge_point_ids))
        self.demand_ours(ids)
        values = chosen_parameters(played, parameters)
        await self.free(ids, replace=replace)
        return self._begin(played, ids, values, seed, lasts_s=lasts_s, mix_run_id=mix_run_id)

    async def free(self, charge_point_ids: Sequence[str], *, replace: bool) -> None:
        """See to it that charge points are in no run, and that the default plan keeps from them.

        Raises Busy, unless `replace`, which stops the runs that they are in.
        """
        ids = charge_point_ids
        others = {run.run_id: run for name in ids if (run := self.run_at(name)) is not None}
        if others and not replace:
            raise Busy(
                "; ".join(
                    f"{run.scenario} runs on {', '.join(run.charge_point_ids)}" for run in others.values()
                )
            )
        for run_id in others:
            await self._end(self._live[run_id], "stopped", "another scenario was started")
        for name in ids:
            self._state.runs.leave_alone(name)
            if (again := self.run_at(name)) is not None:  # started by someone else while we waited
                raise Busy(f"{again.scenario} runs on {name}")

    async def until_ended(self, run_id: str) -> None:
        """Wait until a run has ended and what it did is undone."""
        live = self._live.get(run_id)
        if live is not None:
            await live.over.wait()

    async def stop_of_mix(self, mix_run_id: str) -> None:
        """Stop the runs that a mix started, which is over itself."""
        of_mix = [live for live in self._live.values() if live.record.run.mix_run_id == mix_run_id]
        await asyncio.gather(*(self._end(live, "stopped", "its mix was stopped") for live in of_mix))

    async def stop(self, run_id: str) -> Run:
        """Stop a run for a person, undo what it did, and return it as it ended; raise UnknownName."""
        live = self._live.get(run_id)
        if live is None:
            raise UnknownName(f"no run {run_id!r} is running")
        for charge_point_id in live.record.run.charge_point_ids:
            self._state.runs.leave_alone(charge_point_id)
        await self._end(live, "stopped", "stopped by request")
        return live.record.run

    async def stop_all(self) -> tuple[int, int]:
        """Stop every run and every transaction that one started; return how many of each.

        Nothing starts by itself any more until the CSMS is restarted.
        """
        self._state.runs.leave_alone()
        lives = list(self._live.values())
        stopped = await asyncio.gather(*(self._end(live, "stopped", "stopped with all") for live in lives))
        left = [name for name in self._state.runs.intervened_at() if self._targets.is_there(name)]
        restored = await asyncio.gather(*(self._restore(name, RESTORE_DEADLINE_S) for name in left))
        return len(lives), sum(stopped) + sum(restored)

    async def close(self) -> None:
        """End everything with the process; what is not undone in CLOSE_DEADLINE_S is at the next start."""
        self._closing = True
        for task in self._restoring.values():
            task.cancel()
        await asyncio.gather(
            *(
                self._end(live, "stopped", "the CSMS was stopped", CLOSE_DEADLINE_S)
                for live in list(self._live.values())
            )
        )
        self._state.runs.leave_none_alone()

    def demand_ours(self, charge_point_ids: Sequence[str]) -> None:
        """Raise UnknownName and NotAllowed unless scenarios may run against all of these."""
        unknown = [name for name in charge_point_ids if self._state.charge_points.get(name) is None]
        if unknown:
            raise UnknownName(f"never seen: {', '.join(unknown)}")
        foreign = [name for name in charge_point_ids if not self._targets.is_allowed(name)]
        if foreign:
            raise NotAllowed(f"neither enrolled nor in SCENARIO_ALLOW_LIST: {', '.join(foreign)}")

    def _begin(
        self,
        played: Scenario,
        charge_point_ids: list[str],
        parameters: Mapping[str, float],
        seed: int,
        *,
        delay_s: float = 0.0,
        lasts_s: float | None = None,
        mix_run_id: str | None = None,
    ) -> Run:
        run = Run(
            run_id=str(uuid.uuid4()),
            scenario=played.name,
            anomaly=played.anomaly,
            charge_point_ids=tuple(charge_point_ids),
            parameters=chosen_parameters(played, parameters),
            seed=seed,
            started_at=datetime.now(UTC),
            lasts_s=lasts_s,
            mix_run_id=mix_run_id,
        )
        record = RunRecord(run, self._state, self._publish)
        record.begin()
        live = self._live[run.run_id] = _LiveRun(record)
        self._by_charge_point |= dict.fromkeys(charge_point_ids, live)
        live.drivers = [
            ScenarioDriver(name, played, record, self._targets, self._injectors, self._state, delay_s=delay_s)
            for name in charge_point_ids
        ]
        live.task = asyncio.create_task(self._drive(live), name=f"run {run.run_id}")
        log.info("%s begins on %s", played.name, ", ".join(charge_point_ids))
        return run

    async def _drive(self, live: _LiveRun) -> None:
        state: RunState = "finished"
        reason = None
        try:
            async with asyncio.timeout(live.record.run.lasts_s) as time, asyncio.TaskGroup() as group:
                for driver in live.drivers:
                    group.create_task(driver.drive())
        except* Exception as errors:
            if time.expired():
                reason = TIME_IS_OVER
            else:
                log.exception("run %s failed", live.record.run.run_id)
                state, reason = "failed", str(errors.exceptions[0])
        self._winding_up(live, state, reason, RESTORE_DEADLINE_S)

    async def _end(
        self, live: _LiveRun, state: RunState, reason: str, deadline_s: float = RESTORE_DEADLINE_S
    ) -> int:
        """End a run, or wait for the end that has begun; return how many transactions were stopped."""
        # Whoever asked may go away meanwhile; what was begun is still undone.
        return await asyncio.shield(self._winding_up(live, state, reason, deadline_s))

    def _winding_up(
        self, live: _LiveRun, state: RunState, reason: str | None, deadline_s: float
    ) -> "asyncio.Task[int]":
        if live.ending is None:
            ending = self._wind_up(live, state, reason, deadline_s)
            live.ending = asyncio.create_task(ending, name="end of run")
        return live.ending

    async def _wind_up(self, live: _LiveRun, state: RunState, reason: str | None, deadline_s: float) -> int:
        if live.task is not None:
            live.task.cancel()
            await asyncio.wait([live.task])
        stopped = await asyncio.gather(
            *(
                self._restore(driver.charge_point_id, deadline_s, live.record, driver)
                for driver in live.drivers
            )
        )
        run = live.record.run
        log.info("%s has ended on %s: %s", run.scenario, ", ".join(run.charge_point_ids), reason or state)
        del self._live[run.run_id]
        for charge_point_id in run.charge_point_ids:
            del self._by_charge_point[charge_point_id]
        live.record.end(state, reason)
        live.over.set()
        for charge_point_id in run.charge_point_ids:
            if self._targets.is_there(charge_point_id):  # it returned while the others were still restored
                self._restore_soon(charge_point_id)
        return sum(stopped)

    async def _restore(
        self,
        charge_point_id: str,
        deadline_s: float,
        record: RunRecord | None = None,
        driver: ScenarioDriver | None = None,
    ) -> int:
        self._injectors.withdraw(charge_point_id)
        if not self._targets.is_there(charge_point_id):
            return 0
        if record is not None and record.run.first_command_at is not None:
            record.commanded()
        try:
            async with asyncio.timeout(deadline_s):
                return await self._targets.restore(
                    charge_point_id, expects_start=driver is not None and driver.expects_transaction
                )
        except (StepFailed, TimeoutError) as error:
            log.warning(
                "%s: what a scenario did is not undone yet: %s", charge_point_id, error or "no time left"
            )
            return 0

    def _restore_soon(self, charge_point_id: str) -> None:
        """Undo what is still to be undone at a charge point, once however often it connects meanwhile."""
        due = self._state.runs.intervention(charge_point_id) is not None
        if due and not self._closing and charge_point_id not in self._restoring:
            task = asyncio.create_task(self._restore_on_return(charge_point_id), name="restore")
            self._restoring[charge_point_id] = task
            task.add_done_callback(lambda _: self._restoring.pop(charge_point_id))

    async def _restore_on_return(self, charge_point_id: str) -> int:
        await self._targets.until_there(charge_point_id)
        if self.run_at(charge_point_id) is not None:  # begun meanwhile; its end undoes this too
            return 0
        return await self._restore(charge_point_id, RESTORE_DEADLINE_S)

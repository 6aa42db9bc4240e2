"""The mixes that run: courses of runs on charge points, each bounded, all stopped with everything undone."""

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from contracts.errors import ContractError
from csms import mix_file
from csms.mix import DrawnRun, Mix, course, courses
from csms.scenario_runner import Busy, ScenarioRunner, UnknownName
from csms.state import State
from csms.state.mixes import MixRun
from csms.state.runs import RunState

log = logging.getLogger("csms")


class Endless(ContractError):  # noqa: N818 - named after what is wrong
    """A mix drawn at random was to run without an end."""


@dataclass(slots=True, eq=False)
class _LiveMix:
    run: MixRun
    mix: Mix
    task: "asyncio.Task[None] | None" = None


class MixRunner:
    """Owns every mix that runs; a charge point is in one at most. Its runs are the scenario runner's."""

    def __init__(self, mixes: Mapping[str, Mix], runner: ScenarioRunner, state: State) -> None:
        self.mixes = mixes
        self._runner = runner
        self._state = state
        self._live: dict[str, _LiveMix] = {}

    def recover(self) -> None:
        """End those that died with the process before this one."""
        for run in self._state.mixes.running():
            self._save_end(run, "failed", "the CSMS died during the mix")

    def named(self, name: str) -> Mix:
        """Return a mix of the files; raise UnknownName."""
        mix = self.mixes.get(name)
        if mix is None:
            raise UnknownName(f"there is no mix {name!r:.60}; there are {', '.join(self.mixes) or 'none'}")
        return mix

    def parsed(self, text: str, file_name: str) -> Mix:
        """Return the mix that a text is; raise MixFileError."""
        return mix_file.parsed(text, file_name, self._runner.scenarios)

    async def start(
        self,
        mix: Mix,
        charge_point_ids: Sequence[str],
        seed: int,
        *,
        count: int | None = None,
        lasts_s: float | None = None,
        replace: bool = False,
    ) -> MixRun:
        """Start a mix; each course ends after `count` runs or `lasts_s`, a sequence else after one round.

        Raises Endless, and UnknownName, NotAllowed, Busy as a scenario's start does.
        """
        if count is None and lasts_s is None:
            if mix.order == "random":
                raise Endless(f"{mix.name} is drawn at random, without an end: give count or lasts_s")
            count = len(mix.runs)
        ids = list(dict.fromkeys(charge_point_ids))
        self._runner.demand_ours(ids)
        if not replace:
            self._demand_free(ids)
        for live in self._at(ids):
            await self._end(live, "another mix was started")
        await self._runner.free(ids, replace=replace)
        self._demand_free(ids)  # else one was started by someone else while we waited
        run = MixRun(
            mix_run_id=str(uuid.uuid4()),
            name=mix.name,
            mix=msgspec.json.encode(mix).decode(),
            charge_point_ids=tuple(ids),
            seed=seed,
            count=count,
            lasts_s=lasts_s,
            started_at=datetime.now(UTC),
        )
        self._state.mixes.save(run)
        live = self._live[run.mix_run_id] = _LiveMix(run, mix)
        live.task = asyncio.create_task(self._drive(live), name=f"mix {run.mix_run_id}")
        log.info("mix %s begins on %s", mix.name, ", ".join(ids))
        return run

    async def stop(self, mix_run_id: str) -> MixRun:
        """Stop a mix and its runs for a person, undo what they did; raise UnknownName."""
        live = self._live.get(mix_run_id)
        if live is None:
            raise UnknownName(f"no mix {mix_run_id!r:.60} is running")
        await self._end(live, "stopped by request")
        return live.run

    async def halt(self, reason: str) -> None:
        """Let no mix start anything any more; what runs is left to the scenario runner."""
        for live in list(self._live.values()):
            await self._cancel(live, reason)

    def _at(self, charge_point_ids: Sequence[str]) -> list[_LiveMix]:
        wanted = set(charge_point_ids)
        return [live for live in self._live.values() if not wanted.isdisjoint(live.run.charge_point_ids)]

    def _demand_free(self, charge_point_ids: Sequence[str]) -> None:
        busy = [live.run for live in self._at(charge_point_ids)]
        if busy:
            raise Busy("; ".join(f"{run.name} runs on {', '.join(run.charge_point_ids)}" for run in busy))

    async def _drive(self, live: _LiveMix) -> None:
        cut_short: set[str] = set()

        async def live_one(where: str, charge_point_ids: Sequence[str]) -> None:
            reason = await self._live_course(live, where, charge_point_ids)
            cut_short.update(() if reason is None else (reason,))

        try:
            async with asyncio.TaskGroup() as group:
                for where, ids in courses(live.mix, live.run.charge_point_ids):
                    group.create_task(live_one(where, ids))
        except* Exception as errors:
            log.exception("mix %s failed", live.run.mix_run_id)
            cut_short.add(str(errors.exceptions[0]))
        self._ended(live, "failed" if cut_short else "finished", "; ".join(sorted(cut_short)) or None)

    async def _live_course(self, live: _LiveMix, where: str, charge_point_ids: Sequence[str]) -> str | None:
        """Live a course to its end; return why it was cut short, or None."""
        loop = asyncio.get_running_loop()
        run = live.run
        until_s = float("inf") if run.lasts_s is None else loop.time() + run.lasts_s
        for number, drawn in enumerate(course(live.mix, self._runner.scenarios, run.seed, where)):
            if run.count is not None and number >= run.count:
                return None
            await asyncio.sleep(min(drawn.pause_s, until_s - loop.time()))
            left_s = until_s - loop.time()
            if left_s <= 0:
                return None
            try:
                await self._live_run(live, drawn, charge_point_ids, min(drawn.lasts_s, left_s))
            except ContractError as error:  # somebody else took a charge point, or it is ours no more
                return str(error)
        return None

    async def _live_run(
        self, live: _LiveMix, drawn: DrawnRun, charge_point_ids: Sequence[str], lasts_s: float
    ) -> None:
        begun = await self._runner.start(
            drawn.scenario.name,
            charge_point_ids,
            drawn.parameters,
            drawn.seed,
            lasts_s=lasts_s,
            mix_run_id=live.run.mix_run_id,
        )
        live.run = replace(live.run, runs=live.run.runs + 1)
        self._state.mixes.save(live.run)
        await self._runner.until_ended(begun.run_id)

    async def _end(self, live: _LiveMix, reason: str) -> None:
        await self._cancel(live, reason)
        await self._runner.stop_of_mix(live.run.mix_run_id)

    async def _cancel(self, live: _LiveMix, reason: str) -> None:
        if live.task is not None:
            live.task.cancel()
            await asyncio.wait([live.task])
        self._ended(live, "stopped", reason)

    def _ended(self, live: _LiveMix, state: RunState, reason: str | None) -> None:
        if self._live.pop(live.run.mix_run_id, None) is not None:  # else it ended by itself meanwhile
            live.run = self._save_end(live.run, state, reason)
            log.info("mix %s has ended: %s", live.run.name, reason or state)

    def _save_end(self, run: MixRun, state: RunState, reason: str | None) -> MixRun:
        ended = replace(run, state=state, reason=reason, ended_at=datetime.now(UTC))
        self._state.mixes.save(ended)
        return ended

"""The way to what scenarios are asked of: the CSMS, and the MemoryBank for what was detected."""

import difflib
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from chassis.guard import TOKEN_HEADER
from console.answers import (
    Anomalies,
    ChargePoint,
    ChargePoints,
    Mix,
    Mixes,
    MixRun,
    MixRuns,
    Scenario,
    ScenarioRun,
    ScenarioRuns,
    Scenarios,
    StoppedAll,
)
from console.apis import Api, Params
from console.scenario.place import NoSuchThing, Place
from contracts.events import Anomaly

DEADLINE_S = 45.0
"""Stopping waits until what was done is undone, for 20 s a run; a start that replaces does so first."""
SHORTEST_ID = 4
_PAGE = 1000
_MOST_PAGES = 20


class LabLink:
    """Both APIs. Use as an async context manager; raises ApiAway, ApiRefused, NoSuchThing."""

    def __init__(self, place: Place) -> None:
        headers = {TOKEN_HEADER: place.token} if place.token else None
        self._csms = Api("CSMS", place.csms, headers, deadline_s=DEADLINE_S)
        self._memorybank = Api("MemoryBank", place.memorybank)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._csms.__aexit__(kind, error, trace)
        await self._memorybank.__aexit__(kind, error, trace)

    async def scenarios(self) -> list[Scenario]:
        """Return the catalogue."""
        return await self._csms.ask("GET", "/api/scenarios", Scenarios)

    async def scenario(self, name: str) -> Scenario:
        """Return one of the catalogue."""
        known = {scenario.name: scenario for scenario in await self.scenarios()}
        if name in known:
            return known[name]
        if any(mix.name == name for mix in await self.mixes()):
            raise NoSuchThing(f"there is no scenario {name!r}, but a mix: --mix {name}")
        raise NoSuchThing(f"there is no scenario {name!r}{_meant(name, known)}")

    async def scenario_or_mix(self, name: str) -> Scenario | Mix:
        """Return what of both is called so."""
        scenarios = {scenario.name: scenario for scenario in await self.scenarios()}
        if name in scenarios:
            return scenarios[name]
        mixes = {mix.name: mix for mix in await self.mixes()}
        if name not in mixes:
            raise NoSuchThing(f"there is no scenario or mix {name!r}{_meant(name, [*scenarios, *mixes])}")
        return mixes[name]

    async def charge_points(self) -> list[ChargePoint]:
        """Return every charge point that the CSMS knows."""
        return await self._csms.ask("GET", "/api/charge-points", ChargePoints)

    async def start(self, wish: dict[str, Any]) -> ScenarioRun:
        """Start a run."""
        return await self._csms.ask("POST", "/api/scenario-runs", ScenarioRun, body=wish)

    async def run(self, run_id: str) -> ScenarioRun:
        """Return a run as it is now."""
        return await self._csms.ask("GET", _path(run_id), ScenarioRun)

    async def stop(self, run_id: str) -> ScenarioRun:
        """Stop a run and return it as it ended, everything undone."""
        return await self._csms.ask("DELETE", _path(run_id), ScenarioRun)

    async def mixes(self) -> list[Mix]:
        """Return the mixes that the CSMS has files of."""
        return await self._csms.ask("GET", "/api/mixes", Mixes)

    async def mix(self, name: str) -> Mix:
        """Return one of these."""
        known = {mix.name: mix for mix in await self.mixes()}
        if name not in known:
            raise NoSuchThing(f"there is no mix {name!r}; there are {', '.join(known) or 'none'}")
        return known[name]

    async def start_mix(self, wish: dict[str, Any]) -> MixRun:
        """Start a mix."""
        return await self._csms.ask("POST", "/api/mix-runs", MixRun, body=wish)

    async def mix_run(self, mix_run_id: str) -> MixRun:
        """Return a mix as it runs now."""
        return await self._csms.ask("GET", _mix_path(mix_run_id), MixRun)

    async def stop_mix(self, mix_run_id: str) -> MixRun:
        """Stop a mix and return it as it ended, everything undone."""
        return await self._csms.ask("DELETE", _mix_path(mix_run_id), MixRun)

    async def running_mixes(self) -> list[MixRun]:
        """Return the mixes that run."""
        runs = await self._csms.ask("GET", "/api/mix-runs", MixRuns, params={"limit": _PAGE})
        return [run for run in runs if run.state == "running"]

    async def stop_all(self) -> StoppedAll:
        """Stop everything."""
        return await self._csms.ask("POST", "/api/stop-all", StoppedAll)

    async def runs(
        self, charge_point_id: str | None = None, since: datetime | None = None, limit: int | None = None
    ) -> list[ScenarioRun]:
        """Return runs, the newest first; all that are kept where there is no limit."""
        found: dict[str, ScenarioRun] = {}
        until: datetime | None = None
        while True:
            params: Params = {"limit": min(_PAGE, limit - len(found) + 1) if limit else _PAGE}
            params |= {} if charge_point_id is None else {"charge_point_id": charge_point_id}
            params |= {} if since is None else {"since": since.isoformat()}
            params |= {} if until is None else {"until": until.isoformat()}
            page = await self._csms.ask("GET", "/api/scenario-runs", ScenarioRuns, params=params)
            fresh = {run.run_id: run for run in page if run.run_id not in found}
            found |= fresh
            oldest = page[-1].started_at if page else None
            if not fresh or oldest is None or (limit and len(found) >= limit):
                return list(found.values())[:limit]
            # `until` does not count in, and two may have begun at one instant.
            until = oldest + timedelta(microseconds=1)

    async def found(self, beginnings: Sequence[str]) -> list[ScenarioRun]:
        """Return the runs whose ids begin so, in that order."""
        return named(await self.runs(), beginnings) if beginnings else []

    async def anomalies(self, charge_point_id: str | None, since: datetime, until: datetime) -> list[Anomaly]:
        """Return anomalies that began from `since` on and before `until`, the newest first."""
        params: Params = {"since": since.isoformat(), "until": until.isoformat(), "limit": _PAGE}
        params |= {} if charge_point_id is None else {"charge_point_id": charge_point_id}
        found: list[Anomaly] = []
        for _ in range(_MOST_PAGES):
            page = await self._memorybank.ask("GET", "/api/anomalies", Anomalies, params=params)
            found += page.items
            if page.next is None:
                break
            params["after"] = page.next
        return found


def named(runs: Sequence[ScenarioRun], beginnings: Sequence[str]) -> list[ScenarioRun]:
    """Return which of the runs have ids that begin so, in that order; raises NoSuchThing."""
    found = []
    for beginning in beginnings:
        fitting = [run for run in runs if run.run_id.startswith(beginning)]
        if len(beginning) < SHORTEST_ID or not fitting:
            raise NoSuchThing(
                f"there is no run {beginning!r} (`runs` lists them; {SHORTEST_ID} characters or more)"
            )
        if len(fitting) > 1:
            raise NoSuchThing(f"{beginning!r} is the beginning of {len(fitting)} runs; give more of it")
        found.append(fitting[0])
    return found


def _path(run_id: str) -> str:
    return f"/api/scenario-runs/{quote(run_id, safe='')}"


def _mix_path(mix_run_id: str) -> str:
    return f"/api/mix-runs/{quote(mix_run_id, safe='')}"


def _meant(name: str, known: Sequence[str] | dict[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=3)
    return (
        f"; do you mean {' or '.join(near)}?" if near else " (`list` and `list --mixes` tell which there are)"
    )

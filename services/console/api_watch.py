"""Asking the CSMS and the MemoryBank, again and again, what only they know."""

import asyncio
import contextlib
import time
from urllib.parse import quote

from console.answers import (
    Anomalies,
    ChargePoint,
    ChargePoints,
    MemoryBankHealth,
    Mixes,
    MixRuns,
    ScenarioRuns,
    Scenarios,
)
from console.apis import Api, ApiError
from console.live import Live

PERIOD_S = 1.0
LONGEST_PERIOD_S = 5.0
"""Of a large fleet, and of everything while no page is open; the first page is answered at once."""
PER_S = 200
"""Charge points whose statuses are asked for in a second; a larger fleet is asked for less often."""
MAX_FOCUSED = 16
MAX_OPEN_ANOMALIES = 1000


class ApiWatch:
    """Keeps `live` informed by the two APIs, and of whether they answer."""

    def __init__(self, live: Live, csms: Api, memorybank: Api) -> None:
        self._live = live
        self._csms = csms
        self._memorybank = memorybank
        self._hurry = asyncio.Event()
        self._look = asyncio.Event()
        self._period_s = PERIOD_S
        live.on_watched.append(self._watched)

    def _watched(self) -> None:
        self._hurry.set()
        self._look.set()

    def hurry(self) -> None:
        """Ask the CSMS at once: something was changed there."""
        self._hurry.set()

    async def run(self) -> None:
        """Ask for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_csms())
            tasks.create_task(self._watch_focused())
            tasks.create_task(self._watch_memorybank())

    async def _watch_csms(self) -> None:
        while True:
            period_s = PERIOD_S
            try:
                scenarios = await self._csms.ask("GET", "/api/scenarios", Scenarios)
                runs = await self._csms.ask("GET", "/api/scenario-runs", ScenarioRuns)
                mixes = await self._csms.ask("GET", "/api/mixes", Mixes)
                mix_runs = await self._csms.ask("GET", "/api/mix-runs", MixRuns)
                charge_points = await self._csms.ask("GET", "/api/charge-points", ChargePoints)
            except ApiError as error:
                text = f"{error} Statuses are the last known; scenarios cannot be started or stopped."
                self._live.report("csms", working=False, text=text)
            else:
                self._live.know_scenarios(scenarios, runs)
                self._live.know_mixes(mixes, mix_runs)
                self._live.fleet.know_charge_points(charge_points, time.time())
                self._live.report("csms", working=True, text="The CSMS answers.")
                period_s = min(LONGEST_PERIOD_S, max(PERIOD_S, len(charge_points) / PER_S))
            self._period_s = period_s
            await self._rest(period_s, self._hurry)

    async def _rest(self, period_s: float, stirred: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(period_s if self._live.pages else LONGEST_PERIOD_S):
                await stirred.wait()
        stirred.clear()

    async def _watch_focused(self) -> None:
        """Ask for each charge point that is looked at, where all of them are asked for less often."""
        while True:
            await asyncio.sleep(PERIOD_S)
            if self._period_s <= PERIOD_S:
                continue
            for charge_point_id in sorted(self._live.focused)[:MAX_FOCUSED]:
                path = f"/api/charge-points/{quote(charge_point_id, safe='')}"
                # Whether the CSMS is there is told by the other watch; one that it does not know is no error.
                with contextlib.suppress(ApiError):
                    known = await self._csms.ask("GET", path, ChargePoint)
                    self._live.fleet.know_charge_point(known, time.time())

    async def _watch_memorybank(self) -> None:
        while True:
            asked_at_s = time.time()
            try:
                health = await self._memorybank.ask("GET", "/healthz", MemoryBankHealth, answers_also=503)
                anomalies = await self._memorybank.ask(
                    "GET", "/api/anomalies", Anomalies, params={"open": "true", "limit": MAX_OPEN_ANOMALIES}
                )
            except ApiError as error:
                text = f"{error} Past anomalies cannot be shown and new ones are not detected."
                self._live.report("memorybank", working=False, text=text)
            else:
                # What is missing from a list cut short may be open all the same.
                if anomalies.next is None:
                    self._live.anomalies.know_open(anomalies.items, asked_at_s)
                self._report_health(health)
            await self._rest(PERIOD_S, self._look)

    def _report_health(self, health: MemoryBankHealth) -> None:
        lacks = [
            name for name, there in (("broker", health.broker), ("database", health.database)) if not there
        ]
        text = f"The MemoryBank lacks its {' and its '.join(lacks)}." if lacks else "The MemoryBank answers."
        self._live.report("memorybank", working=not lacks, text=text)

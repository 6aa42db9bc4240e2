"""The pictures of the dashboards in docs/pictures, drawn anew: `make pictures`.

They show a recorded run (recorded_run.py) of a few charge points: some minutes on each of five days and every
few hours of the last, then twenty up to now, told to a real PostgreSQL by the MemoryBank's own code.
"""

import argparse
import asyncio
import copy
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from grafana.running import opened_at
from grafana.variables import Range
from playwright.async_api import async_playwright

import chromium
import grafana_render
import recorded_run
from contracts.events import AnyEvent
from grafana_frames import Json, dashboards
from grafana_memory import standing_still
from real_parts import database, directory_open_to_postgres, start_postgres

EARLIER = [timedelta(hours=hours) for hours in (145, 119, 97, 71, 50, 22, 17, 13, 8, 4)]
LATELY = timedelta(minutes=20, seconds=12.75)
"""From a full second on; at its end CP-1 and CP-3 charge, whose cycle takes 8 s, and the idle, who tell of
themselves every 10 s, have just done so."""
FEW = {*recorded_run.ATTACKED, *recorded_run.BENIGN, recorded_run.QUOTED, *recorded_run.IDLE[:3]}
_STRIP = 2
"""So many cells of the grid are left for a panel that cannot be drawn."""


def _of_few(run: list[tuple[str, AnyEvent]]) -> list[tuple[str, AnyEvent]]:
    def names(event: AnyEvent) -> list[str | None]:
        return getattr(event, "charge_point_ids", None) or [event.charge_point_id]

    return [entry for entry in run if all(name is None or name in FEW for name in names(entry[1]))]


def _earlier(end: datetime) -> Iterator[list[tuple[str, AnyEvent]]]:
    """Yield the runs before the last one."""
    for place, ago in enumerate(EARLIER):
        length = timedelta(minutes=3 + 2 * (place % 3))
        yield recorded_run.events(end - ago, end - ago + length, 1_000 * (place + 1))


def _lately(end: datetime) -> list[tuple[str, AnyEvent]]:
    """Return the last run, which goes on at its end: charging, scenarios and anomalies are open."""
    beyond = recorded_run.events(end - LATELY, end + timedelta(seconds=40), 100_000)
    return [(teller, event) for teller, event in beyond if event.at <= end]


async def _remember(url: str, end: datetime) -> None:
    for run in _earlier(end):
        await recorded_run.record(url, _of_few(run), silence=True)
    await recorded_run.record(url, _of_few(_lately(end)))


def _span(name: str, dashboard: Json, end: datetime) -> Range:
    """Return the range as it is opened; of the explorer the moment to which the table's links lead."""
    if name != "anomaly-explorer":
        return opened_at(dashboard, end)
    begin = end - LATELY
    return Range(begin - timedelta(minutes=2), begin + timedelta(minutes=2, seconds=36), live=False)


def pictures() -> dict[str, Json]:
    """Return what each dashboard shows when it is opened at the end of the run, on a server of its own."""
    with directory_open_to_postgres() as directory:
        server, files = start_postgres(directory)
        try:
            with database(server, files) as postgres, standing_still(postgres) as (connection, now):
                end = (now - timedelta(seconds=1)).replace(microsecond=LATELY.microseconds)
                asyncio.run(_remember(postgres.writer_url, end))
                return {
                    name: grafana_render.picture(connection, dashboard, _span(name, dashboard, now))
                    for name, dashboard in dashboards().items()
                }
        finally:
            server.stop()


def compact(dashboard: Json) -> Json:
    """Return the dashboard with a strip where a panel across its width cannot be drawn."""
    dashboard = copy.deepcopy(dashboard)
    saved = 0
    for panel in sorted(dashboard["panels"], key=lambda panel: panel["gridPos"]["y"]):
        place = panel["gridPos"]
        place["y"] -= saved
        if panel["type"] in grafana_render.NOT_PUBLISHED and place["w"] == 24:
            saved += place["h"] - _STRIP
            place["h"] = _STRIP
    return dashboard


async def write(pictures: dict[str, Json], script: Path, directory: Path) -> None:
    """Write each picture into `directory` as <dashboard>.png."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.path(), args=chromium.ARGUMENTS)
        for name, picture in pictures.items():
            page = await browser.new_page()
            await grafana_render.draw(page, script, picture | {"dashboard": compact(picture["dashboard"])})
            await page.screenshot(path=directory / f"{name}.png")
            await page.close()
            print(directory / f"{name}.png")
        await browser.close()


def main() -> None:
    """Write the pictures into the directory given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    if chromium.path() is None:
        sys.exit(chromium.MISSING)
    if not grafana_render.MODULES.exists():
        sys.exit(grafana_render.MISSING)
    with tempfile.TemporaryDirectory() as bundled:
        script = grafana_render.bundle(Path(bundled))
        asyncio.run(write(pictures(), script, directory))


if __name__ == "__main__":
    main()

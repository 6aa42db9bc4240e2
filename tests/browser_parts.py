"""What the browser tests share: stations to look at, and the look for what keeps people from using a page."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, Page

from chassis.process import every
from console_parts import ConsoleBench, Station

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}


@asynccontextmanager
async def stations(bench: ConsoleBench, *charge_point_ids: str) -> AsyncIterator[list[Station]]:
    """Stations that the CSMS knows, each reads five times a second: the first 10 A, the next 20 A."""
    async with AsyncExitStack() as stack:
        made = []
        for charge_point_id in charge_point_ids:
            made.append(await stack.enter_async_context(bench.station(charge_point_id)))
            bench.csms.add(charge_point_id)

        def send() -> None:
            for number, station in enumerate(made):
                station.send(10.0 * (number + 1), offered_a=32)

        sending = asyncio.create_task(every(0.2, send))
        stack.callback(sending.cancel)
        yield made


def grid_rows(page: Page) -> Locator:
    """Return the rows of the fleet's grid that are in the page."""
    return page.locator(".grid-rows").get_by_role("row")


def grid_row(page: Page, charge_point_id: str) -> Locator:
    """Return the grid's row of a charge point."""
    return grid_rows(page).filter(has=page.get_by_role("link", name=charge_point_id, exact=True))


async def assert_accessible(page: Page) -> None:
    """Assert that axe finds nothing against WCAG A and AA, in the light scheme and in the dark one."""
    for scheme in ("light", "dark"):
        # Colours on their way from one scheme to the other are neither.
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = (await Axe().run(page, options=WCAG)).response["violations"]
        assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == [], scheme

"""What the browser tests share: stations to look at, and the look for what keeps people from using a page."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlencode

import httpx
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, Page, expect

from chassis.process import every
from console_parts import ConsoleBench, Station

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}


COUNT_LINE_PIXELS = """() => {
    const canvas = document.getElementById("canvas");
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = "var(--current)";
    const current = getComputedStyle(probe).color;
    probe.remove();
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const context = copy.getContext("2d", { willReadFrequently: true });
    context.fillStyle = current;
    context.fillRect(0, 0, 1, 1);
    const wanted = context.getImageData(0, 0, 1, 1).data;
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, copy.width, copy.height);
    let count = 0;
    for (let n = 0; n < data.length; n += 4) {
        const off = [0, 1, 2].reduce((sum, c) => sum + Math.abs(data[n + c] - wanted[c]), 0);
        if (off < 12 && data[n + 3] > 240) count += 1;
    }
    return count;
}"""


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


@asynccontextmanager
async def kept_fresh(*charging: Station) -> AsyncIterator[None]:
    """Let stations say again and again what they said last: no reading is present after some seconds."""

    def say() -> None:
        for station in charging:
            station.say_again()

    saying = asyncio.create_task(every(0.2, say))
    try:
        yield
    finally:
        saying.cancel()


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


async def heard(station: Station, bench: ConsoleBench, current_a: float) -> None:
    """Send until the console hears the station's bus."""
    async with httpx.AsyncClient(base_url=bench.console.url, trust_env=False) as client:
        async with asyncio.timeout(30):
            while True:
                station.send(current_a)
                known = (await client.get("/api/fleet")).json().get("connectors", [])
                if any(
                    view["bus"] == "live" and view["charge_point_id"] == station.lease.charge_point_id
                    for view in known
                ):
                    return
                await asyncio.sleep(0.05)


def address(bench: ConsoleBench, **query: str) -> str:
    """Return the address of a view."""
    return f"{bench.console.url}/?{urlencode(query)}"


async def opened(page: Page, bench: ConsoleBench, charge_point_id: str = "CP-1") -> None:
    """Open a charge point's page and wait for the first reading on it."""
    await page.goto(address(bench, charge_point=charge_point_id))
    await expect(page.locator("#present")).to_contain_text(" A")

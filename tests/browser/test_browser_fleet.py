"""The fleet's grid of many, as a person uses it: look for one, sort, go through it with keys."""

import pytest
from playwright.async_api import Locator, Page, expect

from browser_parts import assert_accessible, grid_row, grid_rows, stations
from console_parts import ConsoleBench, fluctuation

pytestmark = pytest.mark.browser

MANY = 1000
MOST_IN_THE_PAGE = 60


def identities(page: Page) -> Locator:
    """Return the first cell of each row that is in the page."""
    return grid_rows(page).locator(".cell-identity")


async def opened(page: Page, bench: ConsoleBench, charge_points: int = MANY) -> Locator:
    """Open the fleet with so many charge points that the CSMS knows; CP-1 charges, every tenth is offline."""
    for number in range(2, charge_points + 1):
        status = "Charging" if number % 2 else "Available"
        bench.csms.add(f"CP-{number}", status, connected=number % 10 != 0)
    bench.csms.charge_points[41]["scenario"] = "benign-charging"
    await page.goto(bench.console.url)
    grid = page.get_by_role("grid")
    await expect(grid).to_have_attribute("aria-rowcount", str(charge_points + 1))
    await expect(grid_row(page, "CP-1")).to_contain_text(" A")
    return grid


async def test_a_thousand_are_searched_filtered_and_sorted(page: Page, bench: ConsoleBench) -> None:
    """Only what is in sight is in the page; words, filters and columns find one among a thousand."""
    async with stations(bench, "CP-1"):
        grid = await opened(page, bench)
        assert await grid_rows(page).count() < MOST_IN_THE_PAGE
        await expect(page.locator("#number-known")).to_have_text("of 1\u202f000")
        await expect(page.locator("#number-online")).to_have_text("900")
        await expect(identities(page).nth(2)).to_have_text("CP-3")
        search = page.get_by_role("searchbox", name="Search charge points")
        await search.fill("benign")
        await expect(identities(page)).to_have_text(["CP-42"])
        await search.fill("cp-77 available")
        await expect(identities(page)).to_have_text(["CP-772", "CP-774", "CP-776", "CP-778"])
        await search.fill("no such thing")
        await expect(page.locator("#grid-empty")).to_have_text("No charge point matches.")
        await search.fill("")
        await page.get_by_text("Offline 100").click()
        await expect(grid).to_have_attribute("aria-rowcount", "101")
        await expect(grid_row(page, "CP-10")).to_contain_text("Offline, no CAN bus")
        await page.get_by_text("Charging 1", exact=True).click()
        await expect(identities(page)).to_have_text(["CP-1"])
        await page.get_by_text("All 1\u202f000").click()
        bench.memorybank.anomalies = [fluctuation("CP-500", ago_s=2)]
        await bench.tell(bench.memorybank.anomalies[0])
        await page.get_by_role("button", name="Anomaly").click()
        await expect(identities(page).first).to_have_text("CP-500")
        await expect(page.get_by_role("columnheader", name="Anomaly")).to_have_attribute(
            "aria-sort", "descending"
        )
        await page.get_by_role("button", name="Current").click()
        await expect(identities(page).first).to_have_text("CP-1")
        name = page.get_by_role("button", name="Charge point", exact=True)
        await name.click()
        await name.click()
        await expect(identities(page).first).to_have_text("CP-1000")


async def test_keys_go_through_all_of_them(page: Page, bench: ConsoleBench) -> None:
    """One stop of the Tab key, then arrows, a page, both ends; Enter opens; the way back is the browser's."""
    async with stations(bench, "CP-1"):
        await opened(page, bench)
        assert await page.locator('.grid-rows [tabindex="0"]').count() == 1
        await grid_row(page, "CP-1").focus()
        for key, charge_point_id in {
            "ArrowDown": "CP-2",
            "End": "CP-1000",
            "ArrowUp": "CP-999",
            "Home": "CP-1",
        }.items():
            await page.keyboard.press(key)
            await expect(grid_row(page, charge_point_id)).to_be_focused()
            await expect(grid_row(page, charge_point_id)).to_be_in_viewport(ratio=1)
        await page.keyboard.press("PageDown")
        await expect(grid_row(page, "CP-1")).not_to_be_focused()
        await page.keyboard.press("Home")
        await page.keyboard.press("Enter")
        await expect(page.locator("#selected-title")).to_have_text("CP-1")
        await page.go_back()
        await expect(page.locator("#fleet-title")).to_be_focused()


async def test_the_focused_row_stays_where_it_is(page: Page, bench: ConsoleBench) -> None:
    """Rows that move do not move the one that a person is at."""
    async with stations(bench, "CP-1"):
        await opened(page, bench)
        await page.get_by_role("button", name="Anomaly").click()
        await grid_row(page, "CP-1").focus()
        for key in ["PageDown"] * 3:
            await page.keyboard.press(key)
        focused = page.locator(".grid-rows .grid-row:focus")
        name, before = await focused.locator(".cell-identity").inner_text(), await focused.bounding_box()
        index = int(await focused.get_attribute("aria-rowindex") or 0)
        bench.memorybank.anomalies = [fluctuation("CP-900", ago_s=2)]
        await bench.tell(bench.memorybank.anomalies[0])
        await expect(focused).to_have_attribute("aria-rowindex", str(index + 1))
        assert await focused.locator(".cell-identity").inner_text() == name
        assert await focused.bounding_box() == before


async def test_it_is_accessible(page: Page, bench: ConsoleBench) -> None:
    """Axe finds nothing on the fleet and on a charge point's page, in both schemes, wide and narrow."""
    bench.memorybank.anomalies = [fluctuation(), fluctuation("CP-3", ago_s=90, severity="critical")]
    async with stations(bench, "CP-1"):
        await opened(page, bench, 60)
        await expect(page.locator("#fleet-anomalies li")).to_have_count(2)
        await assert_accessible(page)
        await page.set_viewport_size({"width": 390, "height": 800})
        await assert_accessible(page)
        await grid_row(page, "CP-1").click()
        await expect(page.locator("#indicator")).to_have_text("Fluctuation detected")
        await assert_accessible(page)
        await page.set_viewport_size({"width": 1280, "height": 800})
        await assert_accessible(page)

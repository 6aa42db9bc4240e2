"""A charge point's page in a real Chromium: its instrument, by pointer and by keys."""

import asyncio
import time
from datetime import UTC, datetime
from statistics import median

import pytest
from playwright.async_api import Page, expect

from browser_parts import COUNT_LINE_PIXELS, address, grid_row, grid_rows, heard, kept_fresh, opened, stations
from console_parts import ConsoleBench
from contracts.can_frames import SetLimit

pytestmark = pytest.mark.browser

FOLLOW_S = 30.0

SHOWN_AT = """wanted => new Promise((done) => {
    const present = document.getElementById("present");
    const look = () => {
        if (present.textContent !== wanted) return requestAnimationFrame(look);
        // When the next frame begins, this one is on screen.
        requestAnimationFrame(() => done(Date.now()));
    };
    look();
})"""


async def test_the_graph_appears_and_follows(page: Page, bench: ConsoleBench) -> None:
    """A line is drawn, and a frame on the bus is on the screen soon; how soon is measured in the browser."""
    delays_ms = []
    async with bench.station("CP-1") as station, kept_fresh(station):
        await heard(station, bench, 10)
        await opened(page, bench)
        for number in range(10):
            current_a = 20.3 + number
            shown = asyncio.ensure_future(page.evaluate(SHOWN_AT, f"{current_a:.1f} A"))
            sent_s = time.time()
            station.send(current_a, offered_a=32)
            delays_ms.append(await asyncio.wait_for(shown, FOLLOW_S) - 1000 * sent_s)
        await page.wait_for_function(f"() => ({COUNT_LINE_PIXELS})() > 20")
        await expect(page.locator("#max")).to_have_text("29.3 A")
        await expect(page.locator("#offered")).to_have_text("32.0 A")
        await expect(page.locator("#voltage")).to_have_text("400.0 V")
        await expect(page.locator("#temperature")).to_have_text("31.4 \u00b0C")
    print(f"from a CAN frame to the screen: {median(delays_ms):.0f} ms, at most {max(delays_ms):.0f} ms")


async def test_the_limit_is_shown_at_its_stations(page: Page, bench: ConsoleBench) -> None:
    """Commanded, acknowledged, on the bus and offered stand apart; a sentence says where they differ."""
    status = {"connector": 1, "status": "Charging", "error_code": "NoError", "transaction_id": 41}
    limits = {"commanded_a": 32.0, "acknowledged_a": 32.0}
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    transaction = {"transaction_id": 41, "id_tag": "BENCH-1", "started_at": now, "meter_start_wh": 0.0}
    async with stations(bench, "CP-1") as [station]:
        bench.csms.charge_points[0]["connectors"] = [status | limits | {"transaction": transaction}]
        await opened(page, bench)
        station.send_frame(SetLimit(32))
        verdict = page.locator("#limits-verdict")
        await expect(verdict).to_have_text("All agree")
        for stop in ("commanded", "acknowledged", "on-bus", "offered"):
            await expect(page.locator(f"#{stop}")).to_have_text("32.0 A")
        await expect(page.locator("#transaction")).to_contain_text(
            "Transaction 41 \u00b7 tag BENCH-1 \u00b7 since"
        )
        await expect(page.get_by_role("img", name="Status: Charging for")).to_be_visible()
        station.send_frame(SetLimit(80))
        await expect(verdict).to_have_text("80.0 A on the bus, but 32.0 A acknowledged")
        bench.csms.charge_points[0]["connectors"] = [status | limits | {"commanded_a": 16.0}]
        await expect(verdict).to_have_text("32.0 A acknowledged, but 16.0 A commanded")
        await expect(page.locator("#transaction")).to_have_text("No transaction")


async def test_connectors_of_a_charge_point_are_switched(page: Page, bench: ConsoleBench) -> None:
    """Each connector has its own address; the other is one click away."""
    async with (
        bench.station("CP-1") as first,
        bench.station("CP-1", connector=2) as second,
        kept_fresh(first, second),
    ):
        await heard(first, bench, 10)
        await heard(second, bench, 20)
        await page.goto(address(bench, charge_point="CP-1"))
        await expect(page.locator("#selected-title")).to_have_text("CP-1 \u00b7 1")
        await page.get_by_role("link", name="Connector 2").click()
        await expect(page.locator("#selected-title")).to_have_text("CP-1 \u00b7 2")
        await expect(page.locator("#present")).to_have_text("20.0 A")
        assert page.url.endswith("/?charge_point=CP-1&connector=2")
        await page.get_by_role("link", name="Connector 1").click()
        await expect(page.locator("#present")).to_have_text("10.0 A")


async def test_the_graph_says_why_it_is_empty(page: Page, bench: ConsoleBench) -> None:
    """A bus without readings is silent in words; what is old is not called present."""
    async with bench.station("CP-1") as station:
        async with kept_fresh(station):
            await heard(station, bench, 10)
            await page.goto(address(bench, charge_point="CP-1"))
            await expect(page.locator("#present")).to_have_text("10.0 A")
        await expect(page.locator("#present")).to_have_text("\N{EN DASH}")
        await expect(page.locator("#max")).to_have_text("10.0 A")
        await page.get_by_role("link", name="Fleet").click()
        await expect(grid_row(page, "CP-1")).to_contain_text("no readings")


async def test_the_page_is_used_by_keys(page: Page, bench: ConsoleBench) -> None:
    """A charge point is chosen and single values are read without a pointer."""
    async with stations(bench, "CP-1", "CP-2", "CP-10"):
        await page.goto(address(bench))
        await expect(grid_rows(page).locator(".cell-identity")).to_have_text(["CP-1", "CP-2", "CP-10"])
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await grid_rows(page).first.focus()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await expect(page.locator("#selected-title")).to_have_text("CP-2")
        await expect(page.locator("#selected-title")).to_be_focused()
        assert page.url.endswith("/?charge_point=CP-2")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        graph = page.get_by_role("slider")
        await expect(graph).to_be_focused()
        await expect(page.locator("#present")).to_contain_text(
            "20.0 A"
        )  # before that there is no value to read
        await page.keyboard.press("Home")
        await expect(page.locator("#readout")).to_contain_text("20.0 A \u00b7 offered 32.0 A")
        assert "20.0 A" in (await graph.get_attribute("aria-valuetext") or "")
        await page.keyboard.press("Escape")
        await expect(page.locator("#readout")).to_have_text("")
        await page.go_back()
        await expect(page.locator("#fleet-title")).to_be_focused()
        await page.go_forward()
        await expect(page.locator("#selected-title")).to_have_text("CP-2")


async def test_a_pointer_reads_single_values(page: Page, bench: ConsoleBench) -> None:
    """The value under the pointer is said in words."""
    async with stations(bench, "CP-1"):
        await opened(page, bench)
        box = await page.locator("#graph").bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 50)
        await expect(page.locator("#readout")).to_contain_text("10.0 A")


async def test_reduced_motion_still_follows(page: Page, bench: ConsoleBench) -> None:
    """Who asked for less motion gets a graph that moves once a second."""
    await page.emulate_media(reduced_motion="reduce")
    async with stations(bench, "CP-1"):
        await opened(page, bench)
        first = await page.locator("#graph").get_attribute("data-newest-at")
        await expect(page.locator("#graph")).not_to_have_attribute("data-newest-at", first or "")
        await page.wait_for_function(f"() => ({COUNT_LINE_PIXELS})() > 20")


SET_BACK = """async () => {
  const { Detail } = await import('/static/detail.js');
  const { Model } = await import('/static/model.js');
  const [detail, model] = [new Detail(), new Model()];
  const of = { charge_point_id: 'CP-1', connector: 1 };
  detail.follow('CP-1', 1);
  const told = [[5000, [[4998, 1], [4999, 2]]], [1000, [[999, 3]]], [1001, [[1000.5, 4]]]];
  for (const [now_s, samples] of told) {
    detail.take({ ...of, now_s, samples, whole: false }, 60);
    model.apply('update', { now_s, connectors: [{ ...of, samples, csms: null }] });
  }
  const [row] = model.connectors.values();
  return [detail.samples.map(({ currentA }) => currentA), row.samples.map(([, currentA]) => currentA)];
}"""


async def test_a_clock_set_back_leaves_no_future(page: Page, bench: ConsoleBench) -> None:
    """What the server's clock no longer has come to is not shown as the newest."""
    await page.goto(bench.console.url)
    shown = await page.wait_for_function(SET_BACK)  # also where the page is loaded again meanwhile
    assert await shown.json_value() == [[3, 4], [3, 4]]

"""The console's page in a real Chromium, as a person uses it; the bench's other services are played."""

import asyncio
import time
from datetime import UTC, datetime
from statistics import median
from urllib.parse import urlencode

import httpx
import msgspec
import pytest
from playwright.async_api import Page, expect

from browser_parts import grid_row, grid_rows, stations
from console_parts import ConsoleBench, Station, fluctuation
from contracts.can_frames import SetLimit

pytestmark = pytest.mark.browser

FOLLOW_S = 10.0

SHOWN_AT = """wanted => new Promise((done) => {
    const present = document.getElementById("present");
    const look = () => {
        if (present.textContent !== wanted) return requestAnimationFrame(look);
        // When the next frame begins, this one is on screen.
        requestAnimationFrame(() => done(Date.now()));
    };
    look();
})"""

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

LOW_CONTRAST = """() => {
    const parse = (colour) => (colour.match(/[0-9.]+/g) ?? []).map(Number);
    const light = (rgb) => {
        const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor);
            if (a === 1) return [r, g, b];
        }
        return [255, 255, 255];
    };
    const poor = [];
    for (const element of document.querySelectorAll("body *")) {
        const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
        if (!own || !element.checkVisibility() || element.closest(":disabled, .unseen, .skip")) continue;
        const style = getComputedStyle(element);
        const [one, other] = [light(parse(style.color).slice(0, 3)), light(behind(element))];
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) poor.push([element.textContent, ratio]);
    }
    return poor;
}"""


async def heard(station: Station, bench: ConsoleBench, current_a: float) -> None:
    """Send until the console hears the station's bus."""
    async with httpx.AsyncClient(base_url=bench.console.url, trust_env=False) as client:
        async with asyncio.timeout(10):
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


async def test_the_graph_appears_and_follows(page: Page, bench: ConsoleBench) -> None:
    """A line is drawn, and a frame on the bus is on the screen soon; how soon is measured in the browser."""
    delays_ms = []
    async with bench.station("CP-1") as station:
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
    async with bench.station("CP-1") as first, bench.station("CP-1", connector=2) as second:
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


async def test_the_theme_is_chosen_and_remembered(page: Page, bench: ConsoleBench) -> None:
    """System, light, dark: the button says which, and a new page knows it."""
    await page.goto(bench.console.url)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(ground)
    await page.get_by_role("button", name="Theme: system").click()
    await page.get_by_role("button", name="Theme: light").click()
    await expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    dark = await page.evaluate(ground)
    assert dark != light
    await page.reload()
    await expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert await page.evaluate(ground) == dark
    await page.get_by_role("button", name="Theme: dark").click()
    await expect(page.get_by_role("button", name="Theme: system")).to_be_visible()
    assert await page.evaluate(ground) == light


async def test_the_graph_says_why_it_is_empty(page: Page, bench: ConsoleBench) -> None:
    """A bus without readings is silent in words; what is old is not called present."""
    async with bench.station("CP-1") as station:
        await heard(station, bench, 10)
        await page.goto(address(bench, charge_point="CP-1"))
        await expect(page.locator("#present")).to_have_text("10.0 A")
        await expect(page.locator("#present")).to_have_text("\N{EN DASH}", timeout=10_000)
        await expect(page.locator("#max")).to_have_text("10.0 A")
        await page.get_by_role("link", name="Fleet").click()
        await expect(grid_row(page, "CP-1")).to_contain_text("no readings")


async def test_the_indicator_tells_of_a_fluctuation(page: Page, bench: ConsoleBench) -> None:
    """Opened: indicator, badge, title and list say it in words. Closed: they say that it is over."""
    async with stations(bench, "CP-1", "CP-2"):
        await opened(page, bench)
        await expect(page.locator("#indicator")).to_have_text("No anomaly")
        anomaly = fluctuation("CP-1", ago_s=2)
        bench.memorybank.anomalies = [anomaly]
        await bench.tell(anomaly)
        indicator = page.locator("#indicator")
        await expect(indicator).to_have_text("Fluctuation detected")
        await expect(indicator.locator("svg")).to_be_visible()
        await expect(page).to_have_title("\u25b2 Fluctuation detected: CP-1 \u00b7 ChargeBench")
        entry = page.locator("#anomaly-list li")
        await expect(entry).to_contain_text("Repeated current fluctuation")
        await expect(entry).to_contain_text("open")
        await expect(entry).to_contain_text("Warning")
        now = datetime.now(UTC)
        closed = msgspec.structs.replace(anomaly, phase="closed", updated_at=now, ended_at=now)
        bench.memorybank.anomalies = [closed]
        await bench.tell(closed)
        await expect(indicator).to_have_text("No anomaly")
        await expect(entry).not_to_contain_text("open")
        await expect(entry).to_contain_text("\N{EN DASH}")


async def test_the_fleet_says_who_has_an_anomaly(page: Page, bench: ConsoleBench) -> None:
    """The row of the charge point that fluctuates says so, and no other."""
    async with stations(bench, "CP-1", "CP-2"):
        await page.goto(address(bench))
        await expect(grid_rows(page)).to_have_count(2)
        bench.memorybank.anomalies = [fluctuation("CP-1", ago_s=2)]
        await bench.tell(bench.memorybank.anomalies[0])
        await expect(grid_row(page, "CP-1")).to_contain_text("Fluctuation")
        await expect(grid_row(page, "CP-2")).not_to_contain_text("Fluctuation")
        await expect(page.locator("#number-anomalies")).to_have_text("1")
        await page.locator("#fleet-anomalies a").click()
        await expect(page.locator("#anomaly-title")).to_be_focused()


async def test_past_anomalies_come_from_the_memory(page: Page, bench: ConsoleBench) -> None:
    """The list is the selected charge point's, newest first, each with its explanation."""
    old, older = fluctuation("CP-1", ago_s=9000, lasted_s=60), fluctuation("CP-1", ago_s=99000, lasted_s=60)
    bench.memorybank.anomalies = [old, older, fluctuation("CP-2", ago_s=500, lasted_s=60, kind="other-kind")]
    async with stations(bench, "CP-1", "CP-2"):
        await opened(page, bench)
        entries = page.locator("#anomaly-list li")
        await expect(entries).to_have_count(2)
        await expect(entries.first).to_contain_text(old.explanation)
        await page.get_by_role("link", name="Fleet").click()
        await grid_row(page, "CP-2").click()
        await expect(entries).to_have_count(1)
        await expect(entries).to_contain_text("Other kind")


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


async def test_a_link_leads_to_a_charge_point(page: Page, bench: ConsoleBench) -> None:
    """Also before it is there: the page says that it waits, and shows it when it comes."""
    async with stations(bench, "CP-1"):
        await page.goto(f"{bench.console.url}/?charge_point=CP-7")
        await expect(page.locator("#selected-title")).to_have_text("CP-7")
        await expect(page.locator("#selected-facts")).to_contain_text("waiting for it")
        async with bench.station("CP-7") as late:
            await heard(late, bench, 70)
            await expect(page.locator("#present")).to_have_text("70.0 A")


@pytest.mark.parametrize("width", [360, 820, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_and_is_legible(page: Page, bench: ConsoleBench, width: int, scheme: str) -> None:
    """No sideways scrolling down to a phone's width, one screenful on a laptop, contrast of WCAG AA."""
    bench.memorybank.anomalies = [fluctuation(), fluctuation(ago_s=9000, lasted_s=60, severity="critical")]
    bench.csms.run("benign-charging", ["CP-2"])
    await page.set_viewport_size({"width": width, "height": 800})
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    async with stations(bench, "CP-1", "CP-2", "CP-3", "CP-4", "CP-5"):
        await opened(page, bench)
        await expect(page.locator("#indicator")).to_have_text("Fluctuation detected")
        wide, high = await page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        assert wide <= width
        assert width < 1280 or high <= 800
        await page.wait_for_function(f"() => ({COUNT_LINE_PIXELS})() > 20")
        assert await page.evaluate(LOW_CONTRAST) == []
        bench.csms.stop()
        await expect(page.locator("#notices")).to_contain_text("The CSMS does not answer")
        assert await page.evaluate(LOW_CONTRAST) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_reduced_motion_still_follows(page: Page, bench: ConsoleBench) -> None:
    """Who asked for less motion gets a graph that moves once a second."""
    await page.emulate_media(reduced_motion="reduce")
    async with stations(bench, "CP-1"):
        await opened(page, bench)
        first = await page.locator("#graph").get_attribute("data-newest-at")
        await expect(page.locator("#graph")).not_to_have_attribute("data-newest-at", first or "")
        await page.wait_for_function(f"() => ({COUNT_LINE_PIXELS})() > 20")


async def test_a_person_starts_and_stops_scenarios(
    page: Page, bench: ConsoleBench, expected_errors: list[str]
) -> None:
    """Start on chosen charge points, stop one run, stop all; a refusal is said in the CSMS's words."""
    expected_errors.append("403")
    async with stations(bench, "CP-1", "CP-2", "foreign"):
        bench.csms.charge_points[2]["enrolled"] = False
        await opened(page, bench)
        await page.get_by_role("link", name="Run a scenario").click()
        message = page.locator("#scenario-message")
        await page.get_by_role("radio", name="Benign charging").check()
        await expect(page.get_by_role("checkbox", name="CP-1")).to_be_checked()
        await page.get_by_role("checkbox", name="CP-2").check()
        await page.get_by_role("button", name="Start on 2 charge points").click()
        await expect(message).to_have_text("Started Benign charging on CP-1, CP-2.")
        run = page.locator("#run-list li").first
        await expect(run).to_contain_text("Running on CP-1, CP-2")
        await expect(run).to_contain_text("0 cycles since")
        await page.get_by_role("button", name="Stop Benign charging on CP-1, CP-2").click()
        await expect(message).to_have_text("Stopped Benign charging on CP-1, CP-2.")
        await expect(run).to_contain_text("Stopped on CP-1, CP-2")
        await page.get_by_role("button", name="Stop all").click()
        await expect(message).to_have_text("Stopped 0 runs and 1 transaction.")
        await expect(page.get_by_role("checkbox", name="foreign not enrolled")).to_be_disabled()
        bench.csms.charge_points[0]["enrolled"] = False  # the page does not know yet
        await page.get_by_role("button", name="Start on 2 charge points").click()
        await expect(message).to_have_text("CP-1 is not enrolled as the bench's own")


async def test_it_lives_through_absences(page: Page, bench: ConsoleBench, expected_errors: list[str]) -> None:
    """Each service that goes is named and its return noticed; the graph goes on."""
    expected_errors += ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "403", "503"]
    async with stations(bench, "CP-1"):
        await opened(page, bench)
        notices = page.locator("#notices")
        await expect(notices).to_be_empty()
        bench.memorybank.stop()
        await expect(notices).to_contain_text("The MemoryBank does not answer")
        await expect(page.locator("#services")).to_contain_text("MemoryBank away")
        await expect(page.locator("#anomalies-empty")).to_contain_text("The MemoryBank is away")
        await expect(page.locator("#indicator")).to_have_text("Detection paused")
        bench.csms.stop()
        await expect(notices).to_contain_text("The CSMS does not answer")
        await expect(page.locator("#selected-facts")).to_contain_text("Charging (last known)")
        first = await page.locator("#graph").get_attribute("data-newest-at")
        await expect(page.locator("#graph")).not_to_have_attribute("data-newest-at", first or "")
        bench.memorybank.start()
        bench.csms.start()
        await expect(notices).to_be_empty()
        # A bench that is started again has a new token; an open page goes on all the same.
        bench.console.stop()
        await expect(notices).to_contain_text("The console does not answer")
        bench.console.environ["CHARGEBENCH_TOKEN"] = "another-token"
        bench.console.start()
        await expect(notices).to_be_empty()
        await page.get_by_role("link", name="Run a scenario").click()
        await page.get_by_role("button", name="Start", exact=True).click()
        await expect(page.locator("#scenario-message")).to_contain_text("Started")


async def test_names_from_outside_stay_text(page: Page, bench: ConsoleBench) -> None:
    """Nothing that a station, the CSMS or the MemoryBank says becomes markup."""
    evil = '<img src=x onerror="document.title=1">'
    past = fluctuation(evil, ago_s=500, lasted_s=5, kind=evil, explanation=evil)
    bench.memorybank.anomalies = [past, fluctuation(evil, kind=evil)]
    bench.csms.scenarios[0] |= {"title": evil, "description": evil}
    bench.csms.run("repeated-current-fluctuation", [evil])["reason"] = evil
    async with stations(bench, evil):
        bench.csms.charge_points[0]["connectors"][0]["status"] = evil
        await opened(page, bench, evil)
        await expect(page.locator("#selected-title")).to_have_text(evil)
        await expect(page.locator("#anomaly-list li").first).to_contain_text(evil)
        await page.get_by_role("link", name="Run a scenario").click()
        await expect(page.locator("#run-list li")).to_contain_text(evil)
        await page.get_by_role("link", name="Fleet").click()
        await expect(grid_rows(page)).to_contain_text(evil)
        assert await page.locator("main img").count() == 0

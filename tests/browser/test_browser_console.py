"""The console's page in a real Chromium, as a person uses it; the bench's other services are played."""

from datetime import UTC, datetime

import msgspec
import pytest
from playwright.async_api import Page, expect

from browser_parts import COUNT_LINE_PIXELS, address, grid_row, grid_rows, heard, kept_fresh, opened, stations
from console_parts import ConsoleBench, fluctuation

pytestmark = pytest.mark.browser

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


async def test_the_indicator_tells_of_a_fluctuation(page: Page, bench: ConsoleBench) -> None:
    """Opened: indicator, badge, title and list say it in words. Worse: it looks it. Closed: it is over."""
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
        await expect(indicator).to_have_class("indicator alarm warning")
        worse = msgspec.structs.replace(
            anomaly, phase="updated", severity="critical", updated_at=datetime.now(UTC)
        )
        await bench.tell(worse)
        await expect(indicator).to_have_class("indicator alarm critical")
        await expect(indicator).to_have_text("Fluctuation detected")
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


async def test_a_link_leads_to_a_charge_point(page: Page, bench: ConsoleBench) -> None:
    """Also before it is there: the page says that it waits, and shows it when it comes."""
    async with stations(bench, "CP-1"):
        await page.goto(f"{bench.console.url}/?charge_point=CP-7")
        await expect(page.locator("#selected-title")).to_have_text("CP-7")
        await expect(page.locator("#selected-facts")).to_contain_text("waiting for it")
        async with bench.station("CP-7") as late, kept_fresh(late):
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

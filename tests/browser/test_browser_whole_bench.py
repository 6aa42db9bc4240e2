"""The page before a whole bench: a person sees the anomaly, starts and stops a scenario, loses a service."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from playwright.async_api import Page, expect

from bench_process import BenchProcess, started_bench

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

DETECTED_MS = 75_000
BACK_MS = 30_000


@pytest.fixture(scope="module")
def whole_bench() -> Iterator[BenchProcess]:
    """Two charge points, the default plan."""
    with started_bench() as bench:
        yield bench


async def test_the_swing_and_the_anomaly_appear(page: Page, whole_bench: BenchProcess) -> None:
    """Within a minute of the start CP-1 swings on the page, and the page says that it fluctuates."""
    await page.goto(whole_bench.described["console"] + "?charge_point=CP-1")
    await expect(page.locator("#indicator")).to_contain_text("Fluctuation detected", timeout=DETECTED_MS)
    await expect(page.locator("#anomaly-list")).to_contain_text("Repeated current fluctuation")
    highest = await page.locator("#max").text_content()
    assert highest is not None
    assert float(highest.split()[0]) > 85


async def test_cp_2_shows_no_anomaly(page: Page, whole_bench: BenchProcess) -> None:
    """The benign charge point charges, and its list of anomalies is empty."""
    await page.goto(whole_bench.described["console"] + "?charge_point=CP-2")
    await expect(page.locator("#present")).to_contain_text(" A")
    await expect(page.locator("#anomaly-list li")).to_have_count(0)
    await expect(page.locator("#indicator")).not_to_contain_text("detected")


async def test_a_scenario_is_started_and_stopped_by_hand(page: Page, whole_bench: BenchProcess) -> None:
    """Start the base scenario on CP-2 in place of what runs there, see it run, stop it."""
    await page.goto(whole_bench.described["console"] + "?view=scenarios")
    await page.get_by_role("radio", name="Repeated current fluctuation").check()
    for box in await page.locator("#scenario-targets input").all():
        await box.set_checked((await box.get_attribute("value")) == "CP-2")
    await page.locator("#scenario-start").click()

    def run() -> dict[str, object] | None:
        runs = whole_bench.get("csms_api", "/api/scenario-runs")
        started = (r for r in runs if r["charge_point_ids"] == ["CP-2"] and r["state"] == "running")
        return next((r for r in started if r["scenario"] == "repeated-current-fluctuation"), None)

    await _until(lambda: run() is not None)
    runs = page.locator("#run-list li.running", has_text="Repeated current fluctuation")
    row = runs.filter(has_text="CP-2")
    await row.get_by_role("button", name="Stop").click()
    await _until(lambda: run() is None)


@pytest.fixture
def expected_errors(expected_errors: list[str]) -> list[str]:
    """A killed MemoryBank's proxied answers are errors of the network, not of the page."""
    return [*expected_errors, r"Failed to load resource.*50[234]"]


async def test_losing_and_regaining_the_memorybank(page: Page, whole_bench: BenchProcess) -> None:
    """The page says which service went, goes on drawing, and says when it is back."""
    await page.goto(whole_bench.described["console"] + "?charge_point=CP-1")
    services = page.locator("#services")
    await expect(services.locator("li", has_text="MemoryBank")).to_contain_text("ok", timeout=BACK_MS)
    # It comes back within a second, in which the console may not have asked: until the page has seen it away.
    async with asyncio.timeout(BACK_MS / 1000):
        while "ok" in await services.locator("li", has_text="MemoryBank").inner_text():
            with suppress(ProcessLookupError):
                whole_bench.kill("memorybank")
            await asyncio.sleep(0.2)
    await expect(page.locator("#present")).to_contain_text(" A")
    await expect(services.locator("li", has_text="MemoryBank")).to_contain_text("ok", timeout=BACK_MS)


async def _until(holds: Callable[[], bool], limit_s: float = 30.0) -> None:
    async with asyncio.timeout(limit_s):
        while not holds():  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.1)

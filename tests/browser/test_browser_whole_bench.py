"""The page before a whole bench: a person sees the anomaly, starts and stops a scenario, loses a service."""

import asyncio
import csv
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.async_api import Page, expect

from bench_process import BenchProcess, started_bench
from browser_parts import assert_accessible
from console_parts import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(500)]

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


async def test_an_anomaly_is_opened_and_explained(page: Page, whole_bench: BenchProcess) -> None:
    """From the charge point's list to the anomaly: its waveform, and what truly ran beside the verdict."""
    await page.goto(whole_bench.described["console"] + "?charge_point=CP-1")
    await page.locator("#anomaly-list a").first.click(timeout=DETECTED_MS)
    await expect(page.locator("#anomaly-title")).to_have_text("Repeated current fluctuation")
    truth = page.locator("#anomaly-truth")
    await expect(truth).to_contain_text("True positive")
    await expect(
        truth.get_by_role("link", name="Repeated current fluctuation during charging")
    ).to_be_visible()
    await expect(truth).to_contain_text("high 100 A")
    await expect(page.locator(".evidence-graph")).not_to_have_attribute("data-samples", "0")
    await expect(page.locator("#anomaly-recollection")).to_contain_text("CP-1")
    await expect(page.locator("#anomaly-measure")).to_contain_text("threshold")
    graph = page.get_by_role("slider", name="Current around the anomaly")
    await graph.press("Home")
    assert " A" in (await graph.get_attribute("aria-valuetext") or "")
    await assert_accessible(page)


async def test_readings_are_taken_along(page: Page, whole_bench: BenchProcess) -> None:
    """A download of the last minutes is read back: CP-1's currents, and what was detected."""
    await page.goto(whole_bench.described["console"] + "?charge_point=CP-1")
    await page.get_by_role("tab", name="Export").click()
    await assert_accessible(page)
    async with page.expect_download() as readings:
        await page.get_by_role("link", name="Readings as CSV").click()
    rows = list(csv.DictReader((await (await readings.value).path()).read_text("utf-8").splitlines()))
    assert {row["charge_point_id"] for row in rows} == {"CP-1"}
    assert max(float(row["current_a"]) for row in rows if row["current_a"]) > 85
    async with page.expect_download() as anomalies:
        await page.get_by_role("link", name="Anomalies as JSON").click()
    found = json.loads((await (await anomalies.value).path()).read_text("utf-8"))
    assert [anomaly["kind"] for anomaly in found] == ["repeated-current-fluctuation"]
    async with page.expect_download() as picture:
        await page.get_by_role("button", name="Picture of the graph").click()
    assert (await (await picture.value).path()).read_bytes().startswith(b"\x89PNG")


async def test_cp_2_shows_no_anomaly(page: Page, whole_bench: BenchProcess) -> None:
    """The benign charge point charges, and its list of anomalies is empty."""
    await page.goto(whole_bench.described["console"] + "?charge_point=CP-2")
    await expect(page.locator("#present")).to_contain_text(" A")
    await expect(page.locator("#anomaly-list li")).to_have_count(0)
    await expect(page.locator("#indicator")).not_to_contain_text("detected")


async def test_a_rogue_frame_stops_the_charging(page: Page, whole_bench: BenchProcess) -> None:
    """A 0x201 by hand on CP-2's bus: the log shows it, the current falls, it is ground truth."""
    await page.goto(whole_bench.described["console"] + "?charge_point=CP-2")
    await expect(page.locator("#present")).to_contain_text(re.compile(r"^6\d\.\d A"), timeout=BACK_MS)
    await page.get_by_role("tab", name="Messages").click()
    await page.get_by_role("searchbox", name="Filter by name or text").fill("0x201")
    await expect(page.locator(".log-status")).to_contain_text(" of ")
    lines = page.locator("#log-lines .virtual-row")
    before = await lines.count()  # the charge point itself stopped its module when it started
    await page.get_by_role("tab", name="CAN frame").click()
    await assert_accessible(page)
    await page.locator("#rogue-frame").select_option(label="0x201 Stop: stop charging")
    await expect(page.locator("#rogue-preview")).to_have_text("Stop: stop charging")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("#rogue-message")).to_contain_text("0x201 Stop sent")
    await expect(page.locator("#present")).to_contain_text(re.compile(r"^[0-5]\.\d A"))
    await page.get_by_role("tab", name="Messages").click()
    await expect(lines).to_have_count(before + 1)
    labelled = "SELECT count(*) > 0 FROM truth.labels WHERE scenario = 'can-frame-by-hand'"
    await until(lambda: whole_bench.query(labelled) == [(True,)], what="the label")


async def test_a_scenario_is_started_and_stopped_by_hand(page: Page, whole_bench: BenchProcess) -> None:
    """Start the base scenario on CP-2 with a lower limit in place of what runs there, see it run, stop it."""
    await page.goto(whole_bench.described["console"] + "?view=scenarios")
    await page.get_by_role("radio", name="Repeated current fluctuation").check()
    await expect(page.get_by_text("An operator's account or central system").last).to_be_visible()
    await page.get_by_label("High (A)").fill("40")
    await page.get_by_role("checkbox", name="CP-2").check()
    await page.get_by_role("button", name="Start", exact=True).click()

    def run() -> dict[str, Any] | None:
        runs = whole_bench.get("csms_api", "/api/scenario-runs")
        started = (r for r in runs if r["charge_point_ids"] == ["CP-2"] and r["state"] == "running")
        return next((r for r in started if r["parameters"].get("high_a") == 40), None)

    await until(lambda: run() is not None, what="the run")
    row = page.locator("#run-list li.running", has_text="high 40 A")
    await expect(row).to_contain_text("Running on CP-2")
    await row.get_by_role("button", name="Stop").click()
    await until(lambda: run() is None, what="its end")
    ended = page.locator("#run-list li.stopped", has_text="high 40 A")
    await expect(ended).to_contain_text("Stopped on CP-2")


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

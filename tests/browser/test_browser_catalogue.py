"""The page's scenarios with the whole catalogue of files, and its mixes: found, started, stopped."""

from pathlib import Path

import msgspec
import pytest
from playwright.async_api import Page, expect

from browser_parts import assert_accessible, stations
from console_parts import ConsoleBench
from csms import mix_file, scenario_file

pytestmark = pytest.mark.browser

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def whole_catalogue(bench: ConsoleBench) -> None:
    """Have the CSMS know the scenarios and mixes that there are files of."""
    known, _ = scenario_file.load_directory(SCENARIOS)
    mixes, _ = mix_file.load_directory(SCENARIOS / "mixes", known)
    bench.csms.scenarios = [msgspec.to_builtins(scenario) for scenario in known.values()]
    bench.csms.mixes = [msgspec.to_builtins(mix) for mix in mixes.values()]


async def test_the_whole_catalogue_is_grouped_and_searched_on_one_screenful(
    page: Page, bench: ConsoleBench
) -> None:
    """Anomalies by number, hard negatives, benign, mixes: the list scrolls, and the page does not."""
    whole_catalogue(bench)
    async with stations(bench, "CP-1", "CP-2"):
        await page.goto(f"{bench.console.url}/?view=scenarios&charge_point=CP-1")
        catalogue = page.get_by_role("radiogroup", name="Scenario")
        await expect(catalogue.get_by_role("radio")).to_have_count(
            len(bench.csms.scenarios) + len(bench.csms.mixes)
        )
        anomalies = catalogue.get_by_role("group", name="Anomalies").locator(".choice-title")
        numbers = [text.split()[0] for text in await anomalies.all_inner_texts()]
        assert numbers == sorted(numbers, key=lambda number: int(number[1:]))
        assert list(dict.fromkeys(numbers)) == [f"A{n}" for n in range(1, 23)]
        hard = catalogue.get_by_role("group", name="Hard negatives").get_by_role("radio")
        await expect(hard).to_have_count(9)
        await expect(catalogue.get_by_role("group", name="Benign").get_by_role("radio")).to_have_count(1)
        height = await page.evaluate("document.documentElement.scrollHeight")
        assert height <= 800
        start = page.get_by_role("button", name="Start", exact=True)
        await expect(start).to_be_in_viewport()
        await assert_accessible(page)
        search = page.get_by_role("searchbox", name="Search scenarios")
        await search.fill("flood can")
        await expect(catalogue.get_by_role("radio")).to_have_count(1)
        await catalogue.get_by_role("radio", name="A16 CAN flood").check()
        await expect(page.locator("#scenario-name")).to_have_text("A16 CAN flood")
        await search.fill("nonsense")
        await expect(page.get_by_text("No scenario is called so.")).to_be_visible()


async def test_a_mix_is_started_and_stopped(page: Page, bench: ConsoleBench) -> None:
    """Its count, time and seed go to the CSMS; it stands among the runs with a button to stop it."""
    whole_catalogue(bench)
    async with stations(bench, "CP-1"):
        await page.goto(f"{bench.console.url}/?view=scenarios&charge_point=CP-1")
        await page.get_by_role("radio", name="Attacks among life").check()
        await expect(page.locator(".scenario-chosen")).to_contain_text("Benign charging (40 %)")
        await page.get_by_role("spinbutton", name="Count").fill("2.5")
        await page.get_by_role("button", name="Start", exact=True).click()
        await expect(page.locator(".scenario-form")).to_contain_text("A whole number is needed here.")
        await page.get_by_role("spinbutton", name="Count").fill("5")
        await page.get_by_role("spinbutton", name="Seed").fill("7")
        await assert_accessible(page)
        await page.get_by_role("button", name="Start", exact=True).click()
        await expect(page.locator("#scenario-message")).to_have_text("Started Attacks among life on CP-1.")
        wish = bench.csms.wishes[-1]
        assert (wish["mix"], wish["count"], wish["lasts_s"], wish["seed"]) == ("attacks-and-life", 5, 3600, 7)
        stop = page.get_by_role("button", name="Stop Attacks among life on CP-1")
        await expect(page.locator("#run-list")).to_contain_text("1 run since")
        await stop.click()
        await expect(page.locator("#scenario-message")).to_have_text("Stopped Attacks among life on CP-1.")
        await expect(stop).to_be_hidden()

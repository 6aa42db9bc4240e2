"""A real Chromium for tests of pages; it fails the test for every error on the page's console."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import ConsoleMessage, Page, Request, async_playwright, expect

import chromium
from console_parts import ConsoleBench, console_bench
from real_parts import Broker

NETWORK_CHANGED = "ERR_NETWORK_CHANGED"
"""Another program's network interface came or went, and Chromium dropped what it was loading."""

PATIENT_MS = 30_000
"""So long is waited for what must come to stand on a page, on a slow machine too."""


@pytest.fixture
def expected_errors() -> list[str]:
    """Patterns of console errors that the test provokes; a test adds its own."""
    return [NETWORK_CHANGED]


@pytest.fixture
async def page(tmp_path: Path, expected_errors: list[str]) -> AsyncIterator[Page]:
    """An empty page of a browser of its own, 1280 by 800, light; its errors fail the test."""
    if chromium.path() is None:
        pytest.skip(chromium.MISSING)
    errors: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            errors.append(f"{message.text} ({message.location.get('url')})")

    reloads: set[asyncio.Future[object]] = set()

    def mend(request: Request) -> None:
        if NETWORK_CHANGED in (request.failure or "") and request.resource_type in ("script", "stylesheet"):
            reloads.add(asyncio.ensure_future(page.reload()))

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch_persistent_context(
            tmp_path / "chromium",
            executable_path=chromium.path(),
            args=chromium.ARGUMENTS,
            viewport={"width": 1280, "height": 800},
            color_scheme="light",
        )
        page = browser.pages[0]
        page.set_default_timeout(PATIENT_MS)
        expect.set_options(timeout=PATIENT_MS)  # else 5 s
        page.on("console", hear)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("requestfailed", mend)
        yield page
        await asyncio.gather(*reloads, return_exceptions=True)
        await browser.close()
    unexpected = [error for error in errors if not any(re.search(p, error) for p in expected_errors)]
    assert unexpected == []


@pytest.fixture
async def bench(broker: Broker, tmp_path: Path, page: Page) -> AsyncIterator[ConsoleBench]:
    """A console between a real broker and two small HTTP servers."""
    with console_bench(broker, tmp_path / "console.log") as bench:
        yield bench
        # The page is left first, lest it asks who is gone.
        await page.goto("about:blank")

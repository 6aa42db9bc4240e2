"""The page left open on 1,000 charge points: neither its server nor the browser grows (`make soak`)."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import linear_regression

import msgspec
import psutil
import pytest
from playwright.async_api import CDPSession, async_playwright

import chromium
from bench.console import CHARGE_POINTS, loaded
from console_parts import ConsoleBench, fluctuation
from real_parts import Broker

MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))
WARM_UP_S = 150.0
"""The window is a minute long, here and there; then the allocators settle."""
SAMPLE_S = 10.0
MOST_BYTES_A_READING = 4.0
"""The least that can be kept of a reading is a reference, 8 bytes in Python and 4 in V8.

So a growth that is surely more than 4 kB/s with 1,000 readings a second (7 MB in half an hour) is something
kept that should have been let go; what is less is the allocators' own business.
"""
PAGES = {"fleet": "/", "charge point": "/?charge_point=CP-1"}

Course = list[tuple[float, float]]
"""Seconds, bytes."""


@pytest.mark.soak
async def test_an_open_page_grows_neither_here_nor_there(broker: Broker, tmp_path: Path) -> None:
    """The console's memory and each page's heap after garbage collection are flat; anomalies come and go."""
    if chromium.path() is None:
        pytest.skip(chromium.MISSING)
    begun_s = time.monotonic()
    end_s = begun_s + WARM_UP_S + MINUTES * 60
    courses: dict[str, Course] = {}
    with loaded(broker, CHARGE_POINTS, tmp_path, seconds=end_s - begun_s + 120) as (bench, load):
        async with _opened(bench) as pages:
            while time.monotonic() < end_s:
                await _live(bench, SAMPLE_S)
                at_s = time.monotonic() - begun_s
                held = await _held(bench, pages)
                told = ", ".join(f"{name} {count / 1e6:.2f} MB" for name, count in held.items())
                print(f"{(at_s - WARM_UP_S) / 60:5.1f} min: {told}", flush=True)
                for name, count in held.items():
                    courses.setdefault(name, []).append((at_s, count))
    print(f"played: {load.summary}")
    growth = {name: _growth(course) for name, course in courses.items()}
    for name, (per_s, error) in growth.items():
        print(f"{name}: {per_s * 1800 / 1e6:+.2f} MB in 30 minutes, ± {2 * error * 1800 / 1e6:.2f}")
    too_much = {
        name: f"{per_s / CHARGE_POINTS:.1f} bytes a reading"
        for name, (per_s, error) in growth.items()
        if per_s - 2 * error > MOST_BYTES_A_READING * CHARGE_POINTS
    }
    assert too_much == {}


@asynccontextmanager
async def _opened(bench: ConsoleBench) -> AsyncIterator[dict[str, CDPSession]]:
    """Give a session of Chromium's own protocol for each open page."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.path(), args=chromium.ARGUMENTS)
        sessions = {}
        for name, path in PAGES.items():
            page = await browser.new_page(viewport={"width": 1280, "height": 800})
            await page.goto(bench.console.url + path)
            await page.get_by_text("CP-1", exact=True).first.wait_for(state="attached", timeout=30_000)
            sessions[name] = await page.context.new_cdp_session(page)
        yield sessions
        await browser.close()


async def _live(bench: ConsoleBench, seconds: float) -> None:
    """Let time pass in which an anomaly is told and ends."""
    anomaly = fluctuation("CP-1", ago_s=1)
    bench.memorybank.anomalies = [anomaly]
    await bench.tell(anomaly)
    await asyncio.sleep(seconds)  # time is what is measured over, not waited for
    now = datetime.now(UTC)
    bench.memorybank.anomalies = []
    await bench.tell(msgspec.structs.replace(anomaly, phase="closed", updated_at=now, ended_at=now))


async def _held(bench: ConsoleBench, pages: dict[str, CDPSession]) -> dict[str, float]:
    """Return the bytes that the console's process and each page's heap hold now."""
    assert bench.console.process is not None
    held: dict[str, float] = {"console": psutil.Process(bench.console.process.pid).memory_info().rss}
    for name, session in pages.items():
        await session.send("HeapProfiler.collectGarbage")
        held[f"page of the {name}"] = (await session.send("Runtime.getHeapUsage"))["usedSize"]
    return held


def _growth(course: Course) -> tuple[float, float]:
    """Return the slope after the warm-up, in bytes a second, and its standard error."""
    times_s, held = zip(*[(at_s, count) for at_s, count in course if at_s > WARM_UP_S], strict=True)
    slope, intercept = linear_regression(times_s, held)
    squares = sum((count - intercept - slope * at_s) ** 2 for at_s, count in zip(times_s, held, strict=True))
    middle_s = sum(times_s) / len(times_s)
    spread = sum((at_s - middle_s) ** 2 for at_s in times_s)
    return slope, (squares / (len(times_s) - 2) / spread) ** 0.5

"""The live page with 1,000 charge points at 1 Hz: what it costs the server, how smooth and how late it is."""

import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import quantiles

import httpx
from playwright.sync_api import Page, sync_playwright

import chromium
from bench.parts import cpu_s, started_broker
from bench.report import Report, Row, told
from console_load import ConsoleLoad, console_load
from console_parts import ConsoleBench, console_bench
from metrics_parts import Metrics
from real_parts import Broker, wait_until

CHARGE_POINTS, FEWER = 1000, 100
WATCHED = 1
_SETTLE_S = 5.0
_MEASURED_S = 15.0
_UNSHOWN_S = 2.0
"""What was sent so shortly before the end may still have been on its way."""

_COUNT_FRAMES = """seconds => new Promise((done) => {
    const moments = [];
    const step = (moment) => {
        moments.push(moment);
        if (moment - moments[0] < seconds * 1000) requestAnimationFrame(step);
        else done(moments);
    };
    requestAnimationFrame(step);
})"""
# The attribute is set while a frame is drawn; when the next one begins, that one is on screen.
_NOTE_NEWEST = """() => {
    const graph = document.getElementById("graph");
    window.shown = [];
    const note = () => {
        const newest = Number(graph.dataset.newestAt);
        requestAnimationFrame(() => window.shown.push([newest, Date.now() / 1000]));
    };
    new MutationObserver(note).observe(graph, { attributeFilter: ["data-newest-at"] });
}"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What the server took while it was watched, and whether it kept up."""

    share: float
    heard_per_s: float
    sent_per_s: float
    missed: int


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured with so many charge points; None where there was no browser."""

    bytes_per_s: float
    server: Cost
    watched_by: str
    frames_per_s: float | None = None
    slow_frame_ms: float | None = None
    delay_s: float | None = None


def measure(report: Report) -> None:
    """Add the rows of the console."""
    with started_broker() as broker:
        fewer = _measured(broker, FEWER, report.seed)
        many = _measured(broker, CHARGE_POINTS, report.seed)
    for row in rows(many, fewer):
        report.add(row)


def rows(many: Figures, fewer: Figures) -> Iterator[Row]:
    """Return the rows: what grows with the fleet is compared with ten times what a tenth of it costs."""
    times, tenth = CHARGE_POINTS / FEWER, f"with {FEWER} charge points"
    with_many = f"{CHARGE_POINTS:,} charge points at 1 Hz"
    yield Row(
        name=f"console: the server, {with_many}, one {many.watched_by}",
        unit="of a core",
        ours=many.server.share,
        baseline=times * fewer.server.share,
        baseline_name=f"{times:g} times that {tenth}",
        goal="< 0.5",
        met=many.server.share < 0.5,
    )
    yield Row(
        name="console: CAN frames heard meanwhile",
        unit="frames/s",
        ours=many.server.heard_per_s,
        baseline=many.server.sent_per_s,
        baseline_name="sent",
        goal="ratio ≥ 0.99",
        met=many.server.heard_per_s >= 0.99 * many.server.sent_per_s,
    )
    yield Row(
        name="console: seconds in which a charge point was not played, this machine being too busy",
        unit="in 15 s",
        ours=many.server.missed,
        baseline=fewer.server.missed,
        baseline_name=tenth,
        goal="0",
        met=many.server.missed == 0,
    )
    yield Row(
        name=f"console: sent to a page, {with_many}",
        unit="kB/s",
        ours=many.bytes_per_s / 1000,
        baseline=times * fewer.bytes_per_s / 1000,
        baseline_name=f"{times:g} times that {tenth}",
    )
    if many.frames_per_s is None or many.delay_s is None or many.slow_frame_ms is None:
        yield Row(name=f"console: the page itself: skipped, {chromium.MISSING}", unit="", ours=None)
        return
    yield Row(
        name=f"console: fleet view in Chromium, {with_many}",
        unit="frames/s",
        ours=many.frames_per_s,
        baseline=fewer.frames_per_s,
        baseline_name=tenth,
        goal="> 30",
        met=many.frames_per_s > 30,
    )
    yield Row(
        name="console: fleet view, 99 of 100 frames within",
        unit="ms",
        ours=many.slow_frame_ms,
        baseline=fewer.slow_frame_ms,
        baseline_name=tenth,
    )
    yield Row(
        name="console: from a CAN frame sent to its sample on screen (95th percentile)",
        unit="ms",
        ours=many.delay_s * 1000,
        baseline=None if fewer.delay_s is None else fewer.delay_s * 1000,
        baseline_name=tenth,
        goal="< 500",
        met=many.delay_s < 0.5,
    )


def delays_s(sent_at_s: Sequence[float], shown: Sequence[tuple[float, float]], until_s: float) -> list[float]:
    """Return for each frame sent before `until_s` how long after it a graph showed it, or a later one.

    `shown` holds (newest sample on screen, since when) in order; a frame that never appeared gives infinity.
    """
    found: list[float] = []
    at = 0
    for sent_s in sorted(sent_at_s):
        if sent_s >= until_s:
            break
        while at < len(shown) and shown[at][0] < sent_s:
            at += 1
        found.append(shown[at][1] - sent_s if at < len(shown) else math.inf)
    return found


def _measured(broker: Broker, charge_points: int, seed: int) -> Figures:
    told(f"Console: {charge_points:,} charge points at 1 Hz")
    with (
        tempfile.TemporaryDirectory(prefix="chargebench-") as folder,
        loaded(broker, charge_points, Path(folder), seed) as (bench, load),
    ):
        bytes_per_s = _bytes_per_s(bench)
        if chromium.path() is None:
            with _stream(bench) as chunks:
                cost = _cost_of(bench, load, lambda: _read(chunks, _MEASURED_S))
            return Figures(bytes_per_s=bytes_per_s, server=cost, watched_by="stream read")
        with opened_page(f"{bench.console.url}/") as page:
            page.wait_for_timeout(_SETTLE_S * 1000)
            moments: list[float] = []
            cost = _cost_of(bench, load, lambda: moments.extend(page.evaluate(_COUNT_FRAMES, _MEASURED_S)))
        gaps_ms = [later - earlier for earlier, later in pairwise(moments)]
        return Figures(
            bytes_per_s=bytes_per_s,
            server=cost,
            watched_by="page open",
            frames_per_s=1000 * len(gaps_ms) / (moments[-1] - moments[0]),
            slow_frame_ms=quantiles(gaps_ms, n=100)[98],
            delay_s=_delay_s(bench, load),
        )


@contextmanager
def loaded(
    broker: Broker, charge_points: int, folder: Path, seed: int = 1, seconds: float = 600.0
) -> Iterator[tuple[ConsoleBench, ConsoleLoad]]:
    """Give a console that hears so many charge points, all of which the CSMS knows."""
    with (
        console_bench(broker, folder / "console.log") as bench,
        console_load(
            bench.console.backplane_port, charge_points, watch=WATCHED, seconds=seconds, seed=seed
        ) as load,
    ):
        for player in load.players:
            bench.csms.add(player.charge_point_id, player.status)
        wait_until(lambda: _hears(bench, charge_points), timeout_s=60, what="the console to hear all")
        yield bench, load


def _hears(bench: ConsoleBench, charge_points: int) -> bool:
    try:
        fleet = httpx.get(f"{bench.console.url}/api/fleet", timeout=10, trust_env=False).json()
    except httpx.HTTPError:
        return False
    views = fleet.get("connectors", [])
    live = sum(not view["stale"] and view["csms"] is not None for view in views)
    if live < charge_points:
        time.sleep(0.5)  # each answer is a snapshot of everything
    return live >= charge_points


def _cost_of(bench: ConsoleBench, load: ConsoleLoad, work: Callable[[], object]) -> Cost:
    """Return what the console took, and how much of what was sent it heard, while something else was done."""
    assert bench.console.process is not None
    pid, metrics = bench.console.process.pid, Metrics("console", bench.console.port)
    begun_s, used_s, heard = time.monotonic(), cpu_s(pid), metrics.read()["frames_total"]
    since_s, missed = time.time(), load.missed
    work()
    took_s = time.monotonic() - begun_s
    return Cost(
        share=(cpu_s(pid) - used_s) / took_s,
        heard_per_s=(metrics.read()["frames_total"] - heard) / took_s,
        sent_per_s=load.frames_per_s(since_s),
        missed=load.missed - missed,
    )


def _bytes_per_s(bench: ConsoleBench) -> float:
    """Return what a page's stream takes on the network once it has its first picture."""
    with _stream(bench) as chunks:
        _read(chunks, 2.0)
        begun_s = time.monotonic()
        return _read(chunks, 10.0) / (time.monotonic() - begun_s)


@contextmanager
def _stream(bench: ConsoleBench) -> Iterator[Iterator[bytes]]:
    url = f"{bench.console.url}/api/stream"
    with httpx.stream("GET", url, timeout=10, trust_env=False) as response:
        yield response.iter_raw()


def _read(chunks: Iterator[bytes], seconds: float) -> int:
    end_s = time.monotonic() + seconds
    read = 0
    for chunk in chunks:
        read += len(chunk)
        if time.monotonic() >= end_s:
            break
    return read


@contextmanager
def opened_page(url: str) -> Iterator[Page]:
    """Give a page in a headless Chromium of its own, 1280 by 800."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.path(), args=chromium.ARGUMENTS)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(url)
            yield page
        finally:
            browser.close()


def _delay_s(bench: ConsoleBench, load: ConsoleLoad) -> float:
    """Return the 95th percentile of what passes from a frame sent to its sample on screen."""
    with opened_page(f"{bench.console.url}/?charge_point=CP-{WATCHED}") as page:
        page.locator("#graph[data-newest-at]").wait_for()
        page.wait_for_timeout(_SETTLE_S * 1000)
        since_s = time.time()
        page.evaluate(_NOTE_NEWEST)
        page.wait_for_timeout(_MEASURED_S * 1000)
        shown = page.evaluate("window.shown")
    sent = [at_s for at_s in load.sent_at_s if at_s > since_s]
    found = delays_s(sent, shown, time.time() - _UNSHOWN_S)
    return quantiles(found, n=20)[18]

"""The page's views of one thing at a time, as a person uses them: messages, scenarios, an anomaly."""

import asyncio
import random
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cantools
import msgspec
import pytest
from msgspec.structs import asdict
from playwright.async_api import Page, expect

from browser_parts import assert_accessible, stations
from console_parts import GRAFANA_URL, ConsoleBench, fluctuation
from contracts import can_frames
from contracts.can_frames import Output, SetLimit, Status, Thermal
from contracts.events import Anomaly

pytestmark = pytest.mark.browser

DBC = "services/contracts/charger.dbc"


async def module(page: Page, name: str, script: str, argument: Any = None) -> Any:
    """Run a script with what one of the page's modules exports."""
    return await page.evaluate(
        f"async (argument) => {{ const it = await import('/static/{name}.js'); {script} }}", argument
    )


async def test_the_forms_know_the_contract(page: Page, bench: ConsoleBench) -> None:
    """Every signal stands where charger.dbc puts it, and whole frames are encoded as the services do it."""
    await page.goto(bench.console.url)
    known = await module(page, "can-frames", "return it.FRAMES")
    contract = cantools.database.load_file(DBC).messages
    said = {
        frame["id"]: (
            frame["name"],
            frame["size"],
            [
                (s["name"], s["start"], s["length"], s.get("signed", False), s["factor"], s["min"], s["max"])
                for s in frame["signals"]
            ],
        )
        for frame in known
    }
    assert said == {
        message.frame_id: (
            message.name,
            message.length,
            [
                (s.name, s.start, s.length, s.is_signed, s.scale, s.minimum, s.maximum)
                for s in message.signals
            ],
        )
        for message in contract
    }
    draw = random.Random(4)
    for _ in range(50):
        frames = [
            SetLimit(draw.randrange(0x10000)),
            Output(draw.uniform(-400, 400), draw.uniform(0, 1000), draw.uniform(0, 500)),
            Status(
                can_frames.ModuleState(draw.randrange(4)),
                *(draw.random() < 0.5, draw.random() < 0.5),
                can_frames.Faults(draw.randrange(32)),
                *(draw.randrange(256), draw.randrange(0x10000), draw.randrange(0x10000)),
            ),
            Thermal(draw.uniform(-40, 120), draw.uniform(0, 100)),
        ]
        values = [
            [frame.can_id, {name: float(value) for name, value in asdict(frame).items()}] for frame in frames
        ]
        script = "return argument.map(([id, values]) => it.toHex(it.encode(it.frameOf(id), values)))"
        assert await module(page, "can-frames", script, values) == [
            can_frames.encode(frame)[1].hex(" ") for frame in frames
        ]


async def test_a_log_is_bounded_and_holds_back_while_paused(page: Page, bench: ConsoleBench) -> None:
    """The oldest lines go; what comes in a pause waits, up to the bound; history is not told twice."""
    await page.goto(bench.console.url)
    seen = await module(
        page,
        "log-buffer",
        """
        const line = (at_s) => ({ at_s, layer: "ocpp", name: "Heartbeat", text: "", raw: "{}" });
        const lines = (from, to) => Array.from({ length: to - from }, (_, n) => line(from + n));
        const log = new it.LogBuffer(10);
        const ends = () => {
            const { lines, waiting, dropped } = log;
            return [lines[0].at_s, lines.at(-1).at_s, lines.length, waiting.length, dropped];
        };
        log.take({ entries: lines(0, 15), past: true });
        const first = ends();
        log.pause();
        log.take({ entries: lines(15, 30), past: false, dropped: 2 });
        const paused = ends();
        log.resume();
        const resumed = ends();
        log.take({ entries: lines(20, 32), past: true });
        const again = ends();
        log.take({ entries: [line(25.5)], past: false });
        return { first, paused, resumed, again, late: log.lines.map(({ at_s }) => at_s) };
        """,
    )
    assert seen == {
        "first": [5, 14, 10, 0, 0],
        "paused": [5, 14, 10, 10, 7],  # 2 that the server left out, 5 that the pause did not hold
        "resumed": [20, 29, 10, 0, 7],
        "again": [22, 31, 10, 0, 7],
        "late": [23, 24, 25, 25.5, 26, 27, 28, 29, 30, 31],
    }


async def test_trouble_is_known_by_its_words(page: Page, bench: ConsoleBench) -> None:
    """Errors only: refusals and faults, not what merely sounds like them."""
    await page.goto(bench.console.url)
    lines = {
        ("ocpp", "SetChargingProfile", "connector 1, TxDefaultProfile, limit 0 A"): False,
        ("ocpp", "SetChargingProfile.conf", "Rejected"): True,
        ("ocpp", "MeterValues.error", "FormationViolation"): True,
        ("ocpp", "StatusNotification", "connector 1 Charging, NoError"): False,
        ("ocpp", "StatusNotification", "connector 1 Faulted, GroundFailure"): True,
        ("system", "command_sent", "RemoteStopTransaction: Timeout"): True,
        ("can", "0x302 Status", "charging, contactor closed, counter 3"): False,
        ("can", "0x302 Status", "faulted, contactor open, faults: keepalive lost"): True,
    }
    script = "return argument.map(([layer, name, text]) => it.isTrouble({ layer, name, text }))"
    assert await module(page, "log-buffer", script, [list(line) for line in lines]) == list(lines.values())


async def open_log(page: Page, bench: ConsoleBench, charge_point_id: str = "CP-1") -> None:
    await page.goto(f"{bench.console.url}/?charge_point={charge_point_id}")
    await page.get_by_role("tab", name="Messages").click()
    await expect(page.locator(".virtual-row").first).to_be_visible()


async def test_messages_are_filtered_and_opened(page: Page, bench: ConsoleBench) -> None:
    """Frames come decoded; name, text and trouble choose among them; a line opens to its bytes."""
    async with stations(bench, "CP-1") as (station,):
        await open_log(page, bench)
        lines = page.locator("#log-lines")
        await expect(lines).to_contain_text("current 10.00 A, 400.0 V, offered 32.0 A")
        station.send_frame(SetLimit(64))
        station.send_raw(0x300, b"\x01")
        await page.get_by_role("searchbox", name="Filter by name or text").fill("setlimit 64")
        await expect(page.locator(".virtual-row")).to_have_count(1)
        await expect(lines).to_contain_text("limit 64 A")
        await page.get_by_role("searchbox", name="Filter by name or text").fill("")
        await page.get_by_role("button", name="Errors only").click()
        await expect(page.locator(".virtual-row")).to_have_count(1)
        await expect(lines).to_contain_text("malformed 0x300: 1 bytes instead of 2")
        await page.locator(".virtual-row").click()
        await expect(page.locator(".log-raw")).to_contain_text("01")
        await expect(page.locator(".log-open-title")).to_contain_text("CAN \u00b7 0x300 Current")
        await assert_accessible(page)
        await page.keyboard.press("Escape")
        await expect(page.locator(".log-open")).to_be_hidden()
        await page.get_by_role("button", name="CAN", exact=True).click()
        await expect(page.locator(".log-empty")).to_have_text("No line passes the filter.")


async def test_messages_pause_and_go_on(page: Page, bench: ConsoleBench) -> None:
    """Paused, nothing moves and the page says how many wait; resumed, they are there."""
    async with stations(bench, "CP-1") as (station,):
        await open_log(page, bench)
        await page.get_by_role("button", name="Pause").click()
        held = await page.locator(".log-status").text_content()
        station.send_frame(SetLimit(77))
        resume = page.get_by_role("button", name="Resume")
        await expect(page.locator(".log-status")).to_contain_text(re.compile(r"paused, [1-9]\d* wait"))
        assert (held or "").split(" \u00b7 ")[0] in (await page.locator(".log-status").text_content() or "")
        await expect(page.locator("#log-lines")).not_to_contain_text("limit 77 A")
        await resume.click()
        await page.get_by_role("searchbox", name="Filter by name or text").fill("limit 77")
        await expect(page.locator("#log-lines")).to_contain_text("limit 77 A")


async def test_messages_are_read_by_keys_and_stay_few_in_the_page(page: Page, bench: ConsoleBench) -> None:
    """Hundreds of lines are as many rows as fit; keys move among them; the way back to the end is offered."""
    async with stations(bench, "CP-1") as (station,):
        await open_log(page, bench)
        # Else the readings, which go on, move the last limit out of sight.
        await page.get_by_role("searchbox", name="Filter by name or text").fill("setlimit")
        for number in range(60):
            for _ in range(5):
                station.send_frame(SetLimit(number))
            await asyncio.sleep(0.02)  # so that no queue on the way overflows
        await expect(page.locator("#log-lines")).to_contain_text("limit 59 A")
        assert await page.locator(".virtual-row").count() < 80
        size = await page.locator(".virtual-row").first.get_attribute("aria-setsize")
        assert int(size or 0) > 250
        await page.locator("#log-lines").focus()
        await page.keyboard.press("Home")
        await expect(page.get_by_role("option", selected=True)).to_have_attribute("aria-posinset", "1")
        newest = page.get_by_role("button", name="Newest")
        await newest.click()
        await expect(newest).to_be_hidden()


async def test_a_scenario_takes_parameters(page: Page, bench: ConsoleBench) -> None:
    """A value out of range is named and nothing starts; a good one, and the seed, go to the CSMS."""
    limit = {
        "default": 63,
        "unit": "A",
        "minimum": 6,
        "maximum": 300,
        "description": "The limit of every session",
    }
    bench.csms.scenarios[1]["parameters"] = {"limit_a": limit}
    async with stations(bench, "CP-1"):
        await page.goto(f"{bench.console.url}/?view=scenarios&charge_point=CP-1")
        await page.get_by_role("radio", name="Benign charging").check()
        field = page.get_by_label("Limit (A)")
        await expect(field).to_have_value("63")
        await field.fill("900")
        await expect(page.locator(".scenario-form")).to_contain_text("It must be from 6 to 300 A.")
        await page.get_by_role("button", name="Start", exact=True).click()
        message = page.locator("#scenario-message")
        await expect(message).to_have_text("A parameter is out of its range; nothing was started.")
        await expect(field).to_be_focused()
        assert bench.csms.runs == []
        await assert_accessible(page)
        await field.fill("32.5")
        await page.get_by_label("Seed").fill("7")
        await page.get_by_role("button", name="Start", exact=True).click()
        await expect(message).to_have_text("Started Benign charging on CP-1.")
        assert bench.csms.wishes[-1]["parameters"] == {"limit_a": 32.5}
        assert bench.csms.wishes[-1]["seed"] == 7
        await page.get_by_role("button", name="Defaults").click()
        await expect(field).to_have_value("63")
        await page.get_by_role("link", name="CP-1").click()
        await expect(page.locator("#selected-title")).to_have_text("CP-1")


async def test_a_thousand_charge_points_are_chosen(page: Page, bench: ConsoleBench) -> None:
    """The page holds a few of them, a search finds one, All means every one that may be chosen."""
    for number in range(1, 1001):
        bench.csms.add(f"CP-{number}", enrolled=number != 7)
    await page.goto(f"{bench.console.url}/?view=scenarios")
    await expect(page.get_by_text("940 more: search for them")).to_be_visible()
    assert await page.locator("#scenario-targets input").count() == 60
    await page.get_by_role("button", name="All 999").click()
    await expect(page.get_by_role("button", name="Start on 999 charge points")).to_be_enabled()
    await page.get_by_role("button", name="None").click()
    await page.get_by_role("searchbox", name="Search charge points").fill("cp-99")
    await page.get_by_role("checkbox", name="CP-993").check()
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator("#scenario-message")).to_contain_text("on CP-993.")
    assert bench.csms.wishes[-1]["charge_point_ids"] == ["CP-993"]


def remember(bench: ConsoleBench, *anomalies: Anomaly) -> Anomaly:
    """Have the MemoryBank know anomalies that are alike, with readings around the first; return that one."""
    first = anomalies[0]
    bench.memorybank.anomalies = list(anomalies)
    bench.memorybank.patterns[first.id] = {
        "id": str(uuid.uuid4()),
        "charge_point_id": first.charge_point_id,
        "kind": first.kind,
        "count": 14,
        "first_seen_at": "2026-03-03T09:14:00Z",
        "last_seen_at": "2026-03-09T09:14:00Z",
        "signature": {"period_s": 8.1, "amplitude_a": 97.0, "duty": 0.4},
    }
    now = datetime.now(UTC)
    seconds = int((now - first.started_at).total_seconds()) + 20
    bench.memorybank.readings = [
        {
            "at": (now - timedelta(seconds=ago_s)).isoformat(),
            "current_a": 95.0 if ago_s % 8 < 3 else 0.0,
            "commanded_a": 100.0,
        }
        for ago_s in range(seconds, 0, -1)
    ]
    return first


async def test_an_anomaly_tells_why(page: Page, bench: ConsoleBench) -> None:
    """What was seen, how sure, what it is like, and what ran; from there to where one goes on."""
    bench.csms.run("repeated-current-fluctuation", ["CP-1"])
    earlier = fluctuation("CP-1", ago_s=9000, lasted_s=60)
    async with stations(bench, "CP-1"):
        anomaly = remember(bench, fluctuation("CP-1", ago_s=100, lasted_s=60), earlier)
        bench.memorybank.verdicts = [
            {
                "detector": "<b>swings",
                "kind": "strange-current",
                "connector": 1,
                "at": anomaly.started_at.isoformat(),
                "explanation": "it swings",
            }
        ]
        await page.goto(f"{bench.console.url}/?charge_point=CP-1")
        await page.locator("#anomaly-list a").first.click()
        await expect(page).to_have_title("Repeated current fluctuation: CP-1 \u00b7 ChargeBench")
        await expect(page.locator("#anomaly-title")).to_be_focused()
        await expect(page.locator("#anomaly-severity")).to_have_text("Warning")
        await expect(page.locator("#anomaly-when")).to_contain_text("lasted 1 min 0 s")
        await expect(page.locator("#anomaly-explanation")).to_contain_text(anomaly.explanation[1:])
        await expect(page.locator("#anomaly-measure")).to_contain_text("Score8.0threshold 6.0")
        await expect(page.get_by_role("row", name="Duty 38 % 40 %")).to_be_visible()
        truth = page.locator("#anomaly-truth")
        await expect(truth).to_contain_text("True positive")
        await expect(truth).to_contain_text("repeated-current-fluctuation ran on CP-1")
        others = page.get_by_role("list", name="What other detectors said").get_by_role("listitem")
        await expect(others).to_have_text(re.compile(r"^<b>swings, .*: Strange current\. It swings\.$"))
        await expect(page.locator("#anomaly-recollection")).to_contain_text(
            "14th time on CP-1, first seen Mar 3"
        )
        await expect(page.locator(".evidence-graph")).to_have_attribute(
            "data-samples", re.compile(r"^1[12]\d$")
        )
        graph = page.get_by_role("slider", name="Current around the anomaly")
        await graph.press("End")
        await expect(graph).to_have_attribute(
            "aria-valuetext", re.compile(r"0\.0 A . limit 100\.0 A|95\.0 A")
        )
        grafana = page.get_by_role("link", name="Charge point live in Grafana")
        address = await grafana.get_attribute("href") or ""
        assert address.startswith(f"{GRAFANA_URL}/d/chargebench-live/")
        asked = parse_qs(urlsplit(address).query)
        assert (asked["var-charge_point"], asked["var-connector"]) == (["CP-1"], ["1"])
        since_ms = 1000 * anomaly.started_at.timestamp() - 120_000
        assert int(asked["from"][0]) == pytest.approx(since_ms, abs=1)
        await assert_accessible(page)
        await page.locator("#anomaly-earlier a").click()
        await expect(page).to_have_url(re.compile(str(earlier.id)))
        await expect(page.locator("#anomaly-recollection")).to_contain_text("No pattern is known")
        await page.get_by_role("link", name="Charge point CP-1").click()
        await expect(page.locator("#selected-title")).to_have_text("CP-1")


async def test_a_false_alarm_is_called_so(page: Page, bench: ConsoleBench) -> None:
    """Where only benign life ran, the verdict says that the detector is wrong, and shows what ran."""
    bench.csms.run("benign-charging", ["CP-1"])
    anomaly = remember(bench, fluctuation("CP-1", ago_s=100, lasted_s=60))
    await page.goto(f"{bench.console.url}/?anomaly={anomaly.id}")
    truth = page.locator("#anomaly-truth")
    await expect(truth).to_contain_text("False positive")
    await expect(truth.get_by_role("link", name="Benign charging")).to_be_visible()
    await expect(truth).to_contain_text("benign: nothing is wrong")


async def test_an_open_anomaly_goes_on(page: Page, bench: ConsoleBench) -> None:
    """The score rises and the waveform grows as they are told; when it closes, how long it was."""
    async with stations(bench, "CP-1"):
        anomaly = remember(bench, fluctuation("CP-1", ago_s=30))
        await page.goto(f"{bench.console.url}/?anomaly={anomaly.id}")
        await expect(page.locator("#anomaly-when")).to_contain_text("Open since")
        graph = page.locator(".evidence-graph")
        await expect(graph).to_have_attribute("data-samples", re.compile(r"^[1-9]"))
        before = int(await graph.get_attribute("data-samples") or 0)
        higher = msgspec.structs.replace(anomaly, phase="updated", score=12.5, updated_at=datetime.now(UTC))
        await bench.tell(higher)
        await expect(page.locator("#anomaly-measure")).to_contain_text("12.5")
        await page.wait_for_function(
            "(before) => Number(document.querySelector('.evidence-graph').dataset.samples) > before",
            arg=before,
        )
        now = datetime.now(UTC)
        closed = msgspec.structs.replace(higher, phase="closed", updated_at=now, ended_at=now)
        bench.memorybank.anomalies = [closed]
        await bench.tell(closed)
        await expect(page.locator("#anomaly-when")).to_contain_text("lasted")


async def test_an_anomaly_that_nobody_remembers(
    page: Page, bench: ConsoleBench, expected_errors: list[str]
) -> None:
    """The page says so in the MemoryBank's words."""
    expected_errors.append("404")
    await page.goto(f"{bench.console.url}/?anomaly={uuid.uuid4()}")
    await expect(page.locator("#anomaly-missing")).to_have_text("no anomaly of that id is remembered")


async def test_noise_about_zero_draws_no_axis_below_it(page: Page, bench: ConsoleBench) -> None:
    """A current of -0.1 A is a sensor's noise; one that flows back to the module is shown."""
    await page.goto(bench.console.url)
    floors = await module(
        page,
        "scale",
        "return argument.map(([low, high]) => it.floorOf(low, high))",
        [
            [-0.1, 100],
            [3, 100],
            [-30, 100],
        ],
    )
    assert floors == [0, 0, -30]


async def test_messages_scroll_in_their_own_window_on_a_narrow_page(page: Page, bench: ConsoleBench) -> None:
    """However many lines there are, what stands below and above them stays within reach."""
    await page.set_viewport_size({"width": 390, "height": 844})
    async with stations(bench, "CP-1"):
        await open_log(page, bench)
        await page.wait_for_function(
            "() => { const lines = document.querySelector('.log-lines');"
            " return lines.scrollHeight > lines.clientHeight && lines.clientHeight <= 320; }"
        )


async def test_the_pointer_is_sooner_than_the_answer(
    page: Page, bench: ConsoleBench, expected_errors: list[str]
) -> None:
    """On an anomaly's page nothing breaks when its exports are pointed at before it is known."""
    bench.memorybank.anomalies = []
    expected_errors.append("404")
    await page.goto(f"{bench.console.url}/?anomaly={uuid.uuid4()}")
    button = page.locator("[data-view=anomaly] .export-picture button")
    await button.dispatch_event("pointerenter")
    await button.dispatch_event("click")

"""What a page asks, by the console, of a real MemoryBank API over PostgreSQL and a real CSMS."""

import asyncio
import csv
import dataclasses
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import can
import httpx
import psycopg
import pytest

from chassis.can_bus import LOOPBACK
from chassis.can_link import open_bus
from chassis.guard import TOKEN_HEADER, HttpSettings
from chassis.http import served
from console import exports, frame_by_hand
from console.api_watch import ApiWatch
from console.apis import Api
from console.can_listener import CanListener
from console.frame_by_hand import FrameByHand
from console.live import Live
from console.past import Past
from console.server import make_app
from console_parts import Station
from contracts.events import ScenarioLabel
from csms_parts import ENROLMENT, TOKEN, Bench, charge_point, csms
from memorybank.api import make_app as memorybank_app
from memorybank.reader import Reader
from memorybank_parts import START_AT
from real_parts import Postgres, free_port
from remembered import remember, remember_more


@dataclass
class Asked:
    """A console in this process between real services."""

    csms: Bench
    page: httpx.AsyncClient
    live: Live
    backplane_port: int
    postgres: Postgres

    async def get(self, path: str, **params: Any) -> Any:
        answer = await self.page.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def change(self, statement: LiteralString) -> None:
        """Change what is remembered."""
        with psycopg.connect(self.postgres.superuser_url, autocommit=True) as connection:
            connection.execute(statement)

    async def anomaly(self) -> dict[str, Any]:
        (found,) = (await self.get("/api/anomalies", kind="repeated-current-fluctuation"))["items"]
        return found  # type: ignore[no-any-return]


@pytest.fixture
async def asked(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Asked]:
    await remember(postgres.writer_url)
    await asyncio.to_thread(remember_more, postgres.writer_url)
    port, backplane_port = free_port(), free_port(socket.SOCK_DGRAM)
    async with AsyncExitStack() as stack:
        bench = await stack.enter_async_context(csms(tmp_path))
        reader = stack.enter_context(Reader(postgres.reader_url))
        memory = memorybank_app(reader, lambda: {"ok": True, "service": "memorybank"})
        await stack.enter_async_context(served(memory, HttpSettings(), port))
        csms_api = Api("CSMS", f"http://127.0.0.1:{bench.http_port}", {TOKEN_HEADER: TOKEN})
        memorybank = Api("MemoryBank", f"http://127.0.0.1:{port}")
        for api in (csms_api, memorybank):
            await stack.enter_async_context(api)
        live = Live()
        listener = CanListener(live, backplane_port, LOOPBACK)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for part in (listener, Past(live, memorybank)):
            stack.callback(tasks.create_task(part.run()).cancel)
        app = make_app(
            live,
            csms_api,
            memorybank,
            ApiWatch(live, csms_api, memorybank),
            FrameByHand(csms_api, listener),
            token="",
            grafana_url="",
            health=lambda: {"ok": True},
        )
        transport = httpx.ASGITransport(app=app)
        page = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://test"))
        # The first answers make connections; on a busy machine they may take longer than a page waits.
        for path in ("/api/anomalies", "/api/scenario-runs"):
            async with asyncio.timeout(30):
                while (await page.get(path)).status_code != 200:  # noqa: ASYNC110 - nobody wakes us
                    await asyncio.sleep(0.02)
        yield Asked(bench, page, live, backplane_port, postgres)


async def test_an_anomalys_page(asked: Asked) -> None:
    """Pattern, evidence in readings, and no claim where the CSMS cannot know."""
    anomaly = await asked.anomaly()
    page = await asked.get(f"/api/anomalies/{anomaly['id']}")
    assert page["anomaly"] == anomaly
    assert (page["pattern"]["count"], page["pattern"]["charge_point_id"], page["earlier"]) == (1, "CP-1", [])
    evidence = page["evidence"]
    assert evidence["fineness"] == "reading"
    started_s = datetime.fromisoformat(anomaly["started_at"]).timestamp()
    assert evidence["since_s"] == started_s - 120
    currents_a = [current_a for _, current_a, *_ in evidence["samples"]]
    assert {0.0, 89.0, 99.0, 1.0} == set(currents_a)
    ats_s = [at_s for at_s, *_ in evidence["samples"]]
    assert ats_s == sorted(ats_s)
    assert page["truth"]["verdict"] == "unknown"
    assert not page["truth"]["known"]


async def test_what_other_detectors_said_meanwhile(asked: Asked) -> None:
    """At its charge point, around its time; of another one or another hour nothing."""
    anomaly = await asked.anomaly()
    started_at = datetime.fromisoformat(anomaly["started_at"])
    for charge_point_id, seconds in (("CP-1", 20), ("CP-1", -90), ("CP-2", 20)):
        asked.change(
            "INSERT INTO memory.verdicts (detector, charge_point_id, connector, kind, at, explanation,"
            " heard_at)"
            f" VALUES ('swings', '{charge_point_id}', 1, 'strange', timestamptz '{started_at}'"
            f" + interval '{seconds} s', 'it swings', now())"
        )
    (said,) = (await asked.get(f"/api/anomalies/{anomaly['id']}"))["others"]
    assert (said["detector"], said["kind"], said["explanation"]) == ("swings", "strange", "it swings")
    assert datetime.fromisoformat(said["at"]) == started_at + timedelta(seconds=20)


async def test_evidence_that_is_no_longer_kept_finely_comes_rolled_up(asked: Asked) -> None:
    """Retention takes the readings first; the shape stays in the roll-ups, with lowest and highest."""
    anomaly = await asked.anomaly()
    asked.change("DELETE FROM memory.metrics")
    evidence = (await asked.get(f"/api/anomalies/{anomaly['id']}"))["evidence"]
    assert evidence["fineness"] == "10s"
    assert {(lowest_a, highest_a) for _, _, lowest_a, highest_a, _ in evidence["samples"]} >= {(0.0, 99.0)}


async def test_anomalies_like_it_come_with_it(asked: Asked) -> None:
    """The newest others of its pattern, at most ten, itself not among them."""
    anomaly = await asked.anomaly()
    asked.change(
        "INSERT INTO memory.anomalies SELECT gen_random_uuid(), charge_point_id, connector, kind, severity,"
        " 'closed', started_at - n * interval '1 hour', detected_at - n * interval '1 hour', updated_at,"
        " updated_at, score, threshold, deviation, signature, explanation, pattern_id"
        " FROM memory.anomalies, generate_series(1, 12) n WHERE charge_point_id = 'CP-1'"
    )
    earlier = (await asked.get(f"/api/anomalies/{anomaly['id']}"))["earlier"]
    began = [datetime.fromisoformat(other["started_at"]) for other in earlier]
    start = datetime.fromisoformat(anomaly["started_at"])
    assert began == [start - timedelta(hours=n) for n in range(1, 11)]


async def test_ground_truth_stands_beside_the_verdict(asked: Asked) -> None:
    """Benign life beside an anomaly is a false alarm; once something was provoked, it is found."""
    anomaly = await asked.anomaly()
    path = f"/api/anomalies/{anomaly['id']}"
    async with charge_point(asked.csms, "CP-1", ENROLMENT):
        start = {"scenario": "benign-charging", "charge_point_ids": ["CP-1"]}
        run = (await asked.csms.http.post("/api/scenario-runs", json=start)).json()
        asked.change("UPDATE memory.anomalies SET started_at = now(), detected_at = now()")
        truth = (await asked.get(path))["truth"]
        assert (truth["known"], truth["verdict"]) == (True, "false_positive")
        assert [one["run_id"] for one in truth["runs"]] == [run["run_id"]]
        assert "benign-charging" in truth["text"]
        frame = {"charge_point_id": "CP-1", "connector": 1, "can_id": 0x210, "data": "0a00"}
        await asked.csms.http.post("/api/manual-frames", json=frame)
        assert (await asked.get(path))["truth"]["verdict"] == "false_positive"  # it was found before that
        asked.change("UPDATE memory.anomalies SET detected_at = now()")
        truth = (await asked.get(path))["truth"]
        assert truth["verdict"] == "true_positive"
        assert "can-frame-by-hand ran on CP-1" in truth["text"]
        assert truth["runs"][0]["parameters"] == {"connector": 1, "can_id": 0x210, "byte_0": 10, "byte_1": 0}


async def test_an_unknown_anomaly_is_404(asked: Asked) -> None:
    answer = await asked.page.get("/api/anomalies/00000000-0000-0000-0000-000000000000")
    assert (answer.status_code, answer.json()["detail"]) == (404, "no anomaly of that id is remembered")


async def test_lists_are_filtered_and_paged(asked: Asked) -> None:
    """As the MemoryBank pages: ask again with `after`."""
    everything = await asked.get("/api/anomalies")
    first = await asked.get("/api/anomalies", limit=2)
    rest = await asked.get("/api/anomalies", limit=100, after=first["next"])
    assert first["items"] + rest["items"] == everything["items"]
    assert len(critical := await _items(asked, "/api/anomalies", severity="critical")) == 4
    assert (await asked.get(f"/api/anomalies/{critical[0]['id']}"))["pattern"] is None
    assert len(await _items(asked, "/api/anomalies", open="true")) == 1
    assert len(await _items(asked, "/api/sessions", charge_point_id="CP-2")) == 4
    assert (await asked.page.get("/api/anomalies", params={"severity": "bad"})).status_code == 422
    refused = await asked.page.get("/api/anomalies", params={"after": "nonsense"})
    assert (refused.status_code, refused.json()["detail"]) == (422, "this is no cursor of anomalies")


async def _items(asked: Asked, path: str, **params: Any) -> list[Any]:
    items: list[Any] = (await asked.get(path, **params))["items"]
    return items


async def test_runs_are_passed_on(asked: Asked) -> None:
    async with charge_point(asked.csms, "CP-1", ENROLMENT):
        start = {"scenario": "benign-charging", "charge_point_ids": ["CP-1"]}
        run = (await asked.csms.http.post("/api/scenario-runs", json=start)).json()
        since = datetime.now(UTC).isoformat()
        found = await asked.get("/api/scenario-runs", charge_point_id="CP-1", since=since)
    assert [(one["run_id"], one["seed"]) for one in found] == [(run["run_id"], 0)]


async def test_readings_are_downloaded_whole(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page by page, the newest first, the same in CSV and JSON."""
    monkeypatch.setitem(_tables(), "readings", _with_limit("readings", 50))
    params = {"charge_point_id": "CP-1"}
    answer = await asked.page.get("/api/export/readings.csv", params=params)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    disposition = "attachment; filename*=UTF-8''chargebench-readings-CP-1.csv"
    assert answer.headers["content-disposition"] == disposition
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 180
    assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)
    assert {float(row["current_a"]) for row in rows} == {0.0, 89.0, 99.0, 1.0}
    listed = (await asked.page.get("/api/export/readings.json", params=params)).json()
    assert [row["at"] for row in listed] == [row["at"] for row in rows]
    until = (START_AT + timedelta(seconds=10)).isoformat()
    some = await asked.page.get("/api/export/readings.json", params={**params, "until": until})
    assert len(some.json()) == 10


def _tables() -> dict[Any, Any]:
    return exports.TABLES  # type: ignore[return-value]


def _with_limit(what: Any, limit: int) -> Any:
    return dataclasses.replace(exports.TABLES[what], limit=limit)


async def test_a_spreadsheet_runs_nothing(asked: Asked) -> None:
    """A text that a spreadsheet would take for a formula is marked as text; a negative number stays one."""
    asked.change("UPDATE memory.anomalies SET explanation = '=HYPERLINK(1)', score = -5")
    answer = await asked.page.get("/api/export/anomalies.csv", params={"charge_point_id": "CP-1"})
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["explanation"], row["score"]) == ("'=HYPERLINK(1)", "-5.0")
    assert json.loads(row["pattern"])["amplitude_a"] > 50


async def test_messages_are_downloaded(asked: Asked) -> None:
    listed = (await asked.page.get("/api/export/messages.json", params={"charge_point_id": "CP-2"})).json()
    assert {(row["kind"], row["detail"]["data"]) for row in listed} == {("can_frame_seen", "6400")}
    assert len(listed) == 50
    nothing = await asked.page.get("/api/export/messages.json", params={"charge_point_id": "nobody"})
    assert nothing.json() == []


async def test_a_log_begins_with_what_is_remembered(asked: Asked) -> None:
    """Oldest first, decoded; live frames come after it, and none twice."""
    key = ("CP-2", 1)
    stream = asked.live.open(key, log=True)
    logs: list[Any] = []
    async with asyncio.timeout(10):
        await anext(stream)
        asked.live.hear_can(key, 0x300, b"\x01\x00", datetime.now(UTC).timestamp())
        while len(logs) < 2:
            asked.live.tick()
            told = (await anext(stream)).split(b"\n\n")
            logs += [json.loads(m.split(b"data: ")[1]) for m in told if m.startswith(b"event: log")]
    past, live = logs
    assert (past["past"], live["past"]) == (True, False)
    assert {(line["name"], line["text"], line["layer"]) for line in past["entries"]} == {
        ("0x300 Current", "current 100 A", "can")
    }
    assert len({line["id"] for line in past["entries"]}) == 50
    assert [line["text"] for line in live["entries"]] == ["current 1 A"]


async def heard(asked: Asked, station: Station) -> None:
    """Wait until the console hears the station's bus."""
    async with asyncio.timeout(10):
        while True:
            fleet = await asked.get("/api/fleet")
            if any(row["bus_port"] == station.lease.bus_port for row in fleet.get("connectors", [])):
                return
            station.renew()
            await asyncio.sleep(0.05)


async def test_a_frame_by_hand_is_labelled_and_then_on_the_bus(asked: Asked) -> None:
    """The CSMS knows of it before the charger does; the console sees its own frame as everybody's."""
    frame = {"charge_point_id": "CP-1", "connector": 1, "can_id": 0x201, "data": ""}
    async with charge_point(asked.csms, "CP-1", ENROLMENT), Station("CP-1", asked.backplane_port) as station:
        bus = open_bus(station.lease.bus_port)
        try:
            await heard(asked, station)
            sent = await asked.page.post("/api/can-frames", json=frame)
            assert sent.status_code == 200, sent.text
            assert sent.json() == {"sent": True, "text": "0x201 Stop sent on CP-1's bus"}
            message = await asyncio.to_thread(bus.recv, 5)
        finally:
            bus.shutdown()
    assert isinstance(message, can.Message)
    assert (message.arbitration_id, bytes(message.data), message.is_extended_id) == (0x201, b"", False)
    assert [label.anomaly for label in asked.csms.events(ScenarioLabel)] == ["can-command-injection"] * 2


async def test_frames_by_hand_are_refused_in_words(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's bus, nobody's charge point, no frame, too many."""
    frame = {"charge_point_id": "FOREIGN-1", "connector": 1, "can_id": 0x201, "data": ""}
    refused = await asked.page.post("/api/can-frames", json=frame)
    assert refused.status_code == 404
    assert refused.json()["detail"] == "connector 1 of FOREIGN-1 announces no CAN bus"
    for wrong in ({"can_id": 0x800}, {"data": "00" * 9}, {"data": "0"}):
        assert (await asked.page.post("/api/can-frames", json={**frame, **wrong})).status_code == 422
    async with charge_point(asked.csms), Station("FOREIGN-1", asked.backplane_port) as station:
        bus = open_bus(station.lease.bus_port)
        try:
            await heard(asked, station)
            refused = await asked.page.post("/api/can-frames", json=frame)
            assert refused.status_code == 403
            assert "neither enrolled nor in SCENARIO_ALLOW_LIST: FOREIGN-1" in refused.json()["detail"]
            statuses = [
                (await asked.page.post("/api/can-frames", json=frame)).status_code
                for _ in range(2 * frame_by_hand.BURST)
            ]
            assert 429 in statuses
            assert bus.recv(0) is None
        finally:
            bus.shutdown()
    assert asked.csms.events(ScenarioLabel) == []

"""What each service tells Prometheus, between its real neighbours: it counts, and names nobody."""

import asyncio
import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import paho.mqtt.publish as mqtt_publish
import pytest
from ocpp.v16 import call
from websockets.exceptions import InvalidStatus

import console_apis
import console_parts
import csms_parts
from chargepoint_parts import ChargePointProcess, ForeignCsms, bus_module, rogue_node, until
from charger_process import Lessor, charger
from chassis import can_link
from contracts import events, topics
from contracts.can_frames import Current
from contracts.events import Batch
from memorybank_parts import START_AT, MemoryBankProcess, batch, note, reading, source_of
from metrics_parts import Metrics, samples
from real_parts import Broker, Postgres, free_port, wait_until

TAG = "DRIVERS-TAG-7"


@pytest.fixture
def memorybank(own_postgres: Postgres, broker: Broker, tmp_path: Path) -> Iterator[MemoryBankProcess]:
    process = MemoryBankProcess(own_postgres, broker, tmp_path / "memorybank.log")
    process.start()
    process.wait_healthy()
    yield process
    process.kill()


def tell(broker: Broker, *batches: Batch, topic: str | None = None) -> None:
    """Publish batches as their sources would, in order."""
    mqtt_publish.multiple(
        [
            {
                "topic": topic or topics.events_topic(source_of()),
                "payload": events.encode(each),
                "qos": 1,
            }
            for each in batches
        ],
        hostname=broker.host,
        port=broker.port,
        auth={"username": "chargepoint", "password": broker.password},
    )


def test_memorybank_counts_what_comes_is_missing_comes_twice_and_is_set_aside(
    memorybank: MemoryBankProcess, broker: Broker
) -> None:
    metrics = Metrics("memorybank", memorybank.http_port)
    assert metrics.wait("connected{to=broker}", 1)["connected{to=database}"] == 1
    first = batch([note(1), note(2), reading(0, 10.0)], 1)
    tell(broker, first)
    found = metrics.wait("events_stored_total", 2)
    assert found["readings_stored_total"] == 1
    assert found["gap_events_total"] == found["duplicate_events_total"] == found["poison_total"] == 0
    assert found["lag_seconds"] >= timedelta(minutes=4).total_seconds(), "these events are minutes old"
    tell(broker, first)
    assert metrics.wait("duplicate_events_total", 3)["events_stored_total"] == 2
    tell(broker, batch([note(9)], 9, committed=3))
    assert metrics.wait("ahead_events_total", 1)["events_stored_total"] == 2
    tell(broker, batch([note(9)], 9, committed=8))
    found = metrics.wait("gap_events_total", 5)
    assert found["events_stored_total"] == 3
    tell(broker, batch([note(10)], 10), topic=topics.events_topic(source_of(name="chargepoint:other")))
    assert metrics.wait("poison_total", 1)["transactions_total"] >= 3
    wait_until(lambda: metrics.read()["rollup_lag_events"] == 0, what="the rollups to be up to date")
    found = metrics.read()
    assert found["info{share=1/1}"] == 1
    assert found["waiting_messages"] == found["waiting_bytes"] == found["detector_failures_total"] == 0
    assert found["partitions_dropped_total"] == found["retention_failing"] == 0


def test_memorybank_tells_of_a_database_that_is_away_and_of_what_waits(
    memorybank: MemoryBankProcess, own_postgres: Postgres, broker: Broker
) -> None:
    metrics = Metrics("memorybank", memorybank.http_port)
    own_postgres.server.kill()
    metrics.wait("store_retries_total", 1)
    tell(broker, *(batch([note(number)], number) for number in range(1, 21)))
    wait_until(lambda: metrics.read()["connected{to=database}"] == 0, what="the database to be missed")
    status, body = memorybank.get("/healthz")
    assert status == 503
    assert json.loads(body)["problem"]
    own_postgres.server.start()
    own_postgres.wait_ready()
    found = metrics.wait("events_stored_total", 20)
    assert found["gap_events_total"] == found["messages_dropped_total"] == 0
    assert metrics.wait("connected{to=database}", 1)["waiting_bytes"] == 0
    assert json.loads(memorybank.get("/healthz")[1])["problem"] is None


def test_memorybank_names_no_charge_point(memorybank: MemoryBankProcess, broker: Broker) -> None:
    """However many it hears of, its series stay the same."""
    metrics = Metrics("memorybank", memorybank.http_port)
    series = set(metrics.wait("connected{to=broker}", 1))
    for number in range(1, 21):
        source = source_of(f"CP-{number}", f"chargepoint:CP-{number}")
        event = note(1, charge_point_id=f"CP-{number}", at=START_AT)
        tell(broker, batch([event], source=source), topic=topics.events_topic(source))
    assert set(metrics.wait("events_stored_total", 20)) - series == {"lag_seconds"}
    assert "CP-" not in metrics.text()


async def test_csms_counts_messages_commands_and_refusals_and_names_nobody(tmp_path: Path) -> None:
    async with (
        csms_parts.csms(tmp_path, ocpp_password="for foreign ones") as bench,
        csms_parts.charge_point(bench, "FOREIGN-1", "for foreign ones") as foreign,
    ):
        assert (await bench.http.put(f"/api/id-tags/{TAG}", json={})).is_success
        await foreign.start(TAG)
        for command in (
            {"action": "GetConfiguration"},
            {"action": "ClearCache"},  # the foreign one does not know it
            {"action": "RemoteStopTransaction", "payload": {"transactionId": 999}},
        ):
            response = await bench.http.post("/api/charge-points/FOREIGN-1/commands", json=command)
            assert response.is_success, response.text
        with pytest.raises(InvalidStatus, match="401"):
            async with csms_parts.websocket(bench, "FOREIGN-2", "guess"):
                pass
        response = await bench.http.get("/metrics")
        text = response.text
    found = samples("csms", text)
    assert found["charge_points"] == 1
    assert found["connections_refused_total"] == 1
    assert found["commands_total{outcome=accepted}"] == 1
    assert found["commands_total{outcome=refused}"] == 2
    assert found["commands_total{outcome=timeout}"] == found["commands_total{outcome=lost}"] == 0
    assert found["answers_total"] == 3
    assert 0 < found["round_trip_seconds_total"] < 30
    # BootNotification, StatusNotification, StartTransaction, three commands: each a call and an answer.
    assert found["messages_total{direction=received}"] == found["messages_total{direction=sent}"] == 6
    assert found["messages_in_error_total{direction=received}"] == 1
    assert found["events_uncommitted"] >= 10, "the broker is away, so all wait"
    assert found["outbox_bytes"] > 1000
    assert found["events_published_total"] >= found["events_uncommitted"]
    assert found["connected{to=broker}"] == 0
    for secret in (TAG, "FOREIGN", csms_parts.TOKEN, "for foreign ones", "scenario"):
        assert secret not in text


async def test_csms_guards_its_metrics(tmp_path: Path) -> None:
    async with csms_parts.csms(tmp_path) as bench:
        assert (await bench.http.get("/metrics", headers={"Host": "evil.example"})).status_code == 403
        assert (await bench.http.get("/metrics", headers={"Origin": "http://evil"})).status_code == 403


def test_charger_counts_frames_and_goes_on_counting_when_a_bus_goes() -> None:
    backplane_port, port = free_port(socket.SOCK_DGRAM), free_port()
    metrics = Metrics("charger", port)
    with (
        charger(backplane_port=backplane_port, CHARGER_ID="charger-a", HEALTH_PORT=str(port)),
        Lessor(backplane_port, free_port(socket.SOCK_DGRAM)) as lessor,
    ):
        lessor.until(lambda: "charger-a" in lessor.offers, what="an offer")
        assert metrics.read()["buses"] == 0
        assert metrics.read()["info{charger_id=charger-a}"] == 1
        lessor.charger_id = "charger-a"
        lessor.until(lambda: metrics.read()["buses"] == 1, what="the module")
        lessor.until(lambda: metrics.read()["frames_sent_total"] >= 4, what="readings")
        lessor.tool.send(0x210, b"far too long")
        lessor.tool.send(0x7FF, b"")
        lessor.until(lambda: metrics.read()["frames_received_total"] >= 1, what="frames that arrived")
        lessor.send(b"no lease")
        lessor.until(lambda: metrics.read()["backplane_malformed_total"] == 1, what="a malformed datagram")
        before = metrics.read()
        lessor.leases = False
        lessor.until(lambda: metrics.read()["buses"] == 0, what="the bus to be left")
        after = metrics.read()
    counters = {name for name in before if name.endswith("_total")}
    assert {name for name in counters if after[name] < before[name]} == set()
    assert after["frames_sent_total"] >= 4


def test_charger_without_a_health_port_listens_nowhere() -> None:
    """It is off unless asked for."""
    backplane_port = free_port(socket.SOCK_DGRAM)
    with charger(free_port(socket.SOCK_DGRAM), backplane_port=backplane_port) as process:
        with Lessor(backplane_port, free_port(socket.SOCK_DGRAM)) as lessor:
            lessor.until(lambda: bool(lessor.offers), what="the charger to run")
        inodes = {
            entry.readlink().name
            for entry in Path(f"/proc/{process.pid}/fd").iterdir()
            if entry.readlink().name.startswith("socket:")
        }
        listening = [
            line.split()
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/{process.pid}/net/{table}").read_text().splitlines()[1:]
        ]
    assert inodes
    assert [line for line in listening if line[3] == "0A" and f"socket:[{line[9]}]" in inodes] == []


def charge_point(csms: ForeignCsms, port: int, bus_port: int, folder: Path) -> ChargePointProcess:
    """Return one that tells at `port`; no broker is there."""
    return ChargePointProcess(
        {
            "CHARGE_POINT_ID": "CP-1",
            "CHARGE_POINT_PASSWORD": "enrolment-secret",
            "CSMS_URL": f"ws://127.0.0.1:{csms.port}",
            "CAN_INTERFACE": "127.0.0.1",
            "CAN_PORT": str(bus_port),
            "CAN_BACKPLANE_PORT": str(free_port(socket.SOCK_DGRAM)),
            "RECONNECT_LONGEST_S": "0.5",
            "HEALTH_PORT": str(port),
            "STATE_DIRECTORY": str(folder),
        }
    )


async def test_charge_point_counts_what_passes_and_what_waits(tmp_path: Path) -> None:
    csms, port, bus_port = ForeignCsms(), free_port(), free_port(socket.SOCK_DGRAM)
    await csms.start()
    metrics = Metrics("chargepoint", port)
    process = charge_point(csms, port, bus_port, tmp_path)
    process.start()
    try:
        async with bus_module(bus_port), rogue_node(bus_port) as rogue:
            await csms.status("Preparing")
            await csms.start_charging(TAG)
            rogue(Current(7))
            found = await asyncio.to_thread(metrics.wait, "transactions", 1)
            assert found["connected{to=csms}"] == found["modules"] == found["connectors"] == 1
            assert found["connected{to=broker}"] == 0
            assert found["info{charge_point_id=CP-1}"] == 1
            found = await asyncio.to_thread(metrics.wait, "frames_received_total", 5)
            assert found["frames_sent_total"] >= 3
            await csms.stop()
            found = await asyncio.to_thread(metrics.wait, "queued_messages", 2)
            assert found["connected{to=csms}"] == 0
            assert found["events_uncommitted"] > 4, "no broker is there"
            assert found["events_dropped_total"] == 0
            text = await asyncio.to_thread(metrics.text)
            async with httpx.AsyncClient(trust_env=False) as client:
                health = (await client.get(f"http://127.0.0.1:{port}/healthz")).json()
        assert TAG not in text
        assert "enrolment-secret" not in text
        assert (health["ok"], health["csms"]) == (True, False), "it charges on"
        assert health["connectors"] == [{"connector": 1, "status": "Charging", "module": True}]
    finally:
        await csms.stop()
        assert process.stop() == 0


async def test_charge_point_tells_on_after_a_reset(tmp_path: Path) -> None:
    """The boot makes everything anew but the process and its port."""
    csms, port = ForeignCsms(), free_port()
    await csms.start()
    metrics = Metrics("chargepoint", port)
    process = charge_point(csms, port, free_port(socket.SOCK_DGRAM), tmp_path)
    process.start()
    try:
        before = await asyncio.to_thread(metrics.wait, "connected{to=csms}", 1)
        await csms.ask(call.Reset("Hard"))
        await until(lambda: len(csms.all("BootNotification")) == 2, "the second boot")
        after = await asyncio.to_thread(metrics.wait, "connected{to=csms}", 1)
        assert after["connectors"] == 1
        assert after["events_published_total"] > before["events_published_total"]
    finally:
        await csms.stop()
        assert process.stop() == 0


async def test_console_tells_whom_it_misses_and_what_it_hears(broker: Broker, tmp_path: Path) -> None:
    with console_parts.console_bench(broker, tmp_path / "console.log") as bench:
        metrics = Metrics("console", bench.console.port)
        async with bench.station("CP-1") as station:
            await asyncio.to_thread(metrics.wait, "buses", 1)
            station.send(50.0)
            found = await asyncio.to_thread(metrics.wait, "frames_total", 1)
            assert found["connectors"] == 1
            station.send_raw(0x300, b"far too")
            await asyncio.to_thread(metrics.wait, "malformed_total", 1)
        for service in ("csms", "memorybank", "broker"):
            await asyncio.to_thread(metrics.wait, f"connected{{to={service}}}", 1)
        bench.csms.stop()
        await until(lambda: metrics.read()["connected{to=csms}"] == 0, "the CSMS to be missed")
        text = metrics.text()
    assert console_parts.TOKEN not in text
    assert console_apis.CSMS_TOKEN not in text
    assert "CP-" not in text


async def test_a_bus_counts_what_a_queue_that_is_full_lets_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    """Received, dropped and sent are told apart."""
    monkeypatch.setattr(can_link, "QUEUE_FRAMES", 3)
    port = free_port(socket.SOCK_DGRAM)
    async with (
        can_link.CanLink(can_link.open_bus(port)) as full,
        can_link.CanLink(can_link.open_bus(port)) as sender,
    ):
        for _ in range(10):
            sender.send(Current(1))
        await until(lambda: full.tally.received == 10, "all frames")
        assert full.tally == can_link.Tally(received=10, dropped=7)
        assert sender.tally == can_link.Tally(sent=10)

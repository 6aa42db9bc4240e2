"""A charge point that is not ours charges against the CSMS, over real WebSockets."""

import pytest
from ocpp.v16 import call

from contracts.events import (
    CommandSent,
    OcppMessageSeen,
    Reading,
    StatusChanged,
    TransactionEnded,
    TransactionStarted,
)
from csms_parts import charge_point, csms, until


@pytest.fixture
async def bench(tmp_path):
    async with csms(tmp_path) as running:
        yield running


async def test_a_foreign_charge_point_charges_from_boot_to_stop(bench):
    async with charge_point(bench) as foreign:
        assert (await foreign.call(call.Authorize("BENCH"))).id_tag_info["status"] == "Accepted"
        await foreign.status("Preparing")
        started = await foreign.start(meter_wh=1000)
        assert started.id_tag_info["status"] == "Accepted"
        await foreign.status("Charging")
        sample = {"value": "16.2", "measurand": "Current.Import", "unit": "A"}
        values = [{"timestamp": "2026-06-01T12:00:00Z", "sampledValue": [sample]}]
        await foreign.call(call.MeterValues(1, values, started.transaction_id), suppress=False)
        await foreign.call(call.Heartbeat(), suppress=False)
        await foreign.stop(meter_wh=2000, reason="Local")
        await foreign.status("Available")
    (began,) = bench.events(TransactionStarted)
    (ended,) = bench.events(TransactionEnded)
    assert (began.charge_point_id, began.connector, began.meter_start_wh) == ("FOREIGN-1", 1, 1000)
    assert (ended.transaction_id, ended.meter_stop_wh, ended.reason) == (began.transaction_id, 2000, "Local")
    (reading,) = bench.events(Reading)
    assert (reading.current_a, reading.transaction_id, reading.origin) == (16.2, began.transaction_id, "ocpp")
    statuses = [event.status for event in bench.events(StatusChanged)]
    assert statuses[:4] == ["Available", "Preparing", "Charging", "Available"]


async def test_a_lost_connection_is_told_as_offline(bench):
    async with charge_point(bench):
        pass
    await until(lambda: [event.status for event in bench.events(StatusChanged)] == ["Available", "Offline"])
    assert "connection_closed" in bench.system_events()


async def test_remote_start_and_stop_come_through_the_api(bench):
    async with charge_point(bench) as foreign:
        commands = "/api/charge-points/FOREIGN-1/commands"
        start = {"action": "RemoteStartTransaction", "payload": {"connectorId": 1, "idTag": "BENCH"}}
        answer = await bench.http.post(commands, json=start)
        assert answer.json() == {"outcome": "Accepted", "response": {"status": "Accepted"}}
        await until(lambda: bench.events(TransactionStarted), "the start")
        (active,) = (await bench.http.get("/api/transactions?active=true")).json()
        stop = {"action": "RemoteStopTransaction", "payload": {"transactionId": active["transaction_id"]}}
        assert (await bench.http.post(commands, json=stop)).json()["outcome"] == "Accepted"
        await until(lambda: bench.events(TransactionEnded), "the stop")
        assert foreign.actions == ["RemoteStartTransaction", "RemoteStopTransaction"]
    sent = [(event.command, event.outcome) for event in bench.events(CommandSent)]
    assert sent == [("RemoteStartTransaction", "Accepted"), ("RemoteStopTransaction", "Accepted")]


async def test_every_message_is_on_record_in_both_directions(bench):
    async with charge_point(bench) as foreign:
        await foreign.call(call.Heartbeat(), suppress=False)
    seen = [
        (event.direction, event.message_type, event.action)
        for event in bench.events(OcppMessageSeen)
        if event.action == "Heartbeat"
    ]
    assert seen == [("received", "call", "Heartbeat"), ("sent", "call_result", "Heartbeat")]


async def test_ids_and_active_transactions_survive_a_restart(tmp_path):
    async with csms(tmp_path) as before, charge_point(before) as foreign:
        first = (await foreign.start()).transaction_id
    async with csms(tmp_path) as after, charge_point(after) as foreign:
        (active,) = (await after.http.get("/api/transactions?active=true")).json()
        assert active["transaction_id"] == first
        foreign.transaction_id = first
        await foreign.stop()
        assert (await foreign.start()).transaction_id == first + 1
        assert [event.transaction_id for event in after.events(TransactionEnded)] == [first]


async def test_a_start_that_is_sent_again_after_a_restart_keeps_its_id(tmp_path):
    request = call.StartTransaction(1, "BENCH", 5, "2026-06-01T12:00:00Z")
    async with csms(tmp_path) as before, charge_point(before) as foreign:
        first = await foreign.call(request, suppress=False)
    async with csms(tmp_path) as after, charge_point(after) as foreign:
        assert await foreign.call(request, suppress=False) == first

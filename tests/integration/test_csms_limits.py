"""Limits on the readings that a charge point reports: what it was commanded, and what it acknowledged."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call
from websockets.asyncio.client import ClientConnection

from contracts.events import CommandSent, OcppMessageSeen, Reading
from csms_parts import Bench, ForeignChargePoint, charge_point, csms, until, websocket

COMMANDS = "/api/charge-points/FOREIGN-1/commands"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with csms(tmp_path) as running:
        yield running


def profile(limit: float, *, unit: str = "A", purpose: str = "TxDefaultProfile", number: int = 1) -> dict:
    return {
        "chargingProfileId": number,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        },
    }


async def command(bench: Bench, action: str, payload: dict[str, Any]) -> str:
    answer = await bench.http.post(COMMANDS, json={"action": action, "payload": payload})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["outcome"])


async def set_limit(bench: Bench, limit: float, *, connector: int = 1, **more: Any) -> str:
    given = {"connectorId": connector, "csChargingProfiles": profile(limit, **more)}
    return await command(bench, "SetChargingProfile", given)


async def limits_read(
    bench: Bench, foreign: ForeignChargePoint, *, ago_s: float = 0.0, **samples: str
) -> tuple[float | None, float | None]:
    """Report a reading and return its limits, commanded and acknowledged."""
    timestamp = (datetime.now(UTC) - timedelta(seconds=ago_s)).isoformat()
    values = [
        {"value": value, "measurand": name.replace("_", ".")}
        for name, value in ({"Current_Import": "1"} | samples).items()
    ]
    meter_value = [{"timestamp": timestamp, "sampledValue": values}]
    await foreign.call(call.MeterValues(1, meter_value, foreign.transaction_id), suppress=False)
    reading = bench.events(Reading)[-1]
    return reading.commanded_a, reading.acknowledged_a


async def test_a_reading_tells_what_was_commanded_and_what_was_acknowledged(bench):
    async with charge_point(bench) as foreign:
        assert await limits_read(bench, foreign) == (None, None)
        assert await set_limit(bench, 32) == "Accepted"
        assert await limits_read(bench, foreign) == (32, 32)
        foreign.rejects.add("SetChargingProfile")
        assert await set_limit(bench, 100) == "Rejected"
        assert await limits_read(bench, foreign) == (100, 32)
        assert await command(bench, "ClearChargingProfile", {"id": 1}) == "Accepted"
        assert await limits_read(bench, foreign) == (None, None)


async def test_a_reading_that_comes_late_has_the_limit_of_its_own_instant(bench):
    async with charge_point(bench) as foreign:
        await set_limit(bench, 32)
        before = datetime.now(UTC)
        await asyncio.sleep(0.01)  # the two limits need instants of their own
        await set_limit(bench, 100)
        ago_s = (datetime.now(UTC) - before).total_seconds()
        assert await limits_read(bench, foreign, ago_s=ago_s) == (32, 32)
        assert await limits_read(bench, foreign, ago_s=3600) == (None, None)
        assert await limits_read(bench, foreign) == (100, 100)


async def test_the_profile_of_a_remote_start_holds_in_its_transaction(bench):
    async with charge_point(bench) as foreign:
        await set_limit(bench, 63, connector=0)
        start = {"idTag": "BENCH", "chargingProfile": profile(20, purpose="TxProfile", number=2)}
        assert await command(bench, "RemoteStartTransaction", start) == "Accepted"
        await until(lambda: foreign.transaction_id is not None, "the start")
        assert await limits_read(bench, foreign) == (20, 20)
        await foreign.stop()
        assert await limits_read(bench, foreign) == (63, 63)


async def test_watts_are_told_as_amperes_where_the_meter_tells_how(bench):
    async with charge_point(bench) as foreign:
        await set_limit(bench, 40_000, unit="W")
        assert await limits_read(bench, foreign) == (None, None)
        assert await limits_read(bench, foreign, Voltage="400", SoC="50") == (100, 100)


async def test_the_limit_in_force_is_still_known_after_a_restart(tmp_path):
    async with csms(tmp_path) as before, charge_point(before) as foreign:
        await set_limit(before, 32)
        foreign.rejects.add("SetChargingProfile")
        await set_limit(before, 100)
    async with csms(tmp_path) as after, charge_point(after) as foreign:
        assert await limits_read(after, foreign) == (100, 32)


async def test_a_state_file_from_before_limits_were_kept_is_taken_over(tmp_path):
    script = (files("csms.state") / "schema.sql").read_text(encoding="utf-8")
    with sqlite3.connect(tmp_path / "state.sqlite") as old:
        old.executescript(f"{script} PRAGMA user_version = 1;")
        old.execute("INSERT INTO id_tags VALUES ('MINE', 'Blocked', NULL, NULL, 0)")
    old.close()
    async with csms(tmp_path) as bench, charge_point(bench) as foreign:
        assert bench.csms.state.id_tags.get("MINE").status == "Blocked"
        await set_limit(bench, 32)
        assert await limits_read(bench, foreign) == (32, 32)


async def asked(connection: ClientConnection) -> tuple[str, str]:
    """Return id and action of the command that arrives next."""
    async with asyncio.timeout(5):
        _, unique_id, action, _ = json.loads(await connection.recv())
    return unique_id, action


def answers(bench: Bench, direction: str) -> list[tuple[str, str]]:
    """Return type and action of each answer on record; each must say how long it took."""
    seen = [event for event in bench.events(OcppMessageSeen) if event.direction == direction]
    found = [event for event in seen if event.message_type in ("call_result", "call_error")]
    assert all(event.round_trip_s is not None and event.round_trip_s >= 0 for event in found)
    return [(event.message_type, event.action) for event in found]


async def test_every_answer_of_ours_says_how_long_it_took(bench):
    async with websocket(bench, "FOREIGN-1") as connection:
        for text in ('[2,"1","Heartbeat",{}]', '[2,"2","Reset",{}]', '[2,"3","Authorize",{}]', "nonsense"):
            await connection.send(text)
            await connection.recv()
        expected = [
            ("call_result", "Heartbeat"),
            *(("call_error", name) for name in ("Reset", "Authorize", "")),
        ]
        assert answers(bench, "sent") == expected


async def test_every_answer_to_us_says_how_long_it_took(tmp_path):
    """Also a refusal, one that breaks the schema, and one that comes after its deadline."""
    async with csms(tmp_path, command_timeout_s=0.3) as bench, websocket(bench, "FOREIGN-1") as connection:
        await until(lambda: bench.csms.connections.get("FOREIGN-1"), "the connection")

        async def commanded(action: str, payload: dict, answer: list | None) -> tuple[str, str]:
            sending = asyncio.create_task(command(bench, action, payload))
            unique_id, _ = await asked(connection)
            if answer is not None:
                await connection.send(json.dumps([answer[0], unique_id, *answer[1:]]))
            return await sending, unique_id

        given = {"connectorId": 1, "csChargingProfiles": profile(32)}
        assert (await commanded("ClearCache", {}, [3, {"status": "Accepted"}]))[0] == "Accepted"
        refusal = [4, "GenericError", "", {}]
        assert (await commanded("ClearCache", {}, refusal))[0] == "GenericError"
        assert (await commanded("ClearCache", {}, [3, {"status": "Perhaps"}]))[0] != "Accepted"
        outcome, late = await commanded("SetChargingProfile", given, None)
        assert outcome == "Timeout"
        await connection.send(json.dumps([3, late, {"status": "Accepted"}]))
        await until(lambda: bench.csms.state.limits.get("FOREIGN-1").acknowledged.in_force, "the late answer")
        results = [("call_result", "ClearCache"), ("call_error", "ClearCache"), ("call_result", "ClearCache")]
        assert answers(bench, "received") == [*results, ("call_result", "SetChargingProfile")]
        assert bench.events(OcppMessageSeen)[-1].round_trip_s >= 0.3
        assert bench.events(CommandSent)[-1].outcome == "Timeout"

"""The HTTP API over real HTTP: who may use it, and every endpoint."""

import asyncio
import json
from datetime import UTC, datetime

import httpx
import pytest
from websockets.asyncio.client import connect

from chassis.guard import TOKEN_HEADER
from contracts.events import ScenarioLabel
from csms_parts import ENROLMENT, TOKEN, charge_point, csms, until, websocket

CHANGES = [
    ("POST", "/api/charge-points/CP-1/commands", {"action": "ClearCache"}),
    ("PUT", "/api/id-tags/NEW", {}),
    ("DELETE", "/api/id-tags/BENCH", None),
    ("POST", "/api/scenario-runs", {"scenario": "benign-charging", "charge_point_ids": ["CP-1"]}),
    ("DELETE", "/api/scenario-runs/1", None),
    ("POST", "/api/stop-all", None),
    ("POST", "/api/manual-frames", {"charge_point_id": "CP-1", "connector": 1, "can_id": 1, "data": ""}),
]


@pytest.fixture
async def bench(tmp_path):
    async with csms(tmp_path) as running:
        yield running


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_whatever_changes_state_needs_the_token_and_no_foreign_page(bench, method, path, body):
    async def status(headers, **content):
        url = f"http://127.0.0.1:{bench.http_port}{path}"
        async with httpx.AsyncClient() as browser:
            return (await browser.request(method, url, headers=headers, **content)).status_code

    good = {TOKEN_HEADER: TOKEN}
    content = {} if body is None else {"json": body}
    assert await status({}, **content) == 403
    assert await status({TOKEN_HEADER: "guess"}, **content) == 403
    assert await status({**good, "Origin": "http://evil.example"}, **content) == 403
    assert await status({**good, "Host": "evil.example"}, **content) == 403
    assert await status({**good, "Content-Type": "text/plain"}, content=json.dumps(body or {})) == 415
    assert [tag["id_tag"] for tag in (await bench.http.get("/api/id-tags")).json()] == ["BENCH"]


async def test_reading_needs_our_host_and_no_foreign_origin(bench):
    assert (await bench.http.get("/api/charge-points", headers={"Host": "evil.example"})).status_code == 403
    assert (await bench.http.get("/api/charge-points", headers={"Origin": "http://evil"})).status_code == 403
    own = {"Origin": f"http://127.0.0.1:{bench.http_port}"}
    assert (await bench.http.get("/api/charge-points", headers=own)).status_code == 200


async def test_health_tells_what_is_there(bench):
    async with charge_point(bench):
        health = await bench.http.get("/healthz")
    assert health.status_code == 200
    assert health.json() == {
        "ok": True,
        "service": "csms",
        "charge_points": 1,
        "publisher": {"connected": False, "dropped": 0},
    }


async def test_the_openapi_page_comes_without_the_internet(bench):
    page = (await bench.http.get("/docs")).text
    assert "//cdn." not in page
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert (await bench.http.get(f"/static-offline-docs/{asset}")).status_code == 200
    paths = (await bench.http.get("/openapi.json")).json()["paths"]
    assert {path for _, path, _ in CHANGES if "{" not in path} & set(paths)
    assert "/api/charge-points/{charge_point_id}/commands" in paths


async def test_a_charge_point_is_described_while_connected_and_after(bench):
    async with charge_point(bench, "CP-1", ENROLMENT) as foreign:
        await foreign.start()
        await foreign.status("Charging")
        (known,) = (await bench.http.get("/api/charge-points")).json()
        assert known["last_seen_at"] >= known["connected_at"]
        assert known["connected_at"].endswith("Z")
        del known["last_seen_at"], known["connected_at"]
        assert known["connectors"][0]["transaction"].pop("started_at").endswith("Z")
        assert known == {
            "charge_point_id": "CP-1",
            "connected": True,
            "enrolled": True,
            "vendor": "vendor",
            "model": "model",
            "firmware": None,
            "serial_number": None,
            "connectors": [
                {
                    "connector": 1,
                    "status": "Charging",
                    "error_code": "NoError",
                    "transaction_id": 1,
                    "transaction": {"transaction_id": 1, "id_tag": "BENCH", "meter_start_wh": 0},
                    "commanded_a": None,
                    "acknowledged_a": None,
                }
            ],
            "scenario": None,
            "scenario_run_id": None,
        }
    await until(lambda: bench.csms.connections.get("CP-1") is None)
    after = (await bench.http.get("/api/charge-points/CP-1")).json()
    assert (after["connected"], after["connected_at"]) == (False, None)


async def test_an_identity_with_odd_characters_is_found_by_its_encoded_path(bench):
    async with websocket(bench, "caf%C3%A9%20%231"):
        found = await bench.http.get("/api/charge-points/caf%C3%A9%20%231")
    assert found.json()["charge_point_id"] == "café #1"


@pytest.mark.parametrize("path", ["/api/charge-points/nobody", "/api/charge-points/a%00b"])
async def test_an_unknown_charge_point_is_404(bench, path):
    answer = await bench.http.get(path)
    assert answer.status_code == 404
    assert "never connected" in answer.json()["detail"]


async def command(bench, action="ClearCache", payload=None, charge_point_id="FOREIGN-1"):
    body = {"action": action, "payload": payload or {}}
    return await bench.http.post(f"/api/charge-points/{charge_point_id}/commands", json=body)


async def test_a_command_to_nobody_is_404_and_to_one_who_left_409(bench):
    assert (await command(bench)).status_code == 404
    async with charge_point(bench):
        pass
    await until(lambda: bench.csms.connections.get("FOREIGN-1") is None)
    answer = await command(bench)
    assert (answer.status_code, answer.json()) == (409, {"detail": "FOREIGN-1 is not connected"})


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("MakeCoffee", {}),
        ("Heartbeat", {}),
        ("Reset", {}),
        ("Reset", {"type": "Medium"}),
        ("UnlockConnector", {"connectorId": "1"}),
    ],
)
async def test_a_command_that_is_none_is_422(bench, action, payload):
    async with charge_point(bench) as foreign:
        answer = await command(bench, action, payload)
        assert answer.status_code == 422
        assert foreign.commands == []


@pytest.mark.parametrize(
    "data",
    ['"' + "x" * 70_000 + '"', '"\\ud800"'],
    ids=["longer than a message", "no text"],
)
async def test_a_command_that_no_charge_point_could_read_is_422_and_costs_no_connection(bench, data):
    async with charge_point(bench) as foreign:
        answer = await bench.http.post(
            "/api/charge-points/FOREIGN-1/commands",
            content=f'{{"action": "DataTransfer", "payload": {{"vendorId": "v", "data": {data}}}}}',
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 422
        assert (await command(bench, "RemoteStopTransaction", {"transactionId": 2**64})).status_code == 422
        await foreign.status("Available")
        assert bench.csms.publisher.dropped == 0


async def test_a_command_that_the_charge_point_does_not_know_tells_its_error(bench):
    async with charge_point(bench):
        answer = await command(bench)  # the plain package answers so without a handler
    assert answer.json() == {"outcome": "NotImplemented", "response": None}


async def test_a_response_without_status_word_is_answered(bench):
    async with charge_point(bench):
        answer = (await command(bench, "GetConfiguration")).json()
    assert answer["outcome"] == "Answered"
    assert answer["response"]["configurationKey"]


async def test_a_silent_charge_point_is_a_timeout(tmp_path):
    async with csms(tmp_path, command_timeout_s=0.2) as bench, websocket(bench, "MUTE"):
        assert (await command(bench, charge_point_id="MUTE")).json() == {
            "outcome": "Timeout",
            "response": None,
        }


async def test_a_charge_point_that_leaves_instead_of_answering_is_lost(bench):
    async with websocket(bench, "MUTE") as mute:
        asking = asyncio.create_task(command(bench, charge_point_id="MUTE"))
        await mute.recv()
    assert (await asking).json() == {"outcome": "ConnectionLost", "response": None}


async def test_the_commands_that_wait_for_one_charge_point_are_bounded(tmp_path):
    async with csms(tmp_path, command_timeout_s=1) as bench, websocket(bench, "MUTE"):
        answers = await asyncio.gather(*(command(bench, charge_point_id="MUTE") for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 16 + [429] * 4


async def test_transactions_are_listed_and_filtered(bench):
    async with charge_point(bench, "A") as one, charge_point(bench, "B") as two:
        await one.start()
        await one.stop(meter_wh=70)
        await two.start()

        async def listed(**query):
            found = (await bench.http.get("/api/transactions", params=query)).json()
            return [(entry["transaction_id"], entry["charge_point_id"]) for entry in found]

        assert await listed() == [(2, "B"), (1, "A")]
        assert await listed(active=True) == [(2, "B")]
        assert await listed(charge_point_id="A") == [(1, "A")]
        assert await listed(limit=1) == [(2, "B")]
        assert (await bench.http.get("/api/transactions?limit=0")).status_code == 422
        (ended,) = (await bench.http.get("/api/transactions?active=false")).json()
    assert (ended["id_tag"], ended["meter_stop_wh"], ended["reason"]) == ("BENCH", 70, "Remote")


async def test_id_tags_are_added_changed_and_forgotten(bench):
    put = await bench.http.put(
        "/api/id-tags/GUEST", json={"status": "Accepted", "expires_at": "2020-01-01T00:00:00Z"}
    )
    assert put.json() == {
        "id_tag": "GUEST",
        "status": "Accepted",
        "expires_at": "2020-01-01T00:00:00Z",
        "parent_id_tag": None,
        "one_transaction": False,
    }
    async with charge_point(bench) as foreign:
        assert (await foreign.start("GUEST")).id_tag_info["status"] == "Expired"
        await foreign.stop()
        await bench.http.put("/api/id-tags/GUEST", json={"status": "Blocked"})
        assert (await foreign.start("GUEST")).id_tag_info["status"] == "Blocked"
    assert (await bench.http.delete("/api/id-tags/GUEST")).status_code == 204
    assert (await bench.http.delete("/api/id-tags/GUEST")).status_code == 404
    assert [tag["id_tag"] for tag in (await bench.http.get("/api/id-tags")).json()] == ["BENCH"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/id-tags/" + "x" * 21, {}),
        ("/api/id-tags/OK", {"status": "Wonderful"}),
        ("/api/id-tags/OK", {"expires_at": "tomorrow"}),
        ("/api/id-tags/OK", {"expires_at": "0001-01-01T00:00:00+14:00"}),
        ("/api/id-tags/OK", {"colour": "red"}),
    ],
)
async def test_a_wrong_id_tag_is_422(bench, path, body):
    assert (await bench.http.put(path, json=body)).status_code == 422


async def test_the_scenarios_are_listed_with_their_parameters(bench):
    scenarios = {entry["name"]: entry for entry in (await bench.http.get("/api/scenarios")).json()}
    base = scenarios["repeated-current-fluctuation"]
    assert base["anomaly"] == "repeated-current-fluctuation"
    assert base["parameters"]["high_a"]["default"] == 100
    assert base["parameters"]["high_a"]["unit"] == "A"
    assert scenarios["benign-charging"]["anomaly"] is None


async def test_a_browser_cannot_open_the_ocpp_port(bench):
    with pytest.raises(Exception, match="403"):
        async with connect(f"{bench.url}/CP-1", subprotocols=["ocpp1.6"], origin="http://evil", proxy=None):
            pass


async def test_a_connectors_limits_are_told_as_commanded_and_as_accepted(bench):
    """A charge point that refuses a profile was commanded it all the same."""
    default = {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 63}],
        },
    }

    async def limits(limit):
        default["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] = limit
        await command(bench, "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": default})
        (connector,) = (await bench.http.get("/api/charge-points/FOREIGN-1")).json()["connectors"]
        return connector["commanded_a"], connector["acknowledged_a"]

    async with charge_point(bench) as foreign:
        await foreign.status("Available")
        assert await limits(63) == (63, 63)
        foreign.rejects.add("SetChargingProfile")
        assert await limits(16) == (16, 63)


FRAME = {"charge_point_id": "CP-1", "connector": 1, "can_id": 0x210, "data": "0a00"}


async def test_a_frame_by_hand_is_ground_truth_and_nothing_else(bench):
    """Its label is begun and ended on the truth channel; the events channel does not tell of it."""
    async with charge_point(bench, "CP-1", ENROLMENT):
        told = len(bench.events())
        answer = await bench.http.post("/api/manual-frames", json=FRAME)
        assert answer.status_code == 201
        run_id = answer.json()["run_id"]
        labels = bench.events(ScenarioLabel)
        assert [(label.phase, label.run_id) for label in labels] == [("started", run_id), ("ended", run_id)]
        assert {label.scenario for label in labels} == {"can-frame-by-hand"}
        assert {label.anomaly for label in labels} == {"can-limit-injection"}
        assert labels[0].parameters == {"connector": 1, "can_id": 0x210, "byte_0": 10, "byte_1": 0}
        assert len(bench.events()) == told + 2
        (run,) = (await bench.http.get("/api/scenario-runs")).json()
        assert (run["run_id"], run["state"], run["anomaly"]) == (run_id, "finished", "can-limit-injection")


async def test_a_frame_by_hand_needs_a_charge_point_of_the_benchs_own(bench):
    """A stranger's charge point is not to be driven, and nothing is put on record."""
    async with charge_point(bench):
        refused = await bench.http.post("/api/manual-frames", json={**FRAME, "charge_point_id": "FOREIGN-1"})
        assert refused.status_code == 403
        assert "neither enrolled nor in SCENARIO_ALLOW_LIST" in refused.json()["detail"]
        nobody = await bench.http.post("/api/manual-frames", json=FRAME)
        assert nobody.status_code == 404
    assert bench.events(ScenarioLabel) == []


@pytest.mark.parametrize(
    "wrong",
    [{"can_id": 0x800}, {"can_id": -1}, {"data": "0"}, {"data": "00" * 9}, {"data": "zz"}, {"connector": 0}],
)
async def test_a_frame_that_is_none_is_422(bench, wrong):
    assert (await bench.http.post("/api/manual-frames", json={**FRAME, **wrong})).status_code == 422


async def test_runs_are_found_by_charge_point_and_time(bench):
    """What touched an anomaly's time at its charge point: running and ended, scenarios and frames by hand."""

    async def found(**filters):
        answer = await bench.http.get("/api/scenario-runs", params=filters)
        assert answer.status_code == 200, answer.text
        return [run["run_id"] for run in answer.json()]

    async with charge_point(bench, "CP-1", ENROLMENT), charge_point(bench, "CP-2", ENROLMENT):
        before = datetime.now(UTC).isoformat()
        start = {"scenario": "benign-charging", "charge_point_ids": ["CP-1"]}
        run = (await bench.http.post("/api/scenario-runs", json=start)).json()["run_id"]
        frame = (await bench.http.post("/api/manual-frames", json=FRAME)).json()["run_id"]
        other = {**FRAME, "charge_point_id": "CP-2"}
        elsewhere = (await bench.http.post("/api/manual-frames", json=other)).json()["run_id"]
        after = datetime.now(UTC).isoformat()
        assert await found(charge_point_id="CP-1") == [frame, run]
        assert await found(charge_point_id="CP-2") == [elsewhere]
        assert await found(since=after) == [run]
        assert await found(until=before) == []
        assert await found(since=before, until=after, limit=1) == [elsewhere]
        assert (await bench.http.get("/api/scenario-runs", params={"since": "2026-01-01"})).status_code == 422

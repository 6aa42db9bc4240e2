"""Several CSMSs: each holds its charge points, and any of them can be asked about all."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from chargepoint_parts import ChargePointProcess
from chassis.guard import TOKEN_HEADER, HttpSettings
from chassis.settings import SettingsError, read
from contracts.replicas import holder_of
from csms.forwarding import FORWARDED_HEADER, MISSING_HEADER
from csms.settings import Settings
from csms_parts import ENROLMENT, TOKEN, Bench, charge_point, csms, websocket
from real_parts import free_port

REPLICAS = 2
AT_0, AT_1 = ("CP-2", "CP-1")
OWN = {FORWARDED_HEADER: "1"}
"""Asks a CSMS for what it has itself, as another one does."""


@dataclass
class Replica:
    """One CSMS and a client that asks it, whoever holds what is asked about."""

    bench: Bench
    http: httpx.AsyncClient


@asynccontextmanager
async def replicas(
    directory: Path, count: int = REPLICAS, ocpp_port: int | None = None
) -> AsyncIterator[list[Replica]]:
    """Run the first `count` of the CSMSs, as pods have it: one port, an address each; OCPP too, if asked."""
    port = free_port()
    hosts = tuple(f"127.0.1.{replica}:{port}" for replica in range(REPLICAS))
    async with AsyncExitStack() as stack:
        found = []
        for replica in range(count):
            settings: dict[str, Any] = {
                "replica": replica,
                "replicas": REPLICAS,
                "peer_url": f"http://127.0.1.{{replica}}:{port}",
                "http_port": port,
                "http": HttpSettings(bind=f"127.0.1.{replica}", hosts=hosts, token=TOKEN),
            }
            if ocpp_port is not None:
                settings |= {"ocpp_bind": f"127.0.1.{replica}", "ocpp_port": ocpp_port}
            bench = await stack.enter_async_context(csms(directory / str(replica), **settings))
            client = httpx.AsyncClient(
                base_url=f"http://{hosts[replica]}", headers={TOKEN_HEADER: TOKEN}, timeout=30
            )
            found.append(Replica(bench, await stack.enter_async_context(client)))
        yield found


@pytest.fixture
async def both(tmp_path):
    async with replicas(tmp_path) as found:
        yield found


def test_the_identities_used_here_are_held_apart() -> None:
    assert (holder_of(AT_0, REPLICAS), holder_of(AT_1, REPLICAS)) == (0, 1)


async def test_a_charge_point_is_taken_by_its_holder_alone(both):
    """Its transactions are in that one's file."""
    with pytest.raises(InvalidStatus) as refused:
        async with websocket(both[0].bench, AT_1, ENROLMENT):
            pass
    assert refused.value.response.status_code == 421
    assert refused.value.response.body == b"csms-1 holds this identity\n"
    async with websocket(both[1].bench, AT_1, ENROLMENT):
        pass


async def test_the_charge_points_of_one_process_go_each_to_its_holder(tmp_path):
    """The second pod of four charge points each; nobody is refused on the way."""
    ocpp_port = free_port()
    held = {name: holder_of(name, REPLICAS) for name in ("CP-5", "CP-6", "CP-7", "CP-8")}
    assert set(held.values()) == {0, 1}
    process = ChargePointProcess(
        {
            "CHARGE_POINT_REPLICA": "2",
            "CHARGE_POINTS": "4",
            "CSMS_REPLICAS": str(REPLICAS),
            "CSMS_URL": f"ws://127.0.1.{{replica}}:{ocpp_port}",
            "CHARGE_POINT_PASSWORD": ENROLMENT,
            "CAN_INTERFACE": "127.0.0.1",
            "CAN_BACKPLANE_PORT": str(free_port(socket.SOCK_DGRAM)),
            "CAN_PORT": str(free_port(socket.SOCK_DGRAM)),
            "STATE_DIRECTORY": str(tmp_path / "charge-points"),
        }
    )
    async with replicas(tmp_path, ocpp_port=ocpp_port) as both, asyncio.timeout(60):
        process.start()
        try:
            while True:
                found = await _connected(both)
                if len(found) == len(held):
                    break
                await asyncio.sleep(0.1)
        finally:
            process.kill()
        assert found == held
        for replica in both:
            assert "connection_refused" not in replica.bench.system_events()


async def _connected(all_of_them):
    """Return who is connected where."""
    return {
        one["charge_point_id"]: number
        for number, replica in enumerate(all_of_them)
        for one in (await replica.http.get("/api/charge-points", headers=OWN)).json()
        if one["connected"]
    }


@pytest.mark.parametrize("asked", [0, 1])
async def test_a_command_finds_the_connection_whoever_is_asked(both, asked):
    async with (
        charge_point(both[0].bench, AT_0, ENROLMENT) as first,
        charge_point(both[1].bench, AT_1, ENROLMENT) as second,
    ):
        for name, charge in ((AT_0, first), (AT_1, second)):
            body = {"action": "GetConfiguration", "payload": {}}
            answer = await both[asked].http.post(f"/api/charge-points/{name}/commands", json=body)
            assert (answer.status_code, answer.json()["outcome"]) == (200, "Answered")
            assert charge.actions == ["GetConfiguration"]


async def test_who_is_not_admitted_here_is_asked_nowhere(both):
    """The guard stands before it."""
    async with charge_point(both[1].bench, AT_1, ENROLMENT) as charge:
        answer = await both[0].http.post(
            f"/api/charge-points/{AT_1}/commands",
            json={"action": "GetConfiguration", "payload": {}},
            headers={TOKEN_HEADER: "guess"},
        )
        assert (answer.status_code, charge.actions) == (403, [])


async def test_an_error_comes_back_as_it_was_said(both):
    """Of a charge point that nobody knows, and of a command that its charge point's holder refuses."""
    answer = await both[0].http.get("/api/charge-points/CP-1")
    assert (answer.status_code, answer.json()["detail"]) == (404, "'CP-1' never connected")


async def test_what_was_forwarded_is_not_forwarded_again(both):
    """Two that disagree about who holds what would send it around for ever."""
    async with charge_point(both[1].bench, AT_1, ENROLMENT):
        headers = {FORWARDED_HEADER: "1"}
        assert (await both[0].http.get(f"/api/charge-points/{AT_1}", headers=headers)).status_code == 404
        assert (await both[1].http.get(f"/api/charge-points/{AT_1}", headers=headers)).status_code == 200


async def test_lists_are_joined(both):
    async with (
        charge_point(both[0].bench, AT_0, ENROLMENT),
        charge_point(both[1].bench, AT_1, ENROLMENT) as charge,
    ):
        await charge.start()
        for replica in both:
            answer = await replica.http.get("/api/charge-points")
            assert [one["charge_point_id"] for one in answer.json()] == ["CP-1", "CP-2"]
            assert MISSING_HEADER not in answer.headers
            (transaction,) = (await replica.http.get("/api/transactions?active=true")).json()
            assert transaction["charge_point_id"] == AT_1
            of_one = await replica.http.get(f"/api/transactions?charge_point_id={AT_0}")
            assert of_one.json() == []
        wrong = await both[0].http.get("/api/transactions?limit=0")
        assert wrong.status_code == 422


async def test_scenarios_are_started_found_and_stopped_through_the_other(both):
    async with (
        charge_point(both[0].bench, AT_0, ENROLMENT),
        charge_point(both[1].bench, AT_1, ENROLMENT),
    ):
        body = {"scenario": "benign-charging", "charge_point_ids": [AT_1]}
        started = await both[0].http.post("/api/scenario-runs", json=body)
        assert started.status_code == 201
        run = f"/api/scenario-runs/{started.json()['run_id']}"
        assert (await both[0].http.get(run)).json()["charge_point_ids"] == [AT_1]
        assert [one["state"] for one in (await both[0].http.get("/api/scenario-runs")).json()] == ["running"]
        assert (await both[0].http.delete(run)).json()["state"] == "stopped"
        unknown = await both[0].http.get("/api/scenario-runs/nobody")
        assert unknown.status_code == 404


async def test_a_run_cannot_span_two(both):
    """Each drives its own charge points; who asks is told which."""
    body = {"scenario": "benign-charging", "charge_point_ids": [AT_0, AT_1]}
    answer = await both[0].http.post("/api/scenario-runs", json=body)
    assert answer.status_code == 422
    assert "CP-1: csms-1, CP-2: csms-0" in answer.json()["detail"]


async def test_stop_all_stops_at_all(both):
    async with (
        charge_point(both[0].bench, AT_0, ENROLMENT),
        charge_point(both[1].bench, AT_1, ENROLMENT),
    ):
        for name in (AT_0, AT_1):
            body = {"scenario": "benign-charging", "charge_point_ids": [name]}
            assert (await both[0].http.post("/api/scenario-runs", json=body)).status_code == 201
        answer = await both[1].http.post("/api/stop-all")
        assert answer.json()["stopped_runs"] == 2
        states = {run["state"] for run in (await both[0].http.get("/api/scenario-runs")).json()}
        assert states == {"stopped"}


async def test_an_id_tag_is_put_everywhere(both):
    """The lists are each replica's own; a driver charges anywhere."""
    assert (await both[0].http.put("/api/id-tags/NEW", json={})).status_code == 200
    for replica in both:
        tags = (await replica.http.get("/api/id-tags", headers=OWN)).json()
        assert [tag["id_tag"] for tag in tags] == ["BENCH", "NEW"]
    assert (await both[1].http.delete("/api/id-tags/NEW")).status_code == 204


async def test_one_that_is_away_is_named(tmp_path):
    """What it does not hold goes on."""
    async with replicas(tmp_path, count=1) as (only,), charge_point(only.bench, AT_0, ENROLMENT):
        assert (await only.http.get(f"/api/charge-points/{AT_0}")).status_code == 200
        for answer in (
            await only.http.get(f"/api/charge-points/{AT_1}"),
            await only.http.post("/api/stop-all"),
            await only.http.get("/api/scenario-runs/nobody"),
        ):
            assert answer.status_code == 502
            assert "csms-1 does not answer" in answer.json()["detail"]
        listed = await only.http.get("/api/charge-points")
        assert [one["charge_point_id"] for one in listed.json()] == [AT_0]
        assert listed.headers[MISSING_HEADER] == "csms-1"


async def test_a_body_without_end_is_refused(both):
    async def endless():
        for _ in range(5):
            yield b" " * (1 << 20)

    headers = {"Content-Type": "application/json"}
    answer = await both[0].http.post("/api/scenario-runs", content=endless(), headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"CSMS_REPLICAS": "2"}, "needs CSMS_PEER_URL"),
        (
            {"CSMS_REPLICAS": "2", "CSMS_REPLICA": "2", "CSMS_PEER_URL": "http://csms-{replica}:9001"},
            "CSMS_REPLICA below it",
        ),
        (
            {"CSMS_PEER_URL": "http://csms:9001"},
            "CSMS_PEER_URL: is no http:// or https:// URL with {replica}",
        ),
        ({"CSMS_REPLICAS": "22"}, "CSMS_REPLICAS: 22"),
    ],
)
def test_replicas_that_cannot_work_are_refused(environ, reason):
    with pytest.raises(SettingsError, match=reason):
        read(Settings, environ)

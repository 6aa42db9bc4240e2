"""Who may connect, who replaces whom, and that bad peers harm nobody else."""

import asyncio
import json
import logging
import time

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from contracts.events import StatusChanged, SystemEvent
from csms_parts import ENROLMENT, basic, charge_point, csms, until, websocket

HEARTBEAT = '[2,"1","Heartbeat",{}]'
SUBPROTOCOLS = ["ocpp1.6"]


@pytest.fixture
async def bench(tmp_path):
    async with csms(tmp_path) as running:
        yield running


async def refusal(bench, path="/CP-1", **options):
    """Return the response with which a connection is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(bench.url + path, **{"subprotocols": SUBPROTOCOLS, "proxy": None, **options}):
            pass
    return refused.value.response


async def heartbeat(opened):
    await opened.send(HEARTBEAT)
    return json.loads(await asyncio.wait_for(opened.recv(), 10))


@pytest.mark.parametrize(
    ("path", "options", "status", "words"),
    [
        ("/CP-1", {"origin": "http://127.0.0.1:8080"}, 403, "Origin"),
        ("/CP-1", {"subprotocols": ["ocpp2.0.1"]}, 400, "ocpp1.6"),
        ("/CP-1", {"subprotocols": None}, 400, "ocpp1.6"),
        ("/", {}, 404, "identity"),
        ("/a/b", {}, 404, "identity"),
        ("/" + "x" * 49, {}, 400, "48"),
        ("/a%00", {}, 400, "control character"),
        ("/CP-1", {"additional_headers": basic("CP-1", "wrong")}, 401, "password"),
    ],
)
async def test_a_bad_opening_is_refused_in_clear_words(bench, path, options, status, words):
    response = await refusal(bench, path, **options)
    assert response.status_code == status
    assert words in response.body.decode()
    await until(lambda: "connection_refused" in bench.system_events())


async def test_a_401_asks_for_basic_authentication(bench):
    response = await refusal(bench, additional_headers=basic("CP-1", "wrong"))
    assert response.headers["WWW-Authenticate"].startswith("Basic")


async def test_a_guarded_server_demands_a_password_from_everyone(tmp_path):
    async with csms(tmp_path, ocpp_password="theirs") as bench:
        assert (await refusal(bench)).status_code == 401
        async with websocket(bench, "CP-1", "theirs"), websocket(bench, "CP-2", ENROLMENT):
            listed = (await bench.http.get("/api/charge-points")).json()
    assert [(known["charge_point_id"], known["enrolled"]) for known in listed] == [
        ("CP-1", False),
        ("CP-2", True),
    ]


async def test_the_connections_are_bounded(tmp_path):
    async with csms(tmp_path, max_connections=1) as bench, websocket(bench, "CP-1") as first:
        assert (await refusal(bench, "/CP-2")).status_code == 503
        async with websocket(bench, "CP-1") as again:  # it replaces, so there is room
            assert (await heartbeat(again))[0] == 3
        await until(lambda: first.close_code is not None)


@pytest.mark.parametrize("password", [None, ENROLMENT])
async def test_a_newer_connection_replaces_the_older(bench, password):
    async with websocket(bench, "CP-1", password) as older, websocket(bench, "CP-1", password) as newer:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(older.recv(), 10)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "replaced by a newer connection")
        assert (await heartbeat(newer))[0] == 3
        assert "connection_replaced" in bench.system_events()
        assert "connection_closed" not in bench.system_events()
        assert [event for event in bench.events(StatusChanged) if event.status == "Offline"] == []


async def test_nobody_displaces_an_enrolled_charge_point_without_its_password(bench):
    async with websocket(bench, "CP-1", ENROLMENT) as own:
        response = await refusal(bench)
        assert response.status_code == 403
        assert "ENROLMENT_PASSWORD" in response.body.decode()
        assert (await heartbeat(own))[0] == 3
    refused = [event for event in bench.events(SystemEvent) if event.name == "connection_refused"]
    assert [(event.charge_point_id, event.detail["status"]) for event in refused] == [("CP-1", 403)]


async def test_nobody_takes_an_enrolled_identity_while_its_owner_is_away(bench):
    async with websocket(bench, "CP-1", ENROLMENT):
        pass
    assert (await refusal(bench)).status_code == 403


async def test_a_charge_point_that_enrols_replaces_a_foreign_one(bench):
    async with websocket(bench, "CP-1") as foreign, websocket(bench, "CP-1", ENROLMENT) as own:
        assert (await heartbeat(own))[0] == 3
        await until(lambda: foreign.close_code == 1008)


async def test_an_oversized_message_ends_only_its_own_connection(bench):
    async with websocket(bench, "BIG") as big, websocket(bench, "OTHER") as other:
        await big.send('[2,"1","DataTransfer",{"vendorId":"' + "x" * 70_000 + '"}]')
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(big.recv(), 10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        assert (await heartbeat(other))[0] == 3
        closing = await until(
            lambda: [event for event in bench.events(SystemEvent) if "code" in event.detail]
        )
        assert [(event.charge_point_id, event.detail["code"]) for event in closing] == [("BIG", 1009)]
        async with websocket(bench, "BIG") as again:
            assert (await heartbeat(again))[0] == 3


async def test_a_text_that_is_no_utf8_ends_only_its_own_connection(bench):
    async with websocket(bench, "BAD") as bad, websocket(bench, "OTHER") as other:
        await bad.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(bad.recv(), 10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1007
        assert (await heartbeat(other))[0] == 3


async def test_a_flood_slows_down_only_itself(bench):
    async with websocket(bench, "FLOOD") as flood, websocket(bench, "OTHER") as other:
        sending = asyncio.create_task(_flood(flood))
        await until(bench.events, "the first message of the flood")
        for _ in range(5):  # ten in a row; once more where the machine stood still meanwhile
            took_s = [await _answered_after_s(other) for _ in range(10)]
            if max(took_s) < 2.0:
                break
        assert max(took_s) < 2.0
        sending.cancel()
        received = bench.csms.connections.get("FLOOD")
        assert received is not None


async def _answered_after_s(opened):
    asked_s = time.monotonic()
    assert (await heartbeat(opened))[0] == 3
    return time.monotonic() - asked_s


async def _flood(opened):
    for _ in range(20_000):
        await opened.send(HEARTBEAT)


async def test_what_passes_of_a_flood_is_bounded(bench):
    """200 at once, then 50 a second."""
    async with websocket(bench, "FLOOD") as flood:
        begun_s = time.monotonic()
        sending = asyncio.create_task(_flood(flood))
        for _ in range(300):
            await asyncio.wait_for(flood.recv(), 10)
        assert time.monotonic() - begun_s > 1.9
        sending.cancel()


async def test_a_peer_that_leaves_pings_unanswered_is_let_go(tmp_path):
    async with csms(tmp_path, ping_interval_s=1) as bench:
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.csms.ocpp_port)
        writer.write(
            b"GET /SILENT HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        await until(lambda: bench.csms.connections.get("SILENT"))
        await until(lambda: bench.csms.connections.get("SILENT") is None)
        writer.close()


async def test_bytes_that_are_no_http_are_no_matter(bench, caplog):
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.csms.ocpp_port)
    writer.write(b"\x16\x03\x01\x00\xa5" + bytes(200) + b"\r\n\r\n")
    await asyncio.wait_for(reader.read(), 15)
    writer.close()
    async with websocket(bench, "OTHER") as other:
        assert (await heartbeat(other))[0] == 3
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_refusals_are_reported_one_by_one_only_up_to_a_pace(bench):
    for _ in range(70):
        await refusal(bench, "/")
    assert 50 <= bench.system_events().count("connection_refused") < 70


async def test_charge_points_that_a_killed_csms_left_are_told_as_offline(tmp_path):
    async with csms(tmp_path) as bench, charge_point(bench, "CP-1"):
        state = bench.csms.state
        state.charge_points.disconnected = lambda *_: None  # a SIGKILL writes nothing
    async with csms(tmp_path) as bench:
        assert [event.status for event in bench.events(StatusChanged)][-1] == "Offline"

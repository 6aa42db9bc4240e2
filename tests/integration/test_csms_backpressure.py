"""Charge points that read no answers, or give none: what they cost is bounded, and nobody waits for them."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from contracts.events import OcppMessageSeen
from csms import ocpp_server
from csms.commander import MAX_WAITING
from csms_parts import charge_point, csms, until, websocket

HEARTBEAT = '[2,"1","Heartbeat",{}]'
READ_BYTES = 262_144
"""What asyncio reads from a socket at once; it is taken apart even where the queue is full then."""
RESET = {"action": "Reset", "payload": {"type": "Soft"}}


MASK = b"\x01\x02\x03\x04"


def frame(text: bytes) -> bytes:
    masked = bytes(byte ^ MASK[index % 4] for index, byte in enumerate(text))
    return b"\x81\xfe" + len(text).to_bytes(2, "big") + MASK + masked


BULKY = frame(
    json.dumps(
        [
            2,
            "1",
            "StatusNotification",
            {"connectorId": 1, "errorCode": "NoError", "status": "\U0001f50c" * 300},
        ],
        ensure_ascii=False,
    ).encode()
)
"""Answered by an error that quotes it: a kilobyte."""


@pytest.fixture
def narrow(monkeypatch):
    """Have the kernel hold little of what is sent to a charge point: else 200 answers would fit."""
    made = ocpp_server._Socket.connection_made

    def connection_made(self, transport):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        made(self, transport)

    monkeypatch.setattr(ocpp_server._Socket, "connection_made", connection_made)


@asynccontextmanager
async def deaf(bench) -> AsyncIterator[socket.socket]:
    """Connect a charge point that sends and sends and does not read."""
    with socket.socket() as opened:
        await _open(opened, bench.csms.ocpp_port)
        sending = asyncio.create_task(_flood(opened))
        try:
            yield opened
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await sending


async def _open(opened: socket.socket, port: int) -> None:
    loop = asyncio.get_running_loop()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    opened.setblocking(False)
    await loop.sock_connect(opened, ("127.0.0.1", port))
    await loop.sock_sendall(
        opened,
        b"GET /DEAF HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n",
    )
    assert b" 101 " in await loop.sock_recv(opened, 4096)


async def _flood(opened: socket.socket) -> None:
    while True:
        await asyncio.get_running_loop().sock_sendall(opened, BULKY)


async def test_who_reads_no_answers_is_read_no_further_and_holds_up_nobody(narrow, tmp_path):
    async with (
        csms(tmp_path, ping_interval_s=600) as bench,
        websocket(bench, "OTHER") as other,
        deaf(bench) as opened,
    ):
        await until(lambda: bench.csms.connections.get("DEAF"), "the connection")
        held = bench.csms.connections.get("DEAF").peer._connection
        await until(lambda: held.paused, "the answers to fill what may wait", timeout_s=60)

        def taken() -> int:
            seen = bench.events(OcppMessageSeen)
            return sum(event.charge_point_id == "DEAF" and event.direction == "received" for event in seen)

        before = taken()
        for _ in range(10):
            asked_s = time.monotonic()
            await other.send(HEARTBEAT)
            assert json.loads(await asyncio.wait_for(other.recv(), 10))[0] == 3
            assert time.monotonic() - asked_s < 5
        # Nothing more was taken of it, and what waits in either direction is bounded.
        assert taken() == before < ocpp_server.MESSAGES_BURST
        assert held.transport.get_write_buffer_size() <= held.write_limit_high + 2048
        assert not held.transport.is_reading()
        assert len(held.recv_messages.frames) <= held.max_queue_high + READ_BYTES // len(BULKY) + 1
        # It reads again: it is answered on, nothing was dropped.
        answers = b""
        while answers.count(b'[4,"1",') <= before:
            answers += await asyncio.wait_for(asyncio.get_running_loop().sock_recv(opened, 65_536), 10)


async def test_who_answers_no_call_holds_up_nobody_and_has_a_bounded_queue(tmp_path):
    async with (
        csms(tmp_path, command_timeout_s=60) as bench,
        websocket(bench, "SILENT") as silent,
        charge_point(bench, "OTHER"),
    ):
        await until(lambda: bench.csms.connections.get("SILENT"), "the connection")

        def command(charge_point_id, body):
            return bench.http.post(f"/api/charge-points/{charge_point_id}/commands", json=body)

        asked = [asyncio.create_task(command("SILENT", RESET)) for _ in range(MAX_WAITING + 4)]
        assert json.loads(await asyncio.wait_for(silent.recv(), 10))[2] == "Reset"
        await until(lambda: sum(each.done() for each in asked) == 4, "four to be one too many")
        assert {each.result().status_code for each in asked if each.done()} == {429}
        waiting = [each for each in asked if not each.done()]
        question = {"action": "GetConfiguration", "payload": {}}
        assert (await command("OTHER", question)).json()["outcome"] == "Answered"
        await silent.send(HEARTBEAT)  # nor does it keep itself from asking
        assert json.loads(await asyncio.wait_for(silent.recv(), 10))[0] == 3
        await silent.close()
        assert {answer.json()["outcome"] for answer in await asyncio.gather(*waiting)} == {"ConnectionLost"}

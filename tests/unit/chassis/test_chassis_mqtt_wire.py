"""paho's socket, on a real connection: what is published goes past paho, all else to it, in order."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable

import pytest

from chassis.mqtt_wire import Wire

SUBACK, PINGRESP = b"\x90\x03\x00\x01\x01", b"\xd0\x00"


def published(topic: bytes, payload: bytes, number: int = 0, *, quality: int | None = None) -> bytes:
    """Return a PUBLISH: of quality of service 1 where it has a number."""
    quality = bool(number) if quality is None else quality
    body = struct.pack("!H", len(topic)) + topic + (struct.pack("!H", number) if number else b"") + payload
    length, spelled = len(body), b""
    while length >= 128:
        spelled += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bytes([0x30 | quality << 1]) + spelled + bytes([length]) + body


class Side:
    """A wire with what it handed on, and the broker's end of its connection."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            here = socket.create_connection(server.getsockname())
            self.broker, _ = server.accept()
        here.setblocking(False)
        self.broker.setblocking(False)
        self.told: list[object] = []
        self.acks: list[Callable[[], None]] = []
        self.wire = Wire(here, self._published, self._other)

    def _published(self, topic: str, payload: bytes, qos: int, ack: Callable[[], None]) -> None:
        self.told.append((topic, payload, qos))
        self.acks.append(ack)

    def _other(self) -> None:
        """Read as paho does: a byte, and then the rest; close where nothing more will come."""
        first = self.wire.recv(1)
        self.told.append(first + self.wire.recv(1000) if first else "over")
        if not first:
            self.wire.close()

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.broker, data)

    async def received(self, count: int) -> bytes:
        loop, came = asyncio.get_running_loop(), b""
        async with asyncio.timeout(30):
            while len(came) < count:
                came += await loop.sock_recv(self.broker, 1 << 20)
        return came

    async def until_told(self, count: int) -> list[object]:
        async with asyncio.timeout(30):
            while len(self.told) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        return self.told


@pytest.fixture
async def side() -> AsyncIterator[Side]:
    one = Side()
    one.wire.open(asyncio.get_running_loop())
    yield one
    one.wire.close()
    one.broker.close()


async def test_everything_is_handed_on_in_order(side: Side) -> None:
    """However it is cut: a byte at a time, or all of it at once."""
    stream = (
        SUBACK + published(b"a/b", b"one", 7) + published(b"a", b"") + PINGRESP + published(b"c", b"x" * 300)
    )
    await side.send(stream)
    at_once = list(await side.until_told(5))
    assert at_once == [SUBACK, ("a/b", b"one", 1), ("a", b"", 0), PINGRESP, ("c", b"x" * 300, 0)]
    for byte in stream:
        await side.send(bytes([byte]))
        await asyncio.sleep(0)
    assert (await side.until_told(10))[5:] == at_once


async def test_paho_is_given_packets_that_follow_each_other_together(side: Side) -> None:
    await side.send(PINGRESP * 3 + published(b"a", b"last"))
    assert await side.until_told(2) == [PINGRESP * 3, ("a", b"last", 0)]
    with pytest.raises(BlockingIOError):
        side.wire.recv(1)


@pytest.mark.parametrize(
    "odd",
    [
        published(b"a", b"x", 1, quality=2),
        published(b"a", b"x", 1, quality=3),
        published(b"", b"x"),
        published(b"\xff\xff", b"x"),
        b"\x30\x01\x00",
        b"\x30\x04\x00\x09ab",
        b"\x32\x03\x00\x01a",
        b"\x30\xff\xff\xff\xff\xff",
    ],
)
async def test_what_is_odd_is_left_to_paho(side: Side, odd: bytes) -> None:
    await side.send(odd + published(b"a", b"x"))
    assert await side.until_told(2) == [odd, ("a", b"x", 0)]


async def test_acknowledgements_go_out_together_with_what_paho_sends(side: Side) -> None:
    await side.send(published(b"a", b"", 0x1234) + published(b"a", b"") + published(b"a", b"", 5))
    await side.until_told(3)
    for ack in side.acks:
        ack()
    side.wire.send(PINGRESP)
    assert await side.received(10) == b"\x40\x02\x12\x34" + b"\x40\x02\x00\x05" + PINGRESP


async def test_what_the_peer_does_not_take_yet_is_sent_when_it_does(side: Side) -> None:
    packet = b"x" * (8 << 20)
    assert side.wire.send(packet) == len(packet)
    assert side.wire.is_full
    assert await side.received(len(packet)) == packet
    assert not side.wire.is_full


async def test_end_of_the_connection_is_told(side: Side) -> None:
    await side.send(published(b"a", b"x", 1) + b"\x30")
    side.broker.close()
    assert await side.until_told(2) == [("a", b"x", 1), "over"]


async def test_cut_connection_is_told_at_once(side: Side) -> None:
    side.wire.cut()
    assert side.told == ["over"]


async def test_closing_sends_what_was_said_before_and_nothing_afterwards(side: Side) -> None:
    await side.send(published(b"a", b"x", 1))
    await side.until_told(1)
    side.wire.send(PINGRESP)
    side.wire.close()
    side.acks[0]()
    assert await side.received(2) == PINGRESP
    assert await asyncio.get_running_loop().sock_recv(side.broker, 10) == b""

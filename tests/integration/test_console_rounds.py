"""Many multicast sockets read in rounds, on real sockets: what is heard, what is left, what a flood costs."""

import asyncio
import socket
import sys
from collections.abc import Callable
from functools import partial

import pytest

from chassis.can_bus import GROUP, LOOPBACK, open_sender
from console.multicast_rounds import MulticastRounds
from console_parts import until
from real_parts import free_port

SIZE = 1000


def sender(port: int) -> socket.socket:
    return open_sender(GROUP, port, LOOPBACK)


async def test_each_port_has_its_receiver_until_it_is_closed() -> None:
    """Ports do not mix, in the order of each; one that is closed by a datagram of another's is no harm."""
    rounds = MulticastRounds(LOOPBACK)
    ports = [free_port(socket.SOCK_DGRAM) for _ in range(3)]
    heard: list[tuple[int, bytes]] = []
    receivers = {}

    def take(port: int, datagram: bytes) -> None:
        heard.append((port, datagram))
        if datagram == b"close":
            rounds.close(receivers.pop(ports[1]))

    for port in ports:
        receive: Callable[[bytes], None] = partial(take, port)
        receivers[port] = rounds.open(port, receive)
    senders = [sender(port) for port in ports]
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(rounds.run())
        for number in range(3):
            for one in senders:
                one.send(b"%d" % number)
        await until(lambda: len(heard) == 9, what="all")
        for port in ports:
            assert [told for at, told in heard if at == port] == [b"0", b"1", b"2"]
        senders[0].send(b"close")
        await until(lambda: len(receivers) == 2, what="the close")
        senders[1].send(b"nobody hears this")
        senders[2].send(b"last")
        await until(lambda: (ports[2], b"last") in heard, what="the others")
        running.cancel()
    assert (ports[1], b"nobody hears this") not in heard
    for one in senders:
        one.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what it dropped")
async def test_what_a_flood_costs_is_counted() -> None:
    """The kernel keeps so much between two rounds; all sent is either heard or counted, also afterwards."""
    rounds = MulticastRounds(LOOPBACK)
    heard: list[bytes] = []
    port = free_port(socket.SOCK_DGRAM)
    receiver = rounds.open(port, heard.append)
    flood, sent = sender(port), 0
    while not rounds.dropped:
        flood.send(bytes(SIZE))
        sent += 1
        assert sent < 100_000
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(rounds.run())
        await until(lambda: len(heard) + rounds.dropped == sent, what="the rest")
        dropped = rounds.dropped
        rounds.close(receiver)
        assert rounds.dropped == dropped > 0
        running.cancel()
    flood.close()

"""CAN and backplane on real sockets: who hears whom, what is counted, and that nothing leaves loopback.

"Nobody hears it" is shown by what is heard next: loopback keeps the order.
"""

import asyncio
import contextlib
import resource
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import can
import msgpack
import pytest
from can.interfaces.udp_multicast.utils import pack_message, unpack_message
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chargepoint_parts import until
from chassis import can_bus, identity, own_addresses
from chassis.backplane_link import BackplaneLink
from chassis.can_bus import (
    GROUP,
    LOOPBACK,
    MulticastBus,
    RawFrame,
    datagram,
    open_receiver,
    open_sender,
    unpack,
)
from chassis.can_link import QUEUE_FRAMES, CanLink, open_bus
from chassis.own_addresses import OwnAddresses
from chassis.process import every
from contracts import backplane
from contracts.backplane import Lease, Offer
from contracts.can_frames import Current, SetLimit, Start
from real_parts import free_port

OTHER_GROUP = "239.74.163.3"
MARKER = RawFrame(0x300, b"\x63\x00")


@pytest.fixture
def port() -> int:
    return free_port(socket.SOCK_DGRAM)


@pytest.fixture
def wire(port: int) -> Iterator[socket.socket]:
    """A foreign node's socket: what it sends is on the bus."""
    with open_sender(GROUP, port, LOOPBACK) as sender:
        yield sender


def packed(can_id: int, data: bytes = b"", **others: bool) -> bytes:
    return pack_message(can.Message(arbitration_id=can_id, data=data, is_extended_id=False, **others))


def send_marker(wire: socket.socket) -> None:
    wire.send(packed(MARKER.can_id, MARKER.data))


async def heard(link: CanLink) -> RawFrame:
    async with asyncio.timeout(5):
        return await anext(link.frames())


async def heard_until_marker(link: CanLink) -> list[RawFrame]:
    frames = []
    while (frame := await heard(link)) != MARKER:
        frames.append(frame)
    return frames


def bus_heard(bus: can.BusABC) -> list[int]:
    """Return the identifiers of what waits, in order."""
    found = []
    while message := bus.recv(0.2):
        found.append(message.arbitration_id)
    return found


async def test_frame_is_heard_by_the_others_and_not_by_its_sender(port: int) -> None:
    async with CanLink(open_bus(port)) as one, CanLink(open_bus(port)) as other:
        assert one.send(SetLimit(300)) == RawFrame(0x210, b"\x2c\x01")
        assert await heard(other) == RawFrame(0x210, b"\x2c\x01")
        other.send(Current(99))
        assert await heard_until_marker(one) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback has one address")
def test_on_loopback_ones_own_frames_do_not_even_arrive(port: int) -> None:
    with MulticastBus(port=port) as one, MulticastBus(port=port) as other:
        one.put(0x200, b"")
        other.put(0x201, b"")
        assert RawFrame(0x201, b"") == unpack(one._receiver.recv(4096))
        assert one.read(1) == []
        assert other.read(2) == [RawFrame(0x200, b"")]


def test_where_no_address_is_to_be_had_ones_own_frames_are_passed_over(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a network other than loopback."""
    monkeypatch.setattr(own_addresses, "_TRIES", 0)
    monkeypatch.setattr(can_bus, "_OWN", OwnAddresses())
    with MulticastBus(port=port) as one, MulticastBus(port=port) as other:
        one.put(0x200, b"")
        other.put(0x201, b"")
        assert one.read(2) == [RawFrame(0x201, b"")]
        assert other.read(2) == [RawFrame(0x200, b"")]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback has one address")
def test_a_process_has_as_many_addresses_as_nodes_on_one_bus() -> None:
    """However many buses: the kernel compares each packet of the group with all of them."""
    own = OwnAddresses()
    buses = [(can_bus.GROUP, port) for port in range(50)]
    assert len({own.take(bus) for bus in buses}) == 1
    second = own.take(buses[0])
    assert second != own.take(buses[0])
    own.give_back(buses[0], second)
    assert own.take(buses[0]) == second
    assert own.take(buses[1]) in {second, *own._held}
    assert len(own._held) == 3
    own.close()


def test_a_node_that_is_closed_twice_leaves_the_next_its_address(port: int) -> None:
    closed = MulticastBus(port=port)
    closed.shutdown()
    with MulticastBus(port=port) as one:
        closed.shutdown()
        with MulticastBus(port=port) as other:
            one.put(0x200, b"")
            assert other.read(1) == [RawFrame(0x200, b"")]


async def test_buses_are_isolated_by_port(port: int) -> None:
    async with (
        CanLink(open_bus(port)) as listener,
        CanLink(open_bus(free_port(socket.SOCK_DGRAM))) as elsewhere,
        CanLink(open_bus(port)) as neighbour,
    ):
        elsewhere.send(Start())
        neighbour.send(Current(99))
        assert await heard_until_marker(listener) == []


async def test_two_groups_on_one_port_are_isolated(port: int) -> None:
    """Linux delivers to a socket every group that any socket of the host joined, unless told otherwise."""
    async with (
        CanLink(open_bus(port)) as listener,
        CanLink(open_bus(port, group=OTHER_GROUP)) as elsewhere,
        CanLink(open_bus(port)) as neighbour,
    ):
        elsewhere.send(Start())
        neighbour.send(Current(99))
        assert await heard_until_marker(listener) == []


MALFORMED = {
    "nothing": b"",
    "text": b"hello",
    "half a frame": packed(0x300, b"ab")[:-5],
    "no map": msgpack.packb([1, 2, 3]),
    "an empty map": msgpack.packb({}),
    "an identifier of 30 bits": packed(0x300).replace(b"\xcd\x03\x00", b"\xce\x20\x00\x00\x00"),
    "an identifier of 12 bits in a classic frame": packed(0x300).replace(b"\xcd\x03\x00", b"\xcd\x08\x00"),
    "a negative identifier": packed(0x300).replace(b"\xcd\x03\x00", b"\xff"),
    "a fraction of an identifier": packed(0x300).replace(b"\xcd\x03\x00", b"\xcb" + struct.pack(">d", 768.5)),
    "data of a gigabyte, asked for by its length": packed(0x300).replace(
        b"\xa4data\xc4\x00", b"\xa4data\xce\x40\x00\x00\x00"
    ),
    "nine bytes": packed(0x300, b"12345678").replace(b"\xc4\x0812345678", b"\xc4\x09123456789"),
    "a length that is not the data's": packed(0x300, b"ab").replace(b"\xa3dlc\x02", b"\xa3dlc\x03"),
    "CAN FD": packed(0x300, b"x" * 64, is_fd=True),
    "an error frame": packed(0x300, is_error_frame=True),
    "a remote frame of an identifier that starts": packed(0x200, is_remote_frame=True),
    "deep nesting": b"\x91" * 4000,
    "4096 bytes": bytes(4096),
    "20,000 bytes": bytes(20_000),
}


async def test_who_listens_is_called_in_order_what_waited_before_included(port: int) -> None:
    called: list[RawFrame] = []
    async with CanLink(open_bus(port)) as link, CanLink(open_bus(port)) as other:
        other.send(Current(1))
        await until(lambda: link.tally.received == 1, "the first frame")
        listening = asyncio.create_task(link.listen(called.append))
        await asyncio.sleep(0)
        for current_a in range(2, 99):
            other.send(Current(current_a))
        other.send(Current(99))
        await until(lambda: MARKER in called, "the last frame")
        listening.cancel()
    assert called == [RawFrame(0x300, bytes((current_a, 0))) for current_a in range(1, 100)]


async def test_what_a_listener_raises_ends_its_listening(port: int) -> None:
    def hear(raw: RawFrame) -> None:
        raise KeyError(raw.can_id)

    async with CanLink(open_bus(port)) as link, CanLink(open_bus(port)) as other:
        listening = asyncio.create_task(link.listen(hear))
        await asyncio.sleep(0)
        other.send(Start())
        with pytest.raises(KeyError, match="512"):
            async with asyncio.timeout(5):
                await listening
        other.send(Current(99))
        assert await heard_until_marker(link) == [], "whoever comes next hears what comes next"


@pytest.mark.parametrize("case", MALFORMED)
async def test_what_is_no_classic_frame_is_counted_and_the_bus_goes_on(
    port: int, wire: socket.socket, case: str
) -> None:
    assert MALFORMED[case] not in {packed(0x300), packed(0x300, b"ab")}, "the case is no case"
    async with CanLink(open_bus(port)) as link:
        wire.send(MALFORMED[case])
        send_marker(wire)
        assert await heard_until_marker(link) == []
        assert (link.malformed, link.dropped) == (1, 0)


async def test_python_can_reads_what_we_send(port: int) -> None:
    with open_receiver(GROUP, port, LOOPBACK) as receiver:
        async with CanLink(open_bus(port)) as link:
            link.send(SetLimit(300))
        receiver.settimeout(5)
        message = unpack_message(receiver.recv(4096), check=True)
    assert (message.arbitration_id, message.data, message.is_extended_id) == (0x210, b"\x2c\x01", False)


@given(st.integers(0, 0x7FF), st.binary(max_size=8))
def test_what_is_put_on_a_bus_is_what_python_can_packs(can_id: int, data: bytes) -> None:
    assert datagram(can_id, data) == packed(can_id, data)


async def test_we_read_what_python_can_sends(port: int, wire: socket.socket) -> None:
    async with CanLink(open_bus(port)) as link:
        extended = can.Message(
            arbitration_id=0x18FF50E5, data=b"12345678", timestamp=time.time(), channel="x"
        )
        wire.send(pack_message(extended))
        assert await heard(link) == RawFrame(0x18FF50E5, b"12345678", extended=True)


def test_python_cans_tools_find_the_interface_by_name(port: int) -> None:
    with can.Bus(interface="chargebench", channel=GROUP, port=port) as one, MulticastBus(port=port) as other:
        assert isinstance(one, MulticastBus)
        one.send(can.Message(arbitration_id=0x201, is_extended_id=False))
        assert bus_heard(other) == [0x201]
        assert bus_heard(one) == []
        assert str(port) in str(one)


def test_waiting_bus_returns_in_time_and_wakes_for_a_frame(port: int, wire: socket.socket) -> None:
    with MulticastBus(port=port) as bus:
        started_s = time.monotonic()
        assert bus.recv(0.05) is None
        assert 0.04 < time.monotonic() - started_s < 2
        wire.send(packed(0x200))
        message = bus.recv(None)
        assert message is not None
        assert message.arbitration_id == 0x200


def test_bus_works_beyond_1024_open_files(port: int) -> None:
    """A fleet in one process has more; `select` would refuse."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < 2048:
        pytest.skip(f"this machine allows {most} open files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, most))
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(1100):
                stack.enter_context(Path("/dev/null").open("rb"))
            one = stack.enter_context(MulticastBus(port=port))
            other = stack.enter_context(MulticastBus(port=port))
            assert one.fileno() > 1024
            other.send(can.Message(arbitration_id=0x200, is_extended_id=False))
            message = one.recv(5)
            assert message is not None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_flood_is_counted_as_dropped_and_the_loop_goes_on(port: int, wire: socket.socket) -> None:
    """Nobody takes the frames: the queue fills, the rest is counted, everything else keeps its turn."""
    longest_pause_s = 0.0

    async def ticking() -> None:
        nonlocal longest_pause_s
        last_s = time.process_time()
        while True:
            await asyncio.sleep(0.001)
            # By this process's own work: a turn that the machine gives to others is no pause of ours.
            longest_pause_s = max(longest_pause_s, time.process_time() - last_s)
            last_s = time.process_time()

    flood = packed(0x200)
    async with CanLink(open_bus(port)) as link:
        ticker = asyncio.create_task(ticking())
        async with asyncio.timeout(30):
            while link.dropped < 5000:
                for _ in range(200):
                    wire.send(flood)
                await asyncio.sleep(0)
        ticker.cancel()
        assert longest_pause_s < 0.5
        for _ in range(QUEUE_FRAMES):
            assert await heard(link) == RawFrame(0x200, b"")
        # The kernel's buffer is still full of the flood, so that the first of these may be lost.
        later = asyncio.create_task(every(0.02, partial(send_marker, wire)))
        await heard_until_marker(link)
        later.cancel()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what it dropped")
def test_what_the_kernel_has_no_room_for_is_counted_also_afterwards(port: int, wire: socket.socket) -> None:
    flood, sent, read = packed(0x200), 0, 0
    with MulticastBus(port=port) as bus:
        while not bus.dropped:
            wire.send(flood)
            sent += 1
            assert sent < 100_000
        while frames := bus.read(1000):
            read += len(frames)
        assert read + bus.dropped == sent
        dropped = bus.dropped
    assert bus.dropped == dropped > 0


async def test_frame_that_the_kernel_refuses_is_counted(port: int) -> None:
    bus = MulticastBus(port=port)
    async with CanLink(bus) as link:
        bus._sender.close()
        link.send(Start())
        assert link.refused == 1


async def test_interface_that_goes_down_is_counted_and_the_link_goes_on(port: int) -> None:
    """As a SocketCAN interface does; the next read may work again."""

    class Flaky(can.BusABC):
        is_down = True

        def __init__(self) -> None:
            self._beneath = MulticastBus(port=port)
            self.fileno = self._beneath.fileno
            super().__init__("flaky")

        def recv(self, timeout: float | None = None) -> can.Message | None:
            if self.is_down:
                self.is_down = False
                raise can.CanOperationError("Network is down")
            return self._beneath.recv(timeout)

        def send(self, msg: can.Message, timeout: float | None = None) -> None:
            raise can.CanOperationError("No buffer space available")

        def shutdown(self) -> None:
            super().shutdown()
            self._beneath.shutdown()

    async with CanLink(Flaky()) as link, CanLink(open_bus(port)) as other:
        other.send(Current(99))
        assert await heard(link) == MARKER
        assert link.malformed == 1
        link.send(Start())
        assert link.refused == 1


async def test_closed_link_has_let_go(port: int) -> None:
    bus = MulticastBus(port=port)
    async with CanLink(bus):
        pass
    assert bus.fileno() == -1
    bus.shutdown()


# What stays on loopback, and what does not come in from elsewhere.


def test_sender_is_bound_to_loopback(port: int) -> None:
    with open_sender(GROUP, port, LOOPBACK) as sender:
        assert sender.getsockname()[0] == LOOPBACK
        assert sender.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, 4) == socket.inet_aton(LOOPBACK)
        assert sender.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 1


def test_receiver_joins_on_loopback_only(port: int) -> None:
    """As the kernel tells it: /proc/net/igmp lists a device's groups below it, as hexadecimal numbers."""
    group = f"239.1.{port >> 8}.{port & 255}"  # nobody else's
    number = f"{struct.unpack('=I', socket.inet_aton(group))[0]:08X}"
    with open_receiver(group, port, LOOPBACK):
        device, found = "", []
        for line in Path("/proc/net/igmp").read_text(encoding="ascii").splitlines():
            if not line.startswith("\t"):
                device = line.split()[1]
            elif line.split()[0] == number:
                found.append(device)
    assert found == ["lo"]


async def test_unicast_datagram_drives_nobody(port: int) -> None:
    """Any host of the network could send one; only the group is listened to."""
    async with CanLink(open_bus(port)) as link, CanLink(open_bus(port)) as neighbour:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(packed(0x200), (LOOPBACK, port))
            neighbour.send(Current(99))
        assert await heard_until_marker(link) == []


async def test_frame_on_another_interface_drives_nobody(port: int) -> None:
    addresses = identity.own_addresses()
    if not addresses:
        pytest.skip("this machine has no interface but loopback")
    async with CanLink(open_bus(port)) as link, CanLink(open_bus(port)) as neighbour:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(addresses[0]))
            stranger.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)  # not off this machine
            with contextlib.suppress(OSError):  # an interface that is down sends nothing anyway
                stranger.sendto(packed(0x200), (GROUP, port))
            neighbour.send(Current(99))
        assert await heard_until_marker(link) == []


@pytest.mark.parametrize(
    ("group", "interface"),
    [
        (GROUP, "0.0.0.0"),
        (GROUP, "192.0.2.254"),
        (GROUP, "nowhere"),
        (GROUP, ""),
        ("127.0.0.1", LOOPBACK),
        ("ff15:7079:7468:6f6e:6465:6d6f:6d63:6173", LOOPBACK),
    ],
)
def test_bus_that_cannot_be_is_named(port: int, group: str, interface: str) -> None:
    """Not opened on whatever interface the default route has."""
    with pytest.raises(can.CanInitializationError, match=f"no CAN bus at {group}:{port} on {interface}"):
        MulticastBus(group, port, interface)


# The backplane.

LEASE = Lease(charge_point_id="CP-1", connector=1, bus_port=43200)
OFFER = Offer(charger_id="charger-1", bus_port=43200, attached=False)


@pytest.fixture
async def links(port: int) -> AsyncIterator[tuple[BackplaneLink, BackplaneLink]]:
    async with BackplaneLink(port) as one, BackplaneLink(port) as other:
        yield one, other


async def said(link: BackplaneLink) -> backplane.Datagram:
    async with asyncio.timeout(5):
        return await anext(link.datagrams())


async def test_lease_and_offer_are_heard_by_everybody(links: tuple[BackplaneLink, BackplaneLink]) -> None:
    one, other = links
    one.send(LEASE)
    other.send(OFFER)
    for link in links:
        assert [await said(link), await said(link)] == [LEASE, OFFER]


async def test_what_is_said_at_one_moment_goes_in_packets_that_a_network_takes(
    port: int, links: tuple[BackplaneLink, BackplaneLink]
) -> None:
    leases = [replace(LEASE, bus_port=43200 + number) for number in range(100)]
    longest = replace(LEASE, charge_point_id="\u20ac" * 255)
    one, other = links
    with open_receiver(GROUP, port, LOOPBACK) as network:
        for lease in (*leases, longest, OFFER):
            one.send(lease)
        assert [await said(other) for _ in range(102)] == [*leases, longest, OFFER]
        packets = []
        with contextlib.suppress(BlockingIOError):
            while True:
                packets.append(network.recv(65536))
    assert max(map(len, packets)) <= 1400
    assert len(packets) < 12


async def test_malformed_datagrams_are_counted_and_the_backplane_goes_on(
    port: int, wire: socket.socket, links: tuple[BackplaneLink, BackplaneLink]
) -> None:
    one, other = links
    for payload in (b"", b"{}", b"\xff", packed(0x200), b'{"type":"lease"}', b"[" * 60_000):
        wire.send(payload)
    other.send(OFFER)
    assert await said(one) == OFFER
    assert one.malformed == 6


async def test_backplane_flood_is_dropped_and_counted(port: int) -> None:
    async with BackplaneLink(port) as one, BackplaneLink(port) as other:
        async with asyncio.timeout(30):
            while one.dropped < 100:
                for _ in range(200):
                    other.send(LEASE)
                await asyncio.sleep(0)
        assert await said(one) == LEASE


async def test_backplane_on_no_interface_of_ours_is_refused(port: int) -> None:
    with pytest.raises(OSError, match=r"."):
        await BackplaneLink(port, "192.0.2.254").__aenter__()

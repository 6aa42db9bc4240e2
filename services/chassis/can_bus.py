"""CAN over UDP multicast as a python-can interface, the same wire format as python-can's own.

It differs from `udp_multicast` in what a bench needs: it joins and sends on one named interface only
(loopback, or a container's CAN network, never the default route), hears no echo of its own frames (as a real
controller), hears no other group on its port, and counts what was no frame instead of raising.
"""

import atexit
import contextlib
import errno
import select
import socket
import struct
import time
from functools import lru_cache
from typing import Annotated, Any

import can
import msgspec
from can.interfaces.udp_multicast.utils import pack_message
from msgspec import Meta, Struct

from chassis.own_addresses import Bus, OwnAddresses

GROUP = "239.74.163.2"
LOOPBACK = "127.0.0.1"
RECEIVE_BUFFER_BYTES = 1 << 20  # a burst of 20,000 frames lost 3 % with the kernel's default
_MAX_DATAGRAM = 4096
_IP_MULTICAST_ALL, _IP_BLOCK_SOURCE = 49, 38  # Linux; not named by the socket module
_SO_MEMINFO, _MEMINFO, _DROPS = 55, struct.Struct("9I"), 8  # likewise
_OWN = OwnAddresses()
atexit.register(_OWN.close)


def open_receiver(group: str, port: int, interface: str) -> socket.socket:
    """Return a non-blocking UDP socket that hears `group` on `port` through `interface` (an own address)."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # As python-can does, so that its own tools can sit on the same port.
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        with contextlib.suppress(OSError):  # elsewhere than on Linux the group's port alone isolates
            receiver.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        # Bound to the group, not to every address: nobody can send a frame to us by unicast from elsewhere.
        receiver.bind((group, port))
        membership = struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton(interface))
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        receiver.setblocking(False)
    except OSError:
        receiver.close()
        raise
    return receiver


def drops(receiver: socket.socket) -> int:
    """Return how many datagrams the kernel had no room for; elsewhere than on Linux nobody knows: 0."""
    try:
        told = receiver.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    except OSError:
        return 0
    return int(_MEMINFO.unpack(told)[_DROPS]) if len(told) == _MEMINFO.size else 0


def open_sender(
    group: str, port: int, interface: str, *, source: tuple[str, int] | None = None
) -> socket.socket:
    """Return a UDP socket connected to `group` that sends through `interface`, not beyond its network.

    `source`: the address from which it sends; None: any port of the interface's.
    """
    if socket.inet_aton(interface) == bytes(4):  # 0.0.0.0: the frames would leave by the default route
        raise OSError(errno.EADDRNOTAVAIL, "the address of one interface is needed")
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        sender.bind(source or (interface, 0))
        sender.connect((group, port))
        sender.setblocking(False)
    except OSError:
        sender.close()
        raise
    return sender


def open_both(
    group: str, port: int, interface: str, own: str | None = None
) -> tuple[socket.socket, socket.socket]:
    """Return a receiver and a sender; `own` is the address it sends from, whose frames it does not hear.

    Each of its own frames would wake it, to be passed over.
    """
    receiver = open_receiver(group, port, interface)
    try:
        if own is None:
            return receiver, open_sender(group, port, interface)
        sender = open_sender(group, port, interface, source=(own, 0))
        with contextlib.suppress(OSError):
            shut_out = b"".join(map(socket.inet_aton, (group, interface, own)))
            receiver.setsockopt(socket.IPPROTO_IP, _IP_BLOCK_SOURCE, shut_out)
    except OSError:
        receiver.close()
        raise
    return receiver, sender


class Datagram(Struct, frozen=True):
    """A frame as python-can packs it, as far as classic CAN goes. Strict: it comes from anybody."""

    timestamp: float
    arbitration_id: Annotated[int, Meta(ge=0, le=0x1FFFFFFF)]
    is_extended_id: bool
    is_remote_frame: bool
    is_error_frame: bool
    is_fd: bool
    dlc: int
    data: Annotated[bytes, Meta(max_length=8)]


class RawFrame(Struct, frozen=True, gc=False):
    """A frame as it was on the bus: 11- or 29-bit identifier and up to 8 bytes."""

    can_id: int
    data: bytes
    extended: bool = False


_DECODER = msgspec.msgpack.Decoder(Datagram)


def unpack(payload: bytes) -> RawFrame | None:
    """Return the classic CAN data frame in a datagram, or None where there is none."""
    try:
        frame = _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    is_other_kind = frame.is_remote_frame or frame.is_error_frame or frame.is_fd
    has_fitting_id = frame.is_extended_id or frame.arbitration_id <= 0x7FF
    if is_other_kind or not has_fitting_id or frame.dlc != len(frame.data):
        return None
    return RawFrame(frame.arbitration_id, frame.data, frame.is_extended_id)


@lru_cache(4096)
def _around(can_id: int, length: int) -> tuple[bytes, bytes]:
    """Return what python-can packs before and after so many bytes of an 11-bit identifier's data."""
    message = can.Message(arbitration_id=can_id, data=bytes(length), is_extended_id=False)
    name = b"\xa4data\xc4" + bytes([length])
    before, _, after = pack_message(message).partition(name + bytes(length))
    return before + name, after


def datagram(can_id: int, data: bytes) -> bytes:
    """Return what python-can packs a classic frame of an 11-bit identifier into."""
    before, after = _around(can_id, len(data))
    return before + data + after


class MulticastBus(can.BusABC):
    """One CAN bus: a UDP port of the group `channel`, on one network interface.

    `malformed` counts datagrams that were no classic CAN data frame; `refused` counts frames that the kernel
    would not take. `read` and `put` are for nodes of many buses: a can.Message costs more than its frame.
    """

    def __init__(
        self, channel: str = GROUP, port: int = 43113, interface_address: str = LOOPBACK, **kwargs: Any
    ) -> None:
        """Open the bus, or raise can.CanInitializationError naming group, port and interface."""
        self._bus: Bus = (channel, port)
        self._own: str | None = None
        if interface_address == LOOPBACK:
            with contextlib.suppress(OSError):  # a system whose loopback has one address
                self._own = _OWN.take(self._bus)
        try:
            self._receiver, self._sender = open_both(channel, port, interface_address, self._own)
        except OSError as error:
            self._give_back()
            raise can.CanInitializationError(
                f"no CAN bus at {channel}:{port} on {interface_address}: {error.strerror or error}"
            ) from error
        self._own_address = self._sender.getsockname()
        self.malformed = 0
        self.refused = 0
        self._dropped = 0
        self.channel_info = f"{channel}:{port} on {interface_address}"
        self._can_protocol = can.CanProtocol.CAN_20
        super().__init__(channel, **kwargs)

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        if timeout != 0:  # poll, not select: a fleet has more than 1024 sockets
            readable = select.poll()
            readable.register(self._receiver, select.POLLIN)
            readable.poll(None if timeout is None else max(0.0, timeout) * 1000)
        try:
            frame = self._heard()
        except BlockingIOError:
            return None, False
        if frame is None:
            return None, False
        message = can.Message(
            timestamp=time.time(),  # when it was heard, as every CAN interface does
            arbitration_id=frame.can_id,
            is_extended_id=frame.extended,
            data=frame.data,
        )
        return message, False

    def read(self, most: int) -> list[RawFrame]:
        """Return the frames that wait, of `most` datagrams: all at once and without a can.Message each."""
        frames: list[RawFrame] = []
        for _ in range(most):
            try:
                frame = self._heard()
            except BlockingIOError:
                break
            except OSError:  # an interface that went down; it may come back
                self.malformed += 1
                break
            if frame is not None:
                frames.append(frame)
        return frames

    def _heard(self) -> RawFrame | None:
        """Return the frame of the next datagram, None where it is our own or holds none; raise OSError."""
        payload, sender = self._receiver.recvfrom(_MAX_DATAGRAM)
        if sender == self._own_address:
            return None
        frame = unpack(payload)
        if frame is None:
            self.malformed += 1
        return frame

    def put(self, can_id: int, data: bytes) -> None:
        """Send a classic frame of an 11-bit identifier as `send` does, without a can.Message."""
        self._put(datagram(can_id, data))

    def send(self, msg: can.Message, timeout: float | None = None) -> None:  # noqa: ARG002 - never blocks
        """Send a frame to every node of the bus but ourselves; a frame that the kernel refuses is counted."""
        self._put(pack_message(msg))

    def _put(self, payload: bytes) -> None:
        try:
            self._sender.send(payload)
        except OSError:
            # A bus without a listener or without room: CAN has no acknowledgement to tell us either.
            self.refused += 1

    @property
    def dropped(self) -> int:
        """Frames that the kernel had no room for, since they came faster than they were read."""
        return self._dropped + drops(self._receiver)

    def fileno(self) -> int:
        """Return the receiving socket, for an event loop's reader."""
        return self._receiver.fileno()

    def shutdown(self) -> None:
        """Close both sockets; calling it again does nothing."""
        super().shutdown()
        self._dropped = self.dropped
        self._receiver.close()
        self._sender.close()
        self._give_back()

    def _give_back(self) -> None:
        if self._own is not None:
            _OWN.give_back(self._bus, self._own)
            self._own = None

"""When frames were sent: the kernel's stamp of each datagram on the buses of a sample of charge points."""

import selectors
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from chassis.can_bus import GROUP, LOOPBACK, open_receiver, unpack
from contracts.can_frames import CURRENT_ID, STATUS_ID

_SO_TIMESTAMPNS = 35  # Linux; the socket module does not name it
_TIMESPEC = struct.Struct("@ll")
_MAX_DATAGRAM = 4096


@dataclass(frozen=True, slots=True)
class Sent:
    """A 0x300 at the instant it was sent (Unix time), named by the 0x302 before it, which has a counter."""

    charge_point_id: str
    status: str
    """Its eight bytes in hexadecimal; they come again after 256 readings."""
    at_s: float


class Ears:
    """Listens while inside. Reading late does no harm: the kernel stamps a datagram as it is sent."""

    def __init__(self, buses: Mapping[str, int]) -> None:
        self._sent: list[Sent] = []
        self._status: dict[str, str] = {}
        self._ended = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._listen, name="ears")
        for charge_point_id, port in buses.items():
            receiver = open_receiver(GROUP, port, LOOPBACK)
            receiver.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self._selector.register(receiver, selectors.EVENT_READ, charge_point_id)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def sent(self, since_s: float, until_s: float) -> list[Sent]:
        """Return what was sent between two instants of Unix time."""
        return [sent for sent in list(self._sent) if since_s <= sent.at_s < until_s]

    def _listen(self) -> None:
        while not self._ended.is_set():
            for key, _ in self._selector.select(timeout=0.2):
                self._read(key.fileobj, key.data)  # type: ignore[arg-type]

    def _read(self, receiver: socket.socket, charge_point_id: str) -> None:
        while True:
            try:
                datagram, ancillary, _, _ = receiver.recvmsg(_MAX_DATAGRAM, 64)
            except BlockingIOError:
                return
            frame = unpack(datagram)
            if frame is None:
                continue
            if frame.can_id == STATUS_ID:
                self._status[charge_point_id] = frame.data.hex()
            elif frame.can_id == CURRENT_ID:
                status = self._status.pop(charge_point_id, None)
                if status is not None:
                    self._sent.append(Sent(charge_point_id, status, _stamp_s(ancillary)))


def _stamp_s(ancillary: list[tuple[int, int, bytes]]) -> float:
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack(content[: _TIMESPEC.size])
            return float(seconds + nanoseconds / 1e9)
    raise OSError("the kernel gives no time with a datagram (SO_TIMESTAMPNS); this is measured on Linux only")

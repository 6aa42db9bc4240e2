"""A CAN bus for asyncio: frames in by an async iterator, frames out by `send`, everything lost counted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Never, Self

import can

from chassis.can_bus import GROUP, LOOPBACK, MulticastBus, RawFrame
from chassis.waiting import Mailbox
from contracts import can_frames
from contracts.can_frames import Frame

QUEUE_FRAMES = 4096
_DRAIN = 64  # frames read in one turn of the loop, so that a flood cannot hold it


@dataclass(frozen=True, slots=True)
class Tally:
    """How many frames passed on a bus, and how many did not."""

    received: int = 0
    sent: int = 0
    unsent: int = 0
    malformed: int = 0
    dropped: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Return both together."""
        return Tally(
            self.received + other.received,
            self.sent + other.sent,
            self.unsent + other.unsent,
            self.malformed + other.malformed,
            self.dropped + other.dropped,
        )


def open_bus(
    port: int, interface_address: str = LOOPBACK, *, group: str = GROUP, socketcan: str | None = None
) -> can.BusABC:
    """Return the bus at `port` of the multicast group, or the SocketCAN interface of that name.

    Raises can.CanInitializationError.
    """
    if socketcan is not None:
        return can.Bus(interface="socketcan", channel=socketcan)
    return MulticastBus(group, port, interface_address)


class CanLink:
    """The shell's side of a bus: an async context manager. In one task, `listen` or iterate `frames()`.

    Who listens is called as frames are read: no queue and no task's turn for each. One whose work would hold
    up the loop takes them from the queue of `frames()`.
    """

    def __init__(self, bus: can.BusABC) -> None:
        self._bus = bus
        self._queue: Mailbox[RawFrame] = Mailbox(QUEUE_FRAMES)
        self._dropped = 0
        self._received = 0
        self._sent = 0
        self._malformed = 0
        self._refused = 0
        self._hear: Callable[[RawFrame], None] = self._queue_up
        self._failed: asyncio.Future[Never] | None = None

    @property
    def malformed(self) -> int:
        """What arrived and was no classic CAN data frame, or was an error of the interface."""
        return self._malformed + getattr(self._bus, "malformed", 0)

    @property
    def dropped(self) -> int:
        """Frames that arrived while the queue, or the kernel's buffer, was full."""
        return self._dropped + getattr(self._bus, "dropped", 0)

    @property
    def refused(self) -> int:
        """Frames that the interface would not send."""
        return self._refused + getattr(self._bus, "refused", 0)

    @property
    def tally(self) -> Tally:
        """What passed so far; `sent` counts what we tried, `unsent` of these what the interface refused."""
        return Tally(self._received, self._sent, self.refused, self.malformed, self.dropped)

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._bus.fileno(), self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(ValueError, OSError):
            asyncio.get_running_loop().remove_reader(self._bus.fileno())
        self._bus.shutdown()

    def _read(self) -> None:
        try:
            for frame in self._waiting():
                self._received += 1
                self._hear(frame)
        except Exception as error:
            if self._failed is None or self._failed.done():
                raise
            self._failed.set_exception(error)

    def _waiting(self) -> Iterable[RawFrame]:
        return self._bus.read(_DRAIN) if isinstance(self._bus, MulticastBus) else self._others_waiting()

    def _others_waiting(self) -> Iterator[RawFrame]:
        for _ in range(_DRAIN):
            try:
                message = self._bus.recv(0)
            except (can.CanError, OSError):  # a SocketCAN interface that went down; it may come back
                self._malformed += 1
                return
            if message is None:
                return
            if message.is_remote_frame or message.is_error_frame or message.is_fd:
                self._malformed += 1
                continue
            yield RawFrame(message.arbitration_id, bytes(message.data), message.is_extended_id)

    def _queue_up(self, frame: RawFrame) -> None:
        if not self._queue.put(frame):
            self._dropped += 1

    async def frames(self) -> AsyncIterator[RawFrame]:
        """Yield every frame that another node sent, in order, for ever."""
        while True:
            yield await self._queue.take()

    async def listen(self, hear: Callable[[RawFrame], None]) -> None:
        """Call `hear` with every frame that another node sends, in order, until it raises something."""
        while self._queue:
            hear(await self._queue.take())
        self._failed, self._hear = asyncio.get_running_loop().create_future(), hear
        try:
            await self._failed
        finally:
            self._failed, self._hear = None, self._queue_up

    def send(self, frame: Frame) -> RawFrame:
        """Put a frame on the bus and return it as it was sent; one that the interface refuses is counted."""
        return self.send_raw(*can_frames.encode(frame))

    def send_raw(self, can_id: int, data: bytes) -> RawFrame:
        """Put any frame of an 11-bit identifier on the bus, as `send` does."""
        self._sent += 1
        if isinstance(self._bus, MulticastBus):
            self._bus.put(can_id, data)
            return RawFrame(can_id, data)
        try:
            self._bus.send(can.Message(arbitration_id=can_id, data=data, is_extended_id=False))
        except (can.CanError, OSError):
            self._refused += 1
        return RawFrame(can_id, data)

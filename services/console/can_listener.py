"""The console as a CAN node: leases on the backplane tell where the buses are, each bus is listened to."""

import asyncio
import contextlib
import logging
import math
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import can

from chassis.can_bus import unpack
from chassis.can_link import open_bus
from chassis.process import every
from chassis.terminal import plural
from console.connector import Key
from console.live import Live
from console.multicast_rounds import MulticastRounds
from contracts import backplane
from contracts.backplane import LEASE_TIMEOUT_S, Lease
from contracts.errors import MalformedDatagram

log = logging.getLogger("console")

ALWAYS_HEARD = 100
"""So many buses are listened to whoever looks: a page begins with the last minute. More cost too much."""
WATCHED_S = 30.0
"""More than that are listened to for so long after the last look, for who comes back."""
QUIET_S = 15.0
"""Without any lease for so long the backplane is opened anew: its network may have been replaced."""


class NoSuchBus(Exception):  # noqa: N818 - named after what is wrong
    """The connector's bus is not known."""


@dataclass
class _Bus:
    port: int
    leased_s: float
    receiver: socket.socket | None
    """None while nobody listens."""


class CanListener:
    """Hears a bus from its first lease until the lease ends; many of them only while somebody looks.

    It sends only what a person wants sent.
    """

    def __init__(self, live: Live, backplane_port: int, interface_address: str) -> None:
        self._live = live
        self._backplane_port = backplane_port
        self._interface = interface_address
        self._rounds = MulticastRounds(interface_address, lambda: live.pages > 0)
        self._backplane: socket.socket | None = None
        self._quiet_since_s = 0.0
        self._buses: dict[Key, _Bus] = {}
        self._listens = True
        live.on_watched.append(self._listen)
        self._trouble: str | None = None
        self._malformed = 0
        self.sent = 0
        """Frames that persons sent."""

    @property
    def buses(self) -> int:
        """How many buses are known, listened to or not."""
        return len(self._buses)

    @property
    def dropped(self) -> int:
        """Frames and leases that came faster than they could be read."""
        return self._rounds.dropped

    @property
    def malformed(self) -> int:
        """What was no datagram of ours, and frames on our identifiers that were no whole frame."""
        return self._malformed + self._live.malformed

    async def run(self) -> None:
        """Listen for ever, also while there is nothing to hear."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._rounds.run())
            tasks.create_task(every(1.0, self._look_after))

    @contextlib.contextmanager
    def sender(self, key: Key) -> Iterator[Callable[[int, bytes], None]]:
        """Give what sends a frame (11-bit identifier, data) on a connector's bus; raises NoSuchBus.

        It stays usable inside, also where the lease ends meanwhile.
        """
        bus = self._buses.get(key)
        if bus is None:
            raise NoSuchBus(f"connector {key[1]} of {key[0]} announces no CAN bus")
        try:
            opened = open_bus(bus.port, self._interface)
        except can.CanInitializationError as error:
            raise NoSuchBus(str(error)) from error

        def send(can_id: int, data: bytes) -> None:
            opened.send(can.Message(arbitration_id=can_id, data=data, is_extended_id=False))
            self.sent += 1

        with opened:
            yield send

    def _look_after(self) -> None:
        now_s = time.monotonic()
        if self._backplane is None or now_s - self._quiet_since_s > QUIET_S:
            self._open_backplane(now_s)
        for key, bus in list(self._buses.items()):
            if now_s - bus.leased_s > LEASE_TIMEOUT_S:
                self._forget(key)
        is_watched = self._live.pages or now_s - self._live.watched_s <= WATCHED_S
        if is_watched or len(self._buses) <= ALWAYS_HEARD:
            self._listen()
        else:
            self._rest()
        self._report()

    def _listen(self) -> None:
        if self._listens:
            return
        self._listens = True
        self._live.fleet.await_frames(time.time())
        for key, bus in list(self._buses.items()):
            self._open(key, bus.port, bus.leased_s)

    def _rest(self) -> None:
        """Leave the buses: thousands of frames a second would be read, and sent to us, for nobody."""
        if not self._listens:
            return
        self._listens = False
        self._live.fleet.await_frames(math.inf)
        for bus in self._buses.values():
            if bus.receiver is not None:
                self._rounds.close(bus.receiver)
                bus.receiver = None

    def _open(self, key: Key, port: int, leased_s: float) -> None:
        receiver = None
        if self._listens:
            try:
                receiver = self._rounds.open(port, partial(self._hear, key))
            except OSError as error:  # the next lease tries again
                log.warning("%s, connector %d: no bus at port %d: %s", *key, port, error)
                self._buses.pop(key, None)
                return
        self._buses[key] = _Bus(port, leased_s, receiver)

    def _forget(self, key: Key) -> None:
        receiver = self._buses.pop(key).receiver
        if receiver is not None:
            self._rounds.close(receiver)

    def _open_backplane(self, now_s: float) -> None:
        if self._backplane is not None:
            self._rounds.close(self._backplane)
            self._backplane = None
        self._quiet_since_s = now_s
        try:
            self._backplane = self._rounds.open(self._backplane_port, self._hear_backplane)
            self._trouble = None
        except OSError as error:
            self._trouble = error.strerror or str(error)

    def _hear_backplane(self, payload: bytes) -> None:
        try:
            datagrams = backplane.decode(payload)
        except MalformedDatagram:
            self._malformed += 1
            return
        for datagram in datagrams:
            if isinstance(datagram, Lease):
                self._take(datagram)

    def _take(self, lease: Lease) -> None:
        key = self._live.fleet.hear_lease(lease, time.time())
        if key is None:
            return
        now_s = self._quiet_since_s = time.monotonic()
        bus = self._buses.get(key)
        if bus is not None and bus.port == lease.bus_port:
            bus.leased_s = now_s
            return
        if bus is not None:
            self._forget(key)
        self._open(key, lease.bus_port, now_s)
        self._report()

    def _hear(self, key: Key, payload: bytes) -> None:
        frame = unpack(payload)
        if frame is None:
            self._malformed += 1
            return
        self._live.hear_can(key, frame.can_id, frame.data, time.time(), extended=frame.extended)

    def _report(self) -> None:
        where = f"UDP port {self._backplane_port} on {self._interface}"
        if self._trouble is not None:
            text = f"CAN cannot be heard ({where}): {self._trouble}."
        elif not self._buses:
            text = f"No charge point announces its bus ({where})."
        else:
            # Logged at the first of them: the others announce themselves within a second.
            buses = plural(len(self._buses), "bus", "buses")
            text = f"CAN: listening to {buses} so far." if self._listens else f"CAN: {buses}, nobody looks."
            self._live.report("can", working=True, text=text)
            return
        self._live.report("can", working=False, text=text)

"""The charger as a process of the test, a CAN tool on its bus, and who leases that bus to it."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

import can
import pytest

from chassis.can_bus import GROUP, LOOPBACK, open_receiver, open_sender
from chassis.can_link import open_bus
from contracts import backplane, can_frames
from contracts.backplane import Lease, Offer
from contracts.can_frames import Current, Frame, Keepalive, Status
from contracts.errors import MalformedDatagram


@contextmanager
def charger(*buses: int, backplane_port: int, **environ: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `python -m charger` on loopback; it must end cleanly unless the test ended it."""
    environment = {
        "PATH": os.environ["PATH"],
        "CAN_INTERFACE": LOOPBACK,
        "CAN_BACKPLANE_PORT": str(backplane_port),
        "CHARGER_BUSES": ",".join(map(str, buses)),
        **environ,
    }
    process = subprocess.Popen([sys.executable, "-W", "error", "-m", "charger"], env=environment)
    try:
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait(10)


class CanTool:
    """A node on a bus that sends bytes and keeps what it hears."""

    def __init__(self, bus: can.BusABC) -> None:
        self._bus = bus
        self.heard: list[Frame] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.shutdown()

    def fileno(self) -> int:
        return self._bus.fileno()

    def send(self, can_id: int, data: bytes = b"") -> None:
        self._bus.send(can.Message(arbitration_id=can_id, data=data, is_extended_id=False))

    def read(self, timeout_s: float) -> None:
        """Wait for one frame and keep it."""
        message = self._bus.recv(timeout_s)
        if message is not None:
            frame = can_frames.decode(message.arbitration_id, bytes(message.data))
            assert frame is not None
            self.heard.append(frame)

    def listen(self, seconds: float) -> list[int]:
        """Listen so long; return the currents of 0x300, in A."""
        begun, deadline_s = len(self.heard), time.monotonic() + seconds
        while (left_s := deadline_s - time.monotonic()) > 0:
            self.read(left_s)
        return [frame.current_a for frame in self.heard[begun:] if isinstance(frame, Current)]

    def until(self, condition: Callable[[Frame], bool], *, timeout_s: float = 60.0) -> Frame:
        """Return the next frame that meets the condition; fail when none comes in time."""
        begun, deadline_s = len(self.heard), time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            self.read(0.1)
            for frame in self.heard[begun:]:
                if condition(frame):
                    return frame
            begun = len(self.heard)
        pytest.fail(f"no such frame in {timeout_s:g} s; the last were {self.heard[-8:]}")

    def until_current(self, condition: Callable[[int], bool], *, timeout_s: float = 60.0) -> int:
        """Return the next current of 0x300 that meets the condition."""
        frame = self.until(
            lambda frame: isinstance(frame, Current) and condition(frame.current_a), timeout_s=timeout_s
        )
        assert isinstance(frame, Current)
        return frame.current_a

    @property
    def statuses(self) -> list[Status]:
        """Every 0x302 heard so far."""
        return [frame for frame in self.heard if isinstance(frame, Status)]


@dataclass
class Lessor:
    """A charge point's side of the backplane and its keepalives, as far as a charger sees them."""

    backplane_port: int
    bus_port: int
    charger_id: str | None = None
    leases: bool = True
    keepalives: bool = False
    offers: dict[str, Offer] = field(default_factory=dict)
    offered_at_s: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._receiver = open_receiver(GROUP, self.backplane_port, LOOPBACK)
        self._sender = open_sender(GROUP, self.backplane_port, LOOPBACK)
        self.tool = CanTool(open_bus(self.bus_port))
        self._due_s = 0.0
        self._counter = 0
        return self

    def __exit__(self, *_: object) -> None:
        self._receiver.close()
        self._sender.close()
        self.tool.__exit__()

    def send(self, payload: bytes) -> None:
        """Put any datagram on the backplane."""
        self._sender.send(payload)

    def until(
        self, condition: Callable[[], bool], *, timeout_s: float = 60.0, what: str = "the condition"
    ) -> None:
        """Renew, keep alive and listen until the condition holds; fail when it does not in time."""
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline_s:
                pytest.fail(f"waited {timeout_s:g} s in vain for {what}; last {self.tool.heard[-8:]}")
            self._turn()

    def live(self, seconds: float) -> None:
        """Go on so long."""
        end_s = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end_s, timeout_s=seconds + 10)

    def _turn(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._due_s:
            self._due_s = now_s + 0.5
            if self.leases:
                lease = Lease(
                    charge_point_id="CP-1", connector=1, bus_port=self.bus_port, charger_id=self.charger_id
                )
                self._sender.send(backplane.encode(lease))
            if self.keepalives:
                self._counter += 1
                self.tool.send(*can_frames.encode(Keepalive(self._counter)))
        ready, _, _ = select.select([self._receiver, self.tool], [], [], 0.05)
        if self._receiver in ready:
            try:
                datagrams = backplane.decode(self._receiver.recv(4096))
            except MalformedDatagram:  # what a test sent on purpose is heard here too
                return
            for datagram in datagrams:
                if isinstance(datagram, Offer):
                    self.offers[datagram.charger_id] = datagram
                    self.offered_at_s[datagram.charger_id] = time.monotonic()
        if self.tool in ready:
            self.tool.read(0)

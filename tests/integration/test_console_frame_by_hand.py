"""A frame by hand between a real bus and a CSMS that takes its time."""

import asyncio
import socket
from typing import Any

import pytest

from chassis.can_bus import LOOPBACK
from chassis.can_link import open_bus
from console.apis import Api
from console.can_listener import CanListener
from console.frame_by_hand import Frame, FrameByHand
from console.live import Live
from console_apis import ApiServer
from console_parts import Station
from real_parts import free_port, wait_until


class SlowCsms(ApiServer):
    """Puts a frame on record once the lease of its bus has ended."""

    def __init__(self, listener: CanListener) -> None:
        super().__init__()
        self._listener = listener
        self.labels = 0

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        wait_until(lambda: self._listener.buses == 0, timeout_s=2.5, what="the lease's end")
        self.labels += 1
        return 201, {"run_id": "run-1"}


async def test_a_frame_that_is_labelled_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The truth tells of no frame that never was: not even where the lease ends while the CSMS is asked."""
    monkeypatch.setattr("console.can_listener.LEASE_TIMEOUT_S", 0.5)
    backplane_port = free_port(socket.SOCK_DGRAM)
    listener = CanListener(Live(), backplane_port, LOOPBACK)
    csms = SlowCsms(listener)
    csms.start()
    station = Station("CP-1", backplane_port)
    bus = open_bus(station.lease.bus_port)
    listening = asyncio.create_task(listener.run())
    try:
        async with Api("CSMS", csms.url) as api, asyncio.timeout(10):
            while listener.buses == 0:
                station.renew()
                await asyncio.sleep(0.02)
            sent = await FrameByHand(api, listener).send(
                Frame(charge_point_id="CP-1", connector=1, can_id=0x201, data="")
            )
            message = await asyncio.to_thread(bus.recv, 5)
    finally:
        listening.cancel()
        bus.shutdown()
        station.close()
        csms.stop()
    assert (csms.labels, sent.sent) == (1, True)
    assert message is not None
    assert message.arbitration_id == 0x201

"""Injections on the real chain: broker, CSMS, charge point, charger, and the injector as a process."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chargepoint_parts import ChargePointProcess
from charger_process import charger
from chassis.can_bus import RawFrame
from chassis.can_link import CanLink, open_bus
from chassis.mqtt import Delivery, MqttLink
from contracts import injections
from contracts.can_frames import CURRENT_ID, Current
from contracts.events import OcppMessageSeen, Reading, StatusChanged, SystemEvent
from contracts.injections import (
    AnyInjection,
    Cable,
    CanFlood,
    CanFrames,
    CanReading,
    ClockShift,
    Disconnect,
    Impostor,
    Inject,
    Injected,
    MeterGain,
    ModuleSilent,
    Network,
    PresentTag,
    TransactionMessages,
    Withdraw,
)
from contracts.topics import injected_topic, injections_topic
from csms_parts import ENROLMENT, Bench, csms, until
from memorybank.detector import Place
from memorybank.detectors.charge_point_impersonation import DETECTOR
from memorybank_flow import mqtt_settings
from real_parts import Broker, free_port

pytestmark = pytest.mark.timeout(120)
CHARGE_POINT = "CP-1"


@dataclass
class Chain:
    """A charge point that charges at 300 A, and everything around it; `lab` is the injector's process."""

    csms: Bench
    mqtt: MqttLink
    told: list[Injected]
    frames: list[RawFrame]
    lab: "subprocess.Popen[bytes]"

    async def inject(self, injection: AnyInjection, *, seconds: float = 60.0) -> Inject:
        """Order an injection and wait until it began."""
        order = Inject(id=uuid4(), charge_point_id=CHARGE_POINT, seconds=seconds, injection=injection)
        self.mqtt.publish(injections_topic(CHARGE_POINT), injections.encode(order))
        await self.until_told(order, "began")
        return order

    async def until_told(self, order: Inject, phase: str) -> None:
        def is_told() -> bool:
            phases = [word.phase for word in self.told if word.id == order.id]
            assert "failed" not in phases, self.told
            return phase in phases

        await until(is_told, f"{order.injection} {phase}")

    async def withdraw(self) -> None:
        self.mqtt.publish(
            injections_topic(CHARGE_POINT), injections.encode(Withdraw(charge_point_id=CHARGE_POINT))
        )

    def currents(self) -> list[int]:
        """Every 0x300 heard since `frames` was cleared, A."""
        return [Current.layout.unpack(raw.data)[0] for raw in self.frames if raw.can_id == CURRENT_ID]

    def reported(self) -> list[Reading]:
        return [one for one in self.csms.events(Reading) if one.origin == "ocpp"]

    async def until_current(self, condition: Callable[[int], bool], what: str) -> None:
        self.frames.clear()
        await until(lambda: any(map(condition, self.currents())), what)


def injector(environ: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-W", "error", "-m", "lab"], env=environ)


async def heard(bus_port: int, frames: list[RawFrame]) -> None:
    async with CanLink(open_bus(bus_port)) as link:
        async for raw in link.frames():
            frames.append(raw)  # noqa: PERF401 - it never ends


@pytest.fixture
async def chain(tmp_path: Path, broker: Broker) -> AsyncIterator[Chain]:
    """The chain, until it charges at more than 290 A."""
    backplane_port, bus_port = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    told: list[Injected] = []
    frames: list[RawFrame] = []

    def listen(delivery: Delivery) -> None:
        delivery.ack()
        told.append(injections.decode_injected(delivery.payload))

    mqtt = MqttLink(
        mqtt_settings(broker, "csms"),
        "test",
        subscriptions=((injected_topic(CHARGE_POINT), 1),),
        on_message=listen,
    )
    async with csms(tmp_path / "csms") as bench, mqtt, asyncio.TaskGroup() as tasks:
        place = {
            "PATH": os.environ["PATH"],
            "CAN_INTERFACE": "127.0.0.1",
            "CAN_BACKPLANE_PORT": str(backplane_port),
            "CSMS_URL": bench.url,
            "CHARGE_POINT_PASSWORD": ENROLMENT,
        }
        station = ChargePointProcess(
            {
                **place,
                **broker.environ("chargepoint"),
                "CHARGE_POINT_ID": CHARGE_POINT,
                "CAN_PORT": str(bus_port),
                "STATE_DIRECTORY": str(tmp_path / "station"),
                "RECONNECT_LONGEST_S": "0.5",
            }
        )
        lab = injector({**place, **broker.environ("lab")})
        listening = tasks.create_task(heard(bus_port, frames))
        with charger(backplane_port=backplane_port):
            station.start()
            try:
                running = Chain(bench, mqtt, told, frames, lab)
                await until(lambda: mqtt.connected, "the broker")
                await until(running.currents, "a module")
                await start_charging(bench)
                await running.until_current(lambda current_a: current_a > 290, "charging")
                yield running
                if lab.poll() is None:
                    lab.send_signal(signal.SIGTERM)
                    assert lab.wait(10) == 0
                assert station.stop() == 0
            finally:
                for process in (lab, station.process):
                    if process is not None:
                        process.kill()
                        process.wait(10)
                listening.cancel()


async def start_charging(bench: Bench) -> None:
    await until(lambda: any(one.status == "Preparing" for one in bench.events(StatusChanged)), "a cable")
    body = {"action": "RemoteStartTransaction", "payload": {"connectorId": 1, "idTag": "BENCH"}}
    answer = await bench.http.post(f"/api/charge-points/{CHARGE_POINT}/commands", json=body)
    assert answer.json()["outcome"] == "Accepted"


async def test_a_rogue_node_lies_floods_and_stops_the_module(chain: Chain) -> None:
    """Forged readings stand beside true ones; a full flood keeps the module from its bus, and ends."""
    lying = await chain.inject(CanReading(gain=0.5, every_s=0.5))
    chain.frames.clear()
    await until(lambda: any(140 <= a <= 160 for a in chain.currents()), "a forged reading")
    await until(lambda: any(a > 290 for a in chain.currents()), "a true reading beside it")
    await chain.withdraw()
    await chain.until_told(lying, "ended")

    flood = await chain.inject(CanFlood(frames_per_s=200, capacity_frames_per_s=100), seconds=2.5)
    await asyncio.sleep(0.3)  # what was sent before it began
    chain.frames.clear()
    await chain.until_told(flood, "ended")
    flooding = [raw.can_id for raw in chain.frames].count(0x001)
    assert 100 < flooding < 600
    assert chain.currents() == []
    await chain.until_current(lambda _: True, "the module after the flood")

    await chain.inject(CanFrames(can_id=0x201))
    await chain.until_current(lambda current_a: current_a == 0, "the module to be stopped by the rogue")


async def test_a_module_is_silent_until_the_time_is_over_or_the_injector_dies(chain: Chain) -> None:
    """A killed injector leaves no fault behind, and charging went on meanwhile."""
    silence = await chain.inject(ModuleSilent(), seconds=2.5)
    chain.frames.clear()
    await chain.until_told(silence, "ended")
    assert chain.currents() == []
    await chain.until_current(lambda _: True, "the module's own return")

    await chain.inject(ModuleSilent(), seconds=3600)
    chain.frames.clear()
    chain.lab.kill()
    chain.lab.wait(10)
    await until(lambda: chain.currents() != [], "the module after the injector's death")


async def test_what_the_charge_point_tells_is_false_while_the_bus_stays_true(chain: Chain) -> None:
    """Meter, clock, a network that doubles; withdrawn, all is well again."""
    orders = [
        await chain.inject(MeterGain(gain=0.5)),
        await chain.inject(ClockShift(offset_s=-3600)),
        await chain.inject(Network(delay_s=0.01, duplicate_share=0.5)),
    ]
    chain.frames.clear()
    await until(
        lambda: any(
            140 < (one.current_a or 0) < 160 and (datetime.now(UTC) - one.at).total_seconds() > 3000
            for one in chain.reported()
        ),
        "a false report",
    )
    assert chain.currents()
    assert min(chain.currents()) > 290
    await chain.withdraw()
    for order in orders:
        await chain.until_told(order, "ended")
    before = len(chain.reported())
    await until(
        lambda: any((one.current_a or 0) > 290 for one in chain.reported()[before:]), "a true report again"
    )


async def test_a_cut_line_returns_with_what_was_measured_meanwhile(chain: Chain) -> None:
    """Then the driver: a tag ends the transaction, which is told twice, and the cable is pulled out."""
    cut = await chain.inject(Disconnect(), seconds=3)
    began_at = next(word.at for word in chain.told if word.id == cut.id)
    await until(lambda: "connection_closed" in chain.csms.system_events(), "the loss")
    count = len(chain.reported())
    # Before its end: afterwards what was queued comes at once.
    await until(lambda: datetime.now(UTC) - began_at > timedelta(seconds=2), "most of the cut")
    assert len(chain.reported()) == count
    await chain.until_told(cut, "ended")
    await until(
        lambda: any(0.5 < (one.at - began_at).total_seconds() < 2.5 for one in chain.reported()),
        "what was measured meanwhile",
    )
    await chain.inject(TransactionMessages(way="twice"))
    await chain.inject(PresentTag(id_tag="BENCH"), seconds=1)
    await until(lambda: len(stops(chain)) == 2, "a stop that is told twice")
    assert len(set(stops(chain))) == 1
    await chain.inject(Cable(plugged=False), seconds=1)
    await until(
        lambda: [one.status for one in chain.csms.events(StatusChanged)][-1] == "Available", "the cable"
    )


async def test_an_impostor_boots_under_the_charge_points_name(chain: Chain) -> None:
    """The charge point takes its place back each time, which is seen; withdrawn, it does not return."""
    order = await chain.inject(Impostor(every_s=2.0))
    await until(lambda: len(serials(chain, "IMPOSTOR")) >= 2, "two boots of the impostor")
    await until(lambda: "connection_replaced" in chain.csms.system_events(), "the replacement")
    state = DETECTOR.start(Place(CHARGE_POINT, 0))
    signs = [DETECTOR.step(state, event) for event in chain.csms.events(SystemEvent)]
    said = next(sign.explanation for sign in signs if sign is not None)
    assert said.startswith(f'serial number "IMPOSTOR" booted as {CHARGE_POINT}, which is "{CHARGE_POINT}"')
    await chain.withdraw()
    await chain.until_told(order, "ended")


def stops(chain: Chain) -> list[int]:
    return [
        event.payload["transactionId"]
        for event in chain.csms.events(OcppMessageSeen)
        if (event.action, event.message_type) == ("StopTransaction", "call")
    ]


def serials(chain: Chain, serial_number: str) -> list[Any]:
    return [
        event
        for event in chain.csms.events(OcppMessageSeen)
        if event.action == "BootNotification"
        and event.payload.get("chargePointSerialNumber") == serial_number
    ]

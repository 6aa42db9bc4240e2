"""The injector of a pod with several charge points performs their orders and nobody else's."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from chassis.mqtt import Delivery, MqttLink
from contracts import injections
from contracts.injections import Impostor, Inject, Injected
from contracts.topics import injected_topic, injections_topic
from memorybank_flow import mqtt_settings
from real_parts import Broker, free_port

pytestmark = pytest.mark.timeout(120)


@asynccontextmanager
async def told(broker: Broker, names: list[str]) -> AsyncIterator[tuple[MqttLink, list[Injected]]]:
    """Hear what is said of the injections at these charge points."""
    words: list[Injected] = []

    def listen(delivery: Delivery) -> None:
        delivery.ack()
        words.append(injections.decode_injected(delivery.payload))

    topics = tuple((injected_topic(name), 1) for name in names)
    mqtt = MqttLink(mqtt_settings(broker, "csms"), "test", subscriptions=topics, on_message=listen)
    async with mqtt:
        yield mqtt, words


async def test_only_the_orders_of_its_own_charge_points_are_performed(broker: Broker) -> None:
    """Orders come one after the other: what was passed over before CP-4's began stays undone."""
    environ = {
        "PATH": os.environ["PATH"],
        "CAN_INTERFACE": "127.0.0.1",
        "CSMS_URL": f"ws://127.0.0.1:{free_port()}",  # nobody: an impostor tries again and again
        "CHARGE_POINT_REPLICA": "2",
        "CHARGE_POINTS": "3",
        **broker.environ("lab"),
    }
    async with told(broker, ["CP-3", "CP-4", "CP-7"]) as (mqtt, words), asyncio.timeout(60):
        lab = await asyncio.create_subprocess_exec(sys.executable, "-W", "error", "-m", "lab", env=environ)
        try:
            while not any(word.charge_point_id == "CP-4" for word in words):
                assert lab.returncode is None
                for name in ("CP-3", "CP-7", "CP-4"):  # again, until it is there to hear them
                    order = Inject(id=uuid4(), charge_point_id=name, seconds=60, injection=Impostor())
                    mqtt.publish(injections_topic(name), injections.encode(order))
                await asyncio.sleep(0.5)
        finally:
            lab.kill()
            await lab.wait()
    assert {(word.charge_point_id, word.phase) for word in words} == {("CP-4", "began")}

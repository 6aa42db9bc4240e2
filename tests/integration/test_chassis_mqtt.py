"""The MQTT connection against a real broker: it comes, goes, refuses and hangs; the link lives on."""

import asyncio
import contextlib
import dataclasses
import logging
import socket
import time
from collections.abc import Callable

import pytest

from chassis import settings
from chassis.mqtt import Delivery, MqttLink, MqttSettings
from real_parts import Broker, free_port

TOPIC = "chargebench/v1/events/07/test"


def settings_for(broker: Broker, user: str = "csms") -> MqttSettings:
    return settings.read(MqttSettings, broker.environ(user))


async def until(condition: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"waited in vain for {what}"
        await asyncio.sleep(0.02)


def listening(broker: Broker, client_id: str, taken: list[Delivery], *, persistent: bool = False) -> MqttLink:
    return MqttLink(
        settings_for(broker, "memorybank"),
        client_id,
        subscriptions=(("chargebench/v1/events/+/+", 1),),
        on_message=taken.append,
        persistent=persistent,
    )


def break_connection(link: MqttLink) -> None:
    """As a cable that is pulled: neither end says goodbye."""
    assert link._wire is not None
    link._wire._connection.shutdown(socket.SHUT_RDWR)


async def send_once(sender: MqttLink, taken: list[Delivery]) -> None:
    """Send `hello`, once the listener's subscription is there: probes tell. They are acknowledged."""
    await until(lambda: sender.connected and sender.publish(TOPIC, b"probe") and taken, "a probe")
    assert sender.publish(TOPIC, b"hello")
    await until(lambda: hellos(taken), "the message")
    for probe in taken:
        if probe.payload == b"probe":
            probe.ack()


def hellos(taken: list[Delivery]) -> list[Delivery]:
    return [delivery for delivery in taken if delivery.payload == b"hello"]


async def test_message_arrives_in_the_loop(broker: Broker) -> None:
    taken: list[Delivery] = []
    async with listening(broker, "listener", taken), MqttLink(settings_for(broker), "sender") as sender:
        await send_once(sender, taken)
    assert [(each.topic, each.payload) for each in hellos(taken)] == [(TOPIC, b"hello")]


@pytest.mark.parametrize("length", [0, 1, 90, 127, 128, 16_300, 16_400, 300_000])
async def test_what_needs_no_acknowledgement_arrives_whatever_its_length(broker: Broker, length: int) -> None:
    """The packet's length is spelled in one to three bytes; what is retained is told to who comes later."""
    payload = bytes(index % 251 for index in range(length))
    retained = f"chargebench/v1/committed/csms/x/events/{length % 16:02d}"
    taken: list[Delivery] = []
    sender = MqttLink(settings_for(broker, "memorybank"), "sender")
    own = (("chargebench/v1/committed/csms/x/#", 0),)
    async with sender:
        await until(lambda: sender.connected, "the connection")
        assert sender.publish(retained, b"before" + payload, qos=0, retain=True)
        assert sender.publish(retained, b"it" + payload, qos=0, retain=True)
        assert sender.publish("chargebench/v1/live/anomalies/x", payload, qos=0)
        async with MqttLink(settings_for(broker), "reader", subscriptions=own, on_message=taken.append):
            await until(lambda: b"it" + payload in [one.payload for one in taken], "what is retained")
    assert {delivery.topic for delivery in taken} == {retained}


async def test_subscriptions_come_and_go(broker: Broker) -> None:
    """What is subscribed to later is heard, also after a reconnection, and no more once it is left."""
    taken: list[Delivery] = []
    listener = MqttLink(settings_for(broker, "memorybank"), "listener", on_message=taken.append)
    other = "chargebench/v1/events/08/test"
    async with listener, MqttLink(settings_for(broker), "sender") as sender:
        await until(lambda: listener.connected, "the connection")
        listener.subscribe(TOPIC, 0)
        listener.subscribe(other, 0)
        await send_once(sender, taken)
        break_connection(listener)
        await until(lambda: not listener.connected, "the loss")
        await until(lambda: listener.connected, "the return")
        taken.clear()
        await send_once(sender, taken)
        listener.unsubscribe(TOPIC)
        taken.clear()

        def is_left() -> bool:
            """Send on both; return whether the other alone is heard."""
            topics_heard = {delivery.topic for delivery in taken}
            taken.clear()
            return sender.publish(TOPIC, b"x") and sender.publish(other, b"x") and topics_heard == {other}

        await until(is_left, "silence on what was left")


async def test_without_a_broker_nothing_is_taken_and_nothing_is_fatal(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.server.stop()
    async with MqttLink(settings_for(broker), "sender") as link:
        assert not link.connected
        assert not link.publish(TOPIC, b"hello")
        await until(lambda: f"no broker answers at 127.0.0.1:{broker.port}" in caplog.text, "a word of it")
        broker.server.start()
        await until(lambda: link.connected, "the connection")
        assert link.publish(TOPIC, b"hello")


async def test_killed_broker_is_noticed_and_found_again(broker: Broker) -> None:
    connects = []
    link = MqttLink(settings_for(broker), "sender", on_connected=lambda: connects.append(1))
    async with link:
        await until(lambda: link.connected, "the connection")
        broker.server.kill()
        await until(lambda: not link.connected, "the loss to be noticed")
        broker.server.start()
        await until(lambda: link.connected, "the connection")
    assert len(connects) == 2


async def test_subscriptions_are_made_again(broker: Broker) -> None:
    taken: list[Delivery] = []
    async with listening(broker, "a", taken) as listener, MqttLink(settings_for(broker), "b") as sender:
        await until(lambda: listener.connected and sender.connected, "both connections")
        broker.server.kill()
        await until(lambda: not (listener.connected or sender.connected), "the loss to be noticed")
        broker.server.start()
        await until(lambda: listener.connected and sender.connected, "both connections")
        await until(lambda: sender.publish(TOPIC, b"hello") and taken, "the message")


@pytest.mark.parametrize(
    "wrong", [{"password": "wrong"}, {"user": "nobody"}, {"user": None, "password": None}]
)
async def test_refused_account_is_logged_and_tried_again(
    broker: Broker, caplog: pytest.LogCaptureFixture, wrong: dict[str, str | None]
) -> None:
    """The password may be put right at the broker; and nothing here ends for want of it."""
    caplog.set_level(logging.WARNING, "mqtt")
    refused = dataclasses.replace(settings_for(broker), **wrong)
    async with MqttLink(refused, "sender") as link:
        told = f"the broker at 127.0.0.1:{broker.port} does not accept {refused.user or 'us'}"
        await until(lambda: caplog.text.count(told) >= 2, "a second try")
        assert not link.connected
        assert not link.publish(TOPIC, b"hello")
    assert "wrong" not in caplog.text


async def test_unacknowledged_message_is_delivered_again(broker: Broker) -> None:
    """To the persistent session of the same client, when it comes back."""
    taken: list[Delivery] = []
    async with listening(broker, "bank", taken, persistent=True) as listener:
        async with MqttLink(settings_for(broker), "sender") as sender:
            await send_once(sender, taken)
        break_connection(listener)
        await until(lambda: len(hellos(taken)) >= 2, "the message again")


async def test_acknowledgement_of_a_lost_connection_is_not_sent_on_the_next(broker: Broker) -> None:
    """There its number may be another message's, which would then be lost."""
    taken: list[Delivery] = []
    async with listening(broker, "bank", taken, persistent=True) as listener:
        async with MqttLink(settings_for(broker), "sender") as sender:
            await send_once(sender, taken)
        break_connection(listener)
        await until(lambda: len(hellos(taken)) >= 2, "the message again")
        hellos(taken)[0].ack()
        break_connection(listener)
        await until(lambda: len(hellos(taken)) >= 3, "the message once more")


async def test_link_to_no_broker_ends_soon(broker: Broker) -> None:
    broker.server.stop()
    async with asyncio.timeout(5), MqttLink(settings_for(broker), "sender"):
        pass


async def test_link_to_a_broker_that_hangs_ends_soon() -> None:
    """It accepts the connection and never says a word."""
    port = free_port()
    accepted = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        async with asyncio.timeout(10):
            async with MqttLink(MqttSettings("127.0.0.1", port, None, None), "sender") as link:
                await until(lambda: accepted, "the connection")
                assert not link.connected
    finally:
        server.close()
        for writer in accepted:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

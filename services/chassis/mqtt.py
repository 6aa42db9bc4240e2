"""An MQTT connection for asyncio: paho's thread does the protocol, everything arrives in the loop.

`manual_ack` hands acknowledgement to the caller, so that it can follow a commit.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from chassis.settings import setting, within

log = logging.getLogger("mqtt")

IN_FLIGHT = 200
KEEPALIVE_S = 10


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Where the broker is and who we are to it."""

    host: str = setting("MQTT_HOST", "Host of the MQTT broker", default="127.0.0.1")
    port: int = setting("MQTT_PORT", "Port of the MQTT broker", default=1883, check=within(1, 65535))
    user: str | None = setting("MQTT_USER", "This service's account at the broker", default=None)
    password: str | None = setting(
        "MQTT_PASSWORD", "Password of that account, or MQTT_PASSWORD_FILE", default=None, secret=True
    )


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it arrived; `ack` tells the broker that it is dealt with (from the loop's thread)."""

    topic: str
    payload: bytes
    ack: Callable[[], None]


class MqttLink:
    """Keeps one connection to the broker for as long as it is open; reconnects by itself.

    `on_connected` and `on_message` are called in the loop. Subscriptions are made again at each connect.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        *,
        subscriptions: tuple[tuple[str, int], ...] = (),
        on_message: Callable[[Delivery], None] = lambda _: None,
        on_connected: Callable[[], None] = lambda: None,
        persistent: bool = False,
    ) -> None:
        self._settings = settings
        self._subscriptions = subscriptions
        self._on_message = on_message
        self._on_connected = on_connected
        self.connected = False
        self._connections = 0
        self._is_accepted = False
        self._is_missed = False
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=not persistent, manual_ack=True
        )
        self._client.max_inflight_messages_set(IN_FLIGHT)  # before connect, or it has no effect
        self._client.max_queued_messages_set(10_000)
        self._client.reconnect_delay_set(1, 5)
        if settings.user is not None:
            self._client.username_pw_set(settings.user, settings.password)
        self._client.on_connect = self._connected
        self._client.on_connect_fail = self._unreachable
        self._client.on_disconnect = self._disconnected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._received

    async def __aenter__(self) -> Self:
        """Start connecting; returns at once, also while the broker is away."""
        self._loop = asyncio.get_running_loop()
        self._client.connect_async(self._settings.host, self._settings.port, keepalive=KEEPALIVE_S)
        self._client.loop_start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        """Hand a message to the connection; False when it is down or its queue is full."""
        if not self.connected:
            return False
        return self._client.publish(topic, payload, qos, retain).rc == paho.MQTT_ERR_SUCCESS

    def _in_loop(self, callback: Callable[..., None], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop ended first
            self._loop.call_soon_threadsafe(callback, *args)

    def _connected(
        self, client: paho.Client, _user: object, _flags: object, reason: ReasonCode, _props: object
    ) -> None:
        if reason.is_failure:  # paho reports the disconnection next
            log.error("the broker says: %s", reason)
            return
        self._connections += 1
        self._is_accepted, self._is_missed = True, False
        if self._subscriptions:
            client.subscribe(list(self._subscriptions))
        log.info("connected to the broker at %s", self._place)
        self._in_loop(self._set_connected, True)

    def _disconnected(
        self, _client: paho.Client, _user: object, _flags: object, reason: ReasonCode, _props: object
    ) -> None:
        if reason.is_failure and self._is_accepted:
            log.warning("lost the broker: %s", reason)
        elif reason.is_failure:  # rumqttd does not say why
            log.error("the broker at %s does not accept %s", self._place, self._settings.user or "us")
        self._is_accepted = False
        self._in_loop(self._set_connected, False)

    def _unreachable(self, _client: paho.Client, _user: object) -> None:
        if not self._is_missed:
            log.warning("no broker answers at %s; trying on", self._place)
        self._is_missed = True

    @property
    def _place(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _set_connected(self, connected: bool) -> None:
        self.connected = connected
        if connected:
            self._on_connected()

    @staticmethod
    def _subscribed(
        _client: paho.Client, _user: object, _mid: int, reasons: list[ReasonCode], _props: object
    ) -> None:
        for reason in reasons:
            if reason.is_failure:
                log.error("the broker refused a subscription: %s", reason)

    def _received(self, client: paho.Client, _user: object, message: paho.MQTTMessage) -> None:
        mid, qos = message.mid, message.qos
        connection = self._connections

        def ack() -> None:
            # A later connection counts its messages anew: this number would be another message's.
            if qos > 0 and connection == self._connections:
                client.ack(mid, qos)

        self._in_loop(self._on_message, Delivery(message.topic, bytes(message.payload), ack))

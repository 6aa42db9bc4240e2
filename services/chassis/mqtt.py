"""An MQTT connection for asyncio: paho does the protocol, in the loop and without a thread of its own.

A thread would wait for the interpreter at each of its many small reads while the loop is busy. Connecting
blocks, and alone is done in one. Acknowledgement is the caller's.
"""

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, cast

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from chassis.mqtt_wire import Wire
from chassis.settings import setting, within

log = logging.getLogger("mqtt")

IN_FLIGHT = 200
KEEPALIVE_S = 10
_MISC_S = 1.0
_SHORTEST_DELAY_S, _LONGEST_DELAY_S = 1.0, 5.0
_FAREWELL_S = 2.0


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
    qos: int = 1


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
        self._subscriptions = dict(subscriptions)
        self._on_message = on_message
        self._on_connected = on_connected
        self.connected = False
        self._connections = 0
        self._is_accepted = False
        self._is_missed = False
        self._client = _Client(self._wired, client_id, clean_session=not persistent)
        self._wire: Wire | None = None
        self._client.max_inflight_messages_set(IN_FLIGHT)  # before connect, or it has no effect
        self._client.max_queued_messages_set(10_000)
        if settings.user is not None:
            self._client.username_pw_set(settings.user, settings.password)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_subscribe = self._subscribed
        self._client.on_socket_close = self._closed
        self._client.on_socket_register_write = self._wants_to_write
        self._received_now: deque[Delivery] = deque()
        self._is_ending = False
        self._stirred = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Start connecting; returns at once, also while the broker is away."""
        self._loop = asyncio.get_running_loop()
        self._client.connect_async(self._settings.host, self._settings.port, keepalive=KEEPALIVE_S)
        self._keeper = asyncio.create_task(self._keep_connected(), name="mqtt")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_ending = True
        self._stirred.set()
        await self._keeper

    async def _keep_connected(self) -> None:
        delay_s = _SHORTEST_DELAY_S
        while not self._is_ending:
            known = self._connections
            try:
                await asyncio.to_thread(self._client.reconnect)
            except OSError:
                self._unreachable()
            else:
                await self._serve()
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S) if self._connections == known else _SHORTEST_DELAY_S
            await self._rest(delay_s)

    async def _serve(self) -> None:
        """Do what the connection needs for as long as it is there, and end it when it is time."""
        wire = self._client.socket()
        if not isinstance(wire, Wire):
            return
        self._wire = wire
        wire.open(self._loop)
        self._client.loop_write()  # what its thread left: the greeting
        while self._wire is wire and not self._is_ending:
            self._client.loop_misc()
            await self._rest(_MISC_S)
        if self._wire is wire:
            self._client.disconnect()
            self._stirred.clear()
            await self._rest(_FAREWELL_S)
        if self._wire is wire:  # it does not even take the farewell
            wire.cut()

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until the connection or the link ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stirred.wait()
        if not self._is_ending:
            self._stirred.clear()

    def _wired(self, connection: socket.socket) -> Wire:
        return Wire(connection, self._received, self._client.loop_read)

    def _closed(self, *_: object) -> None:
        if self._wire is not None:
            self._wire = None
            self._stirred.set()

    def _wants_to_write(self, *_: object) -> None:
        # While one is being opened by its thread, the connection is not the loop's yet.
        if self._wire is not None:
            self._loop.call_soon(self._client.loop_write)

    def subscribe(self, topic_filter: str, qos: int) -> None:
        """Hear what is published on a filter from now on, also after each reconnection."""
        self._subscriptions[topic_filter] = qos
        if self.connected:
            self._client.subscribe(topic_filter, qos)

    def unsubscribe(self, topic_filter: str) -> None:
        """Hear a filter no longer; what is on its way may still come."""
        self._subscriptions.pop(topic_filter, None)
        if self.connected:
            self._client.unsubscribe(topic_filter)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        """Hand a message to the connection; False when it is down or its queue is full.

        The topic has no wildcards, and at quality of service 0 nobody looks whether it has.
        """
        if not self.connected or self._wire is None or self._wire.is_full:
            return False
        if qos == 0:  # nothing comes of it that paho would have to know
            self._wire.publish(topic, payload, retain=retain)
            return True
        return self._client.publish(topic, payload, qos, retain).rc == paho.MQTT_ERR_SUCCESS

    def _connected(
        self, client: paho.Client, _user: object, _flags: object, reason: ReasonCode, _props: object
    ) -> None:
        if reason.is_failure:  # paho reports the disconnection next
            log.error("the broker says: %s", reason)
            return
        self._connections += 1
        self._is_accepted, self._is_missed = True, False
        if self._subscriptions:
            client.subscribe(list(self._subscriptions.items()))
        log.info("connected to the broker at %s", self._place)
        self.connected = True
        self._loop.call_soon(self._on_connected)

    def _disconnected(
        self, _client: paho.Client, _user: object, _flags: object, reason: ReasonCode, _props: object
    ) -> None:
        if reason.is_failure and self._is_accepted:
            log.warning("lost the broker: %s", reason)
        elif reason.is_failure:  # rumqttd does not say why
            log.error("the broker at %s does not accept %s", self._place, self._settings.user or "us")
        self._is_accepted = False
        self.connected = False

    def _unreachable(self) -> None:
        if not self._is_missed:
            log.warning("no broker answers at %s; trying on", self._place)
        self._is_missed = True

    @property
    def _place(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    @staticmethod
    def _subscribed(
        _client: paho.Client, _user: object, _mid: int, reasons: list[ReasonCode], _props: object
    ) -> None:
        for reason in reasons:
            if reason.is_failure:
                log.error("the broker refused a subscription: %s", reason)

    def _received(self, topic: str, payload: bytes, qos: int, ack: Callable[[], None]) -> None:
        if not self._received_now:
            self._loop.call_soon(self._hand_on)
        self._received_now.append(Delivery(topic, payload, ack, qos))

    def _hand_on(self) -> None:
        # Not while a connection is read: what this raised there would leave the rest unread.
        try:
            while self._received_now:
                self._on_message(self._received_now.popleft())
        finally:
            if self._received_now:
                self._loop.call_soon(self._hand_on)


class _Client(paho.Client):
    """paho, given a Wire for its socket."""

    def __init__(
        self, wired: Callable[[socket.socket], Wire], client_id: str, *, clean_session: bool
    ) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=clean_session)
        self._wired = wired

    def _create_socket(self) -> Wire:
        return self._wired(cast(socket.socket, super()._create_socket()))

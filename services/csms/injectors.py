"""Orders injections from those who sit where they happen, and hears what became of them."""

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self
from uuid import UUID

from chassis.mqtt import Delivery, MqttLink, MqttSettings
from contracts import injections
from contracts.errors import MalformedInjection
from contracts.injections import Inject, Injected, Withdraw
from contracts.topics import ALL_INJECTED, injections_topic
from csms.targets import StepFailed

log = logging.getLogger("csms")

ANSWER_DEADLINE_S = 5.0
MAX_REMEMBERED = 1000
"""Injections whose end is still waited for; beyond that the oldest is forgotten."""

Told = Callable[[Injected], None]


class Injectors:
    """One link for all runs; use as an async context manager. The broker may be away at any time."""

    def __init__(self, mqtt: MqttSettings, name: str) -> None:
        self._link = MqttLink(
            mqtt,
            client_id=f"injections-{name}",
            subscriptions=((ALL_INJECTED, 1),),
            on_message=self._hear,
        )
        self._answers: dict[UUID, asyncio.Future[Injected]] = {}
        self._told: dict[UUID, Told] = {}

    async def __aenter__(self) -> Self:
        await self._link.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._link.__aexit__(kind, error, trace)

    async def begin(self, order: Inject, told: Told) -> None:
        """Order an injection and wait until it began; `told` is called with its begin and its end.

        Raises StepFailed where nobody performs it within ANSWER_DEADLINE_S, or who should cannot.
        """
        answer = self._answers[order.id] = asyncio.get_running_loop().create_future()
        self._told.pop(order.id, None)
        self._told[order.id] = told
        while len(self._told) > MAX_REMEMBERED:
            del self._told[next(iter(self._told))]
        fault = order.injection.__struct_config__.tag
        try:
            if not self._link.publish(injections_topic(order.charge_point_id), injections.encode(order)):
                raise StepFailed(f"{fault} cannot be injected: the broker is away")
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                word = await answer
        except TimeoutError:
            self._told.pop(order.id, None)
            raise StepFailed(
                f"nobody injects {fault} at {order.charge_point_id}: no answer within {ANSWER_DEADLINE_S:g} s"
            ) from None
        finally:
            del self._answers[order.id]
        if word.phase == "failed":
            raise StepFailed(f"{fault} cannot be injected: {word.reason}")

    def withdraw(self, charge_point_id: str) -> None:
        """End every injection at a charge point; what nobody hears ends by itself."""
        order = Withdraw(charge_point_id=charge_point_id)
        self._link.publish(injections_topic(charge_point_id), injections.encode(order))

    def _hear(self, delivery: Delivery) -> None:
        delivery.ack()
        try:
            word = injections.decode_injected(delivery.payload)
        except MalformedInjection as error:
            log.warning("refused a word on %s: %s", delivery.topic, error)
            return
        answer = self._answers.get(word.id)
        if answer is not None and not answer.done():
            answer.set_result(word)
        told = self._told.get(word.id)
        if told is not None:
            told(word)
        if word.phase != "began":
            self._told.pop(word.id, None)

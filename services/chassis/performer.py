"""Performs the injections that are ordered by MQTT: each begins, ends by itself, and both are told.

Who sits at a place says how one of its injections is performed: an async context manager that begins it when
entered and ends it when left, or raises CannotInject.
"""

import asyncio
import logging
from collections.abc import Callable, Container
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from chassis.mqtt import Delivery, MqttLink, MqttSettings
from contracts import injections
from contracts.errors import ContractError, MalformedInjection
from contracts.injections import Inject, Injected, InjectorPlace
from contracts.topics import injected_topic

log = logging.getLogger("injections")

MAX_AT_ONCE = 256
"""Injections under way at once in one process; a further one is refused."""


class CannotInject(ContractError):  # noqa: N818 - named after what happened
    """What was ordered cannot be done here now."""


class Performer:
    """Hears orders on `topic` and performs those of `places`. Use as an async context manager.

    On leaving, everything under way is ended. An injection that fails ends alone, and says so.
    """

    def __init__(
        self,
        mqtt: MqttSettings,
        client_id: str,
        topic: str,
        places: frozenset[InjectorPlace],
        perform: Callable[[Inject], AbstractAsyncContextManager[None]],
        *,
        charge_points: Container[str] | None = None,
    ) -> None:
        """`charge_points`: those whose orders are ours, where others hear the topic too; None: all."""
        self._link = MqttLink(mqtt, client_id, subscriptions=((topic, 1),), on_message=self._take)
        self._places = places
        self._perform = perform
        self._charge_points = charge_points
        self._under_way: dict[Inject, asyncio.Task[None]] = {}
        self.began = 0
        """Injections that began so far."""
        self.failed = 0
        self.malformed = 0
        """Messages that were no order."""

    @property
    def active(self) -> int:
        """How many are under way."""
        return len(self._under_way)

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._link.connected

    async def __aenter__(self) -> Self:
        await self._link.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await self._link.__aexit__(kind, error, trace)

    def _take(self, delivery: Delivery) -> None:
        delivery.ack()
        try:
            order = injections.decode(delivery.payload)
        except MalformedInjection as error:
            self.malformed += 1
            log.warning("refused an order on %s: %s", delivery.topic, error)
            return
        if self._charge_points is not None and order.charge_point_id not in self._charge_points:
            return
        if not isinstance(order, Inject):
            self._withdraw(order.charge_point_id)
        elif order.injection.place in self._places and not any(one.id == order.id for one in self._under_way):
            self._begin(order)

    def _begin(self, order: Inject) -> None:
        if len(self._under_way) >= MAX_AT_ONCE:
            self._fail(order, f"{MAX_AT_ONCE} injections are under way already")
            return
        task = asyncio.create_task(self._run(order), name=f"injection {order.id}")
        self._under_way[order] = task
        task.add_done_callback(lambda _: self._under_way.pop(order, None))

    def _withdraw(self, charge_point_id: str) -> None:
        for order, task in self._under_way.items():
            if order.charge_point_id == charge_point_id:
                task.cancel()

    async def _run(self, order: Inject) -> None:
        has_begun = False
        try:
            async with self._perform(order):
                has_begun = True
                self.began += 1
                log.warning(
                    "%s: injected for %g s: %s", order.charge_point_id, order.seconds, order.injection
                )
                self._tell(order, "began")
                await asyncio.sleep(order.seconds)
        except CannotInject as error:
            self._fail(order, str(error))
            return
        except Exception as error:  # whoever charges here is not to be disturbed by it
            log.exception("%s: %s", order.charge_point_id, order.injection)
            self._fail(order, f"it broke: {type(error).__name__}")
            return
        finally:
            if has_begun:
                self._tell(order, "ended")

    def _fail(self, order: Inject, reason: str) -> None:
        self.failed += 1
        log.warning("%s: cannot inject %s: %s", order.charge_point_id, order.injection, reason)
        self._tell(order, "failed", reason)

    def _tell(self, order: Inject, phase: injections.Phase, reason: str = "") -> None:
        word = Injected(
            id=order.id,
            charge_point_id=order.charge_point_id,
            phase=phase,
            at=datetime.now(UTC),
            reason=reason[:500],
        )
        self._link.publish(injected_topic(order.charge_point_id), injections.encode(word))

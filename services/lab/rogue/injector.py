"""Performs the injections beside a charge point: on its buses, at its modules, at the CSMS."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import can

from chassis.can_link import CanLink, Tally, open_bus
from chassis.performer import CannotInject
from contracts.backplane import Fault
from contracts.injections import AtCharger, Impostor, Inject, InjectorPlace
from contracts.replicas import address_for
from lab.rogue.backplane import Backplane
from lab.rogue.impostor import ImpostorClient
from lab.rogue.node import RogueNode
from lab.rogue.sender import BusInjection
from lab.settings import Settings

PLACES: frozenset[InjectorPlace] = frozenset({"bus", "module", "csms_side"})


class Injector:
    """`perform` is what a Performer needs."""

    def __init__(self, settings: Settings, interface: str, backplane: Backplane) -> None:
        self._settings = settings
        self._interface = interface
        self._backplane = backplane
        self._links: set[CanLink] = set()
        self._past = Tally()

    @property
    def tally(self) -> Tally:
        """What passed at all rogue nodes so far."""
        return sum((link.tally for link in self._links), self._past)

    @asynccontextmanager
    async def perform(self, order: Inject) -> AsyncIterator[None]:
        """Do what is ordered while inside; raises CannotInject where there is no such bus or charger."""
        injection = order.injection
        async with AsyncExitStack() as stack:
            if isinstance(injection, Impostor):
                password = self._settings.password
                settings, victim = self._settings, order.charge_point_id
                url = address_for(settings.csms_url, victim, settings.csms_replicas)
                client = ImpostorClient(url, password, victim, injection)
                await stack.enter_async_context(_beside(client.run()))
            else:
                port = await self._backplane.bus_of(order.charge_point_id, order.connector)
                if isinstance(injection, AtCharger):
                    fault = Fault(id=order.id, bus_port=port, injection=injection, seed=order.seed)
                    await stack.enter_async_context(self._backplane.fault(fault))
                if isinstance(injection, BusInjection):
                    link = await stack.enter_async_context(self._opened(port))
                    await stack.enter_async_context(_beside(RogueNode(link, injection).run()))
            yield

    @asynccontextmanager
    async def _opened(self, port: int) -> AsyncIterator[CanLink]:
        try:
            bus = open_bus(port, self._interface)
        except can.CanError as error:
            raise CannotInject(f"bus {port}: {error}") from error
        async with CanLink(bus) as link:
            self._links.add(link)
            try:
                yield link
            finally:
                self._links.discard(link)
                self._past += link.tally


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let `work` go on while inside; what it raises ends the body."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work)
        try:
            yield
        finally:
            task.cancel()

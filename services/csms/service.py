"""The CSMS put together: everything that runs, opened in order and closed in the reverse one."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chassis.http import add_metrics, served
from chassis.metrics import Exposition
from chassis.publisher import Publisher
from chassis.settings import SettingsError
from contracts.errors import ContractError
from contracts.events import AnyEvent, Reading, SystemEvent
from csms import mix_file, scenario_file
from csms.commander import Commander
from csms.connections import Connections
from csms.http_api import make_app
from csms.injectors import Injectors
from csms.metrics import METRICS, Parts, Traffic
from csms.mix import Mix
from csms.mix_runner import MixRunner
from csms.ocpp_server import OcppServer
from csms.scenario import Scenario
from csms.scenario_file import ScenarioFileError
from csms.scenario_runner import ScenarioRunner
from csms.settings import Settings
from csms.state import State
from csms.targets import Targets

log = logging.getLogger("csms")


@dataclass(frozen=True, slots=True)
class Csms:
    """A running CSMS: where charge points reach it, and its parts."""

    ocpp_port: int
    state: State
    connections: Connections
    publisher: Publisher
    runner: ScenarioRunner


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Csms]:
    """Run the CSMS while inside; the broker may be away at any time."""
    scenarios = _scenarios(settings)
    directory = Path(settings.state_directory)
    connections = Connections()
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(
            Publisher.opened(f"csms:{settings.name}", directory / "outbox.sqlite", settings.mqtt)
        )
        traffic = Traffic()

        def publish(event: AnyEvent) -> None:
            traffic.count(event)
            publisher.publish(event)

        state = stack.enter_context(State.opened(directory / "state.sqlite", settings.replica))
        commander = Commander(connections, publish, settings.command_timeout_s)
        targets = Targets(
            state,
            connections,
            commander,
            publish,
            allow_list=settings.scenario_allow_list,
            voltage_v=settings.scenario_voltage_v,
        )
        injectors = await stack.enter_async_context(Injectors(settings.mqtt, settings.name))
        runner = ScenarioRunner(
            scenarios, targets, injectors, state, publish, follows_plan=settings.scenario_plan == "default"
        )
        runner.recover()
        mixes = MixRunner(_mixes(settings, scenarios), runner, state)
        mixes.recover()

        def publish_and_read(event: AnyEvent) -> None:
            publish(event)
            if isinstance(event, Reading):
                runner.read(event)

        ocpp = OcppServer(settings, state, connections, publish_and_read, runner.arrived)

        def health() -> dict[str, Any]:
            return {
                "ok": True,
                "service": "csms",
                "charge_points": len(connections),
                "publisher": {"connected": publisher.connected, "dropped": publisher.dropped},
            }

        parts = Parts(connections, publisher, ocpp, traffic)
        metrics = Exposition("csms", METRICS, parts, {"replica": str(settings.replica)})
        detail = {"scenarios": len(scenarios), "replica": settings.replica}
        publisher.publish(
            SystemEvent(at=datetime.now(UTC), service="csms", name="service_started", detail=detail)
        )
        server = await stack.enter_async_context(ocpp.serving())
        # Left before the server closes: what scenarios did is undone while charge points are still there.
        stack.push_async_callback(runner.close)
        stack.push_async_callback(mixes.halt, "the CSMS was stopped")
        app = make_app(state, connections, commander, runner, mixes, health)
        add_metrics(app, metrics)
        if settings.replicas > 1:
            from csms.forwarding import Forwarding  # noqa: PLC0415 - httpx: 7 MB that one alone need not have

            app.add_middleware(Forwarding, settings=settings)
        await stack.enter_async_context(served(app, settings.http, settings.http_port))
        ocpp_port = next(iter(server.sockets)).getsockname()[1]
        log.info("charge points connect to port %d, HTTP is on port %d", ocpp_port, settings.http_port)
        yield Csms(ocpp_port, state, connections, publisher, runner)


def _scenarios(settings: Settings) -> dict[str, Scenario]:
    try:
        scenarios, errors = scenario_file.load_directory(settings.scenarios)
    except ScenarioFileError as error:
        raise SettingsError(f"SCENARIO_DIRECTORY: {error}") from error
    _tell_refused("scenario", errors)
    return scenarios


def _mixes(settings: Settings, scenarios: Mapping[str, Scenario]) -> dict[str, Mix]:
    mixes, errors = mix_file.load_directory(settings.scenarios / mix_file.MIXES, scenarios)
    _tell_refused("mix", errors)
    return mixes


def _tell_refused(what: str, errors: Sequence[ContractError]) -> None:
    # A broken file costs its own scenario only; charging goes on.
    for refused in errors:
        for line in str(refused).splitlines():
            log.error("%s refused: %s", what, line)

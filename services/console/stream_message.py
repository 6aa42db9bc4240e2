"""What the stream of Server-Sent Events carries of the fleet and the services around it."""

from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from console.answers import Mix, MixRun, Scenario, ScenarioRun
from console.connector import Key, Row
from contracts.events import Anomaly

ServiceName: TypeAlias = Literal["can", "csms", "memorybank", "broker"]


class ServiceState(Struct, frozen=True):
    """Whether a service is there, and what that means, in words."""

    working: bool
    text: str


class Message(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a page is sent. A snapshot is the whole; an update has only what changed."""

    now_s: float
    span_s: float = 0.0
    connectors: list[Row] = []
    gone: list[Key] = []
    anomalies: list[Anomaly] = []
    services: dict[ServiceName, ServiceState] = {}
    scenarios: list[Scenario] | None = None
    scenario_runs: list[ScenarioRun] | None = None
    mixes: list[Mix] | None = None
    mix_runs: list[MixRun] | None = None


_encoder = msgspec.json.Encoder()


def server_sent(event: str, message: Struct) -> bytes:
    """Return a Server-Sent Event."""
    return b"event: %b\ndata: %b\n\n" % (event.encode(), _encoder.encode(message))

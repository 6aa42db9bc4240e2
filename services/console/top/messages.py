"""The console's stream as far as a terminal shows it; unknown fields are passed over."""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from contracts.events import Anomaly

Key: TypeAlias = tuple[str, int]
"""A charge point's identity and the number of its connector."""


class MalformedStream(Exception):  # noqa: N818 - named after what is wrong
    """What came is not the console's stream; the text says what was expected."""


class Csms(Struct, frozen=True, kw_only=True):
    """What the CSMS knows of a connector."""

    connected: bool = False
    status: str | None = None
    error_code: str | None = None
    transaction_id: int | None = None
    scenario: str | None = None


class Row(Struct, frozen=True, kw_only=True):
    """A connector; `samples` begin with at_s and current_a: in an update the new ones."""

    charge_point_id: str
    connector: int
    bus: str = "none"
    bus_port: int | None = None
    present_a: float | None = None
    power_w: float | None = None
    stale: bool = False
    module_state: str | None = None
    csms: Csms | None = None
    samples: list[Annotated[list[float | None], Meta(min_length=2)]] = []


class Service(Struct, frozen=True):
    """Whether a service is there, and what that means, in words."""

    working: bool
    text: str = ""


class Message(Struct, frozen=True, kw_only=True):
    """A snapshot is the whole; an update has what changed; a heartbeat only the time."""

    now_s: float
    span_s: float | None = None
    connectors: list[Row] = []
    gone: list[Key] = []
    anomalies: list[Anomaly] = []
    services: dict[str, Service] = {}


_DECODER = msgspec.json.Decoder(Message)


def decode(data: bytes) -> Message:
    """Return a message of the stream, or raise MalformedStream."""
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedStream(f"this is no stream of a console: {error}") from error

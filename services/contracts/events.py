"""The events: past facts, frozen, numbered by their source, carried in batches by MQTT as JSON.

`decode_batch` takes the whole batch or raises MalformedEvent naming the place. `SCHEMA` changes whenever
the meaning of a field does; additions with a default do not change it.
"""

import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from operator import attrgetter
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, Union, get_args

import msgspec
from msgspec import Meta, Struct

from contracts.errors import MalformedEvent

SCHEMA = 1

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Connector: TypeAlias = Annotated[int, Meta(ge=0, le=255)]
"""1-based; 0 is the whole station."""
Seq: TypeAlias = Annotated[int, Meta(ge=1, le=2**62)]
TransactionId: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""As far as PostgreSQL's bigint goes."""
At: TypeAlias = Annotated[datetime, Meta(tz=True)]
"""The instant at which it happened (event time), aware."""

EARLIEST_AT, LATEST_AT = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""An event of a wrong clock's year 9999 would make a partition of its own."""

MAX_EVENT_BYTES = 131_072
"""The JSON of one event; twice the longest OCPP message."""


class Event(
    Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True, omit_defaults=True
):
    """What every event says: when it happened and at which charge point (None: the bench itself)."""

    at: At
    charge_point_id: Name | None = None
    connector: Connector | None = None


class CanFrameSeen(Event, frozen=True, kw_only=True, tag="can_frame_seen"):
    """A frame on a connector's bus. `sent`: the charge point itself sent it; else it was heard."""

    can_id: Annotated[int, Meta(ge=0, le=0x1FFFFFFF)]
    data: Annotated[str, Meta(pattern=r"^(?:[0-9a-f][0-9a-f])*\Z", max_length=128)]
    sent: bool = False


class OcppMessageSeen(Event, frozen=True, kw_only=True, tag="ocpp_message_seen"):
    """An OCPP message at the CSMS; `received` is from the charge point. `round_trip_s` stands on answers."""

    direction: Literal["received", "sent"]
    message_type: Literal["call", "call_result", "call_error", "unreadable"]
    unique_id: Annotated[str, Meta(max_length=255)] = ""
    action: Annotated[str, Meta(max_length=255)] = ""
    payload: dict[str, Any] = {}
    error_code: str | None = None
    round_trip_s: float | None = None


class Reading(Event, frozen=True, kw_only=True, tag="reading"):
    """One connector at one instant, all measurands; `origin`: observed on CAN or reported by OCPP.

    `commanded_a` is the limit last sent: on CAN to the module, by OCPP to the charge point. `acknowledged_a`
    is the one that the charge point last accepted (origin ocpp only). None: not measured, or not known.
    """

    origin: Literal["can", "ocpp"]
    transaction_id: TransactionId | None = None
    current_a: float | None = None
    offered_a: float | None = None
    voltage_v: float | None = None
    power_w: float | None = None
    power_offered_w: float | None = None
    power_factor: float | None = None
    frequency_hz: float | None = None
    energy_wh: float | None = None
    temperature_c: float | None = None
    soc_percent: float | None = None
    commanded_a: float | None = None
    acknowledged_a: float | None = None


class StatusChanged(Event, frozen=True, kw_only=True, tag="status_changed"):
    """A connector's OCPP status, as the CSMS was notified of it (`Offline`: its connection went)."""

    status: Name
    error_code: str = "NoError"


class TransactionStarted(Event, frozen=True, kw_only=True, tag="transaction_started"):
    """The CSMS gave a transaction its id."""

    transaction_id: TransactionId
    id_tag: Annotated[str, Meta(max_length=255)]
    meter_start_wh: float


class TransactionEnded(Event, frozen=True, kw_only=True, tag="transaction_ended"):
    """The CSMS accepted a transaction's end."""

    transaction_id: TransactionId
    meter_stop_wh: float
    reason: str = "Local"


class CommandSent(Event, frozen=True, kw_only=True, tag="command_sent"):
    """The CSMS sent a command and knows the outcome: OCPP's status word, or `Timeout`, or an error code."""

    command: Name
    parameters: dict[str, Any] = {}
    outcome: str


class SystemEvent(Event, frozen=True, kw_only=True, tag="system_event"):
    """Anything else worth remembering: a service's start, a connection, a refused message, a loss.

    `name` in snake_case, past tense; `service` e.g. `csms`; `detail` is free.
    """

    service: Name
    name: Name
    detail: dict[str, Any] = {}


class ScenarioLabel(Event, frozen=True, kw_only=True, tag="scenario_label"):
    """Ground truth, on the truth channel only: a scenario began or ended on charge points.

    `at` is the time of the first command (phase started) or of the last one (phase ended).
    """

    run_id: Name
    scenario: Name
    anomaly: str | None
    """Which anomaly the scenario provokes; None for benign life."""
    phase: Literal["started", "ended"]
    charge_point_ids: list[str]
    parameters: dict[str, Any] = {}
    seed: int = 0
    physical_started_at: At | None = None
    """When the first effect showed at the charge point (None: not known, or not yet). So for its end."""
    physical_ended_at: At | None = None


AnyEvent: TypeAlias = (
    CanFrameSeen
    | OcppMessageSeen
    | Reading
    | StatusChanged
    | TransactionStarted
    | TransactionEnded
    | CommandSent
    | SystemEvent
    | ScenarioLabel
)


class Batch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Consecutive events of one source: event i has the number `first_seq + i`.

    `boot` names the outbox that numbers (a new one starts at 1). `committed` is how far the source knows
    its events to be stored: a MemoryBank that has less of this source counts a gap and goes on after it.
    """

    source: Name
    boot: uuid.UUID
    first_seq: Seq
    committed: Annotated[int, Meta(ge=0, le=2**62)]
    events: Annotated[list[AnyEvent], Meta(min_length=1, max_length=10_000)]
    schema: int = SCHEMA

    @property
    def last_seq(self) -> int:
        """The number of the last event in the batch."""
        return self.first_seq + len(self.events) - 1


class Committed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The MemoryBank's word: all events of this source and boot up to `seq` are in PostgreSQL."""

    boot: uuid.UUID
    seq: Annotated[int, Meta(ge=0, le=2**62)]


Severity: TypeAlias = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""The gravest last."""


FLEET = "*"
"""In place of a charge point's identity: the anomaly is one of all of them together (connector 0)."""


class Anomaly(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the MemoryBank tells of an anomaly: on the live topic, in its API, in its table."""

    id: uuid.UUID
    charge_point_id: str
    connector: int
    kind: str
    severity: Severity
    phase: Literal["opened", "updated", "closed"]
    started_at: At
    detected_at: At
    updated_at: At
    ended_at: At | None = None
    score: float
    threshold: float
    deviation: float
    """How far from the expected, in the unit of the evidence (for reversals: amperes peak to peak)."""
    pattern: dict[str, float] = {}
    """The signature: period_s, amplitude_a, duty, …"""
    explanation: str
    """One sentence with numbers, for a person."""


class _MessageReadBack(OcppMessageSeen, frozen=True, kw_only=True, tag="ocpp_message_seen"):
    """One whose payload stays JSON, which the encoder wrote: the longest part of most events, and free.

    Any reader takes it, since what is recorded of a message nests no deeper than a message may.
    """

    payload: msgspec.Raw = msgspec.Raw(b"{}")  # type: ignore[assignment]


_T = TypeVar("_T")

_ENCODER = msgspec.json.Encoder()
_READ_BACK: "msgspec.json.Decoder[AnyEvent]" = msgspec.json.Decoder(
    Union[_MessageReadBack, *(kind for kind in get_args(AnyEvent) if kind is not OcppMessageSeen)]
)
_BATCH_DECODER = msgspec.json.Decoder(Batch)
_COMMITTED_DECODER = msgspec.json.Decoder(Committed)
_ANOMALY_DECODER = msgspec.json.Decoder(Anomaly)
_INSTANT = attrgetter("at")

_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
"""NUL as JSON spells it, after an even number of backslashes: else it is the text of an escaped one."""


class _Envelope(Struct, frozen=True, kw_only=True):
    """A Batch whose events are JSON already."""

    source: str
    boot: uuid.UUID
    first_seq: int
    committed: int
    events: msgspec.Raw
    schema: int = SCHEMA


def encode(message: Batch | Committed | Anomaly) -> bytes:
    """Return the JSON of a message; instants end in `Z` where they are UTC."""
    return _ENCODER.encode(message)


def encode_event(event: AnyEvent) -> bytes:
    """Return the JSON of one event, for `encode_batch`; raise MalformedEvent where nobody could read it back.

    Parts of an event come from peers. PostgreSQL's text knows no NUL, so its picture U+2400 takes its place.
    """
    try:
        payload = _ENCODER.encode(event)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise MalformedEvent(f"{type(event).__name__}: {error}") from error
    if b"\\u0000" in payload:
        payload = _NUL.sub(rb"\1\\u2400", payload)
    if len(payload) > MAX_EVENT_BYTES:
        raise MalformedEvent(f"{type(event).__name__}: {len(payload)} bytes are more than {MAX_EVENT_BYTES}")
    _check_instant(_decode(_READ_BACK, payload), "$")
    return payload


def encode_batch(
    source: str, boot: uuid.UUID, first_seq: int, committed: int, encoded_events: Iterable[bytes]
) -> bytes:
    """Return the JSON of a Batch of events that `encode_event` made."""
    raw = msgspec.Raw(b"[" + b",".join(encoded_events) + b"]")
    return _ENCODER.encode(
        _Envelope(source=source, boot=boot, first_seq=first_seq, committed=committed, events=raw)
    )


def decode_batch(payload: bytes) -> Batch:
    """Return the whole batch or raise MalformedEvent naming the place."""
    batch = _decode(_BATCH_DECODER, payload)
    if batch.schema != SCHEMA:
        raise MalformedEvent(f"schema {batch.schema} instead of {SCHEMA} - at `$.schema`")
    # A single byte is found much sooner than six, and most have none.
    if b"\\" in payload and b"\\u0000" in payload and _NUL.search(payload):
        raise MalformedEvent("a string with NUL, which PostgreSQL cannot store - somewhere in `$`")
    instants = list(map(_INSTANT, batch.events))
    if min(instants) < EARLIEST_AT or max(instants) >= LATEST_AT:
        for number, event in enumerate(batch.events):
            _check_instant(event, f"$.events[{number}]")
    return batch


def decode_committed(payload: bytes) -> Committed:
    """Return the committed message or raise MalformedEvent."""
    return _decode(_COMMITTED_DECODER, payload)


def decode_anomaly(payload: bytes) -> Anomaly:
    """Return the anomaly or raise MalformedEvent."""
    return _decode(_ANOMALY_DECODER, payload)


def _check_instant(event: AnyEvent, place: str) -> None:
    if not EARLIEST_AT <= event.at < LATEST_AT:
        raise MalformedEvent(f"{event.at.isoformat()} is out of range - at `{place}.at`")


def _decode(decoder: "msgspec.json.Decoder[_T]", payload: bytes) -> _T:
    try:
        return decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedEvent(str(error)) from error

"""From numbered events to the rows that are appended: events, metrics, labels, poison."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeAlias, get_args

import msgspec
from msgspec import Struct, structs

from contracts.events import AnyEvent, CanFrameSeen, Event, Reading, ScenarioLabel
from memorybank.intake import Numbered, SetAside

Row: TypeAlias = tuple[Any, ...]

EVENT_COLUMNS = {
    "at": "timestamptz",
    "seq": "int8",
    "source_no": "int4",
    "connector": "int2",
    "charge_point_id": "text",
    "kind": "text",
    "detail": "jsonb",
}
METRIC_COLUMNS = {
    "at": "timestamptz",
    "seq": "int8",
    "transaction_id": "int8",
    "current_a": "float8",
    "offered_a": "float8",
    "voltage_v": "float8",
    "power_w": "float8",
    "power_offered_w": "float8",
    "power_factor": "float8",
    "frequency_hz": "float8",
    "energy_wh": "float8",
    "temperature_c": "float8",
    "soc_percent": "float8",
    "commanded_a": "float8",
    "acknowledged_a": "float8",
    "source_no": "int4",
    "connector": "int2",
    "charge_point_id": "text",
    "origin": "text",
}
LABEL_COLUMNS = {
    "at": "timestamptz",
    "seq": "int8",
    "source_no": "int4",
    "run_id": "text",
    "scenario": "text",
    "anomaly": "text",
    "phase": "text",
    "charge_point_ids": "text[]",
    "parameters": "jsonb",
    "seed": "numeric",
    "physical_started_at": "timestamptz",
    "physical_ended_at": "timestamptz",
}

JSONB_VERSION = b"\x01"
"""What binary COPY wants before the JSON of a jsonb."""

_encode = msgspec.json.Encoder().encode


def _detail(kind: type[Event]) -> tuple[str, Callable[[Any], tuple[Any, ...]], type[Struct]]:
    """Return how `detail` is made of a kind of event: its word, the fields that go there, and their Struct.

    It leaves out what has the contract's default, as an event does.
    """
    common = {field.name for field in structs.fields(Event)}
    fields = [field for field in structs.fields(kind) if field.name not in common]
    made = msgspec.defstruct(f"{kind.__name__}Detail", list(map(_field, fields)), omit_defaults=True)
    return str(kind.__struct_config__.tag), attrgetter(*(field.name for field in fields)), made


def _field(field: structs.FieldInfo) -> tuple[str, Any, Any]:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.name, Any, msgspec.field(default_factory=field.default_factory)
    # One that is required is always given, in whatever order: it is never left out.
    return field.name, Any, msgspec.UNSET if field.required else field.default


_DETAILS = {kind: _detail(kind) for kind in get_args(AnyEvent) if kind is not Reading}


class Poison(Struct, kw_only=True):
    """What could not be taken; `source_no` and `seq` where it was a single numbered event."""

    topic: str
    reason: str
    payload: bytes
    source_no: int | None = None
    seq: int | None = None


@dataclass(slots=True)
class Rows:
    """What one transaction appends, in the order of the columns above; JSON as binary COPY takes it."""

    events: list[Row] = field(default_factory=list)
    metrics: list[Row] = field(default_factory=list)
    labels: list[Row] = field(default_factory=list)
    poison: list[Poison] = field(default_factory=list)

    def add(self, source_no: int, first_seq: int, topic: str, happened: Sequence[Numbered]) -> None:
        """Take what arrived on `topic` and has the numbers from `first_seq` on of a source."""
        for seq, event in enumerate(happened, first_seq):
            if type(event) is CanFrameSeen:
                self.events.append(_can_frame(source_no, seq, event))
            elif type(event) is Reading:
                self.metrics.append(_metric(source_no, seq, event))
            elif isinstance(event, SetAside):
                item = Poison(
                    topic=topic, reason=event.reason, payload=event.payload, source_no=source_no, seq=seq
                )
                self.poison.append(item)
            elif isinstance(event, ScenarioLabel):
                self.labels.append(_label(source_no, seq, event))
            else:
                self.events.append(_event(source_no, seq, event))


def _event(source_no: int, seq: int, event: AnyEvent) -> Row:
    kind, fields, detail = _DETAILS[type(event)]
    encoded = JSONB_VERSION + _encode(detail(*fields(event)))
    return (event.at, seq, source_no, event.connector, event.charge_point_id, kind, encoded)


def _can_frame(source_no: int, seq: int, frame: CanFrameSeen) -> Row:
    # Two of three events are frames: what `_event` makes of them, in a quarter of its time.
    sent = ',"sent":true' if frame.sent else ""
    detail = f'\x01{{"can_id":{frame.can_id},"data":"{frame.data}"{sent}}}'.encode()
    return (frame.at, seq, source_no, frame.connector, frame.charge_point_id, "can_frame_seen", detail)


def _metric(source_no: int, seq: int, reading: Reading) -> Row:
    return (
        reading.at,
        seq,
        reading.transaction_id,
        reading.current_a,
        reading.offered_a,
        reading.voltage_v,
        reading.power_w,
        reading.power_offered_w,
        reading.power_factor,
        reading.frequency_hz,
        reading.energy_wh,
        reading.temperature_c,
        reading.soc_percent,
        reading.commanded_a,
        reading.acknowledged_a,
        source_no,
        reading.connector,
        reading.charge_point_id,
        reading.origin,
    )


def _label(source_no: int, seq: int, label: ScenarioLabel) -> Row:
    return (
        label.at,
        seq,
        source_no,
        label.run_id,
        label.scenario,
        label.anomaly,
        label.phase,
        label.charge_point_ids,
        JSONB_VERSION + _encode(label.parameters),
        label.seed,
        label.physical_started_at,
        label.physical_ended_at,
    )

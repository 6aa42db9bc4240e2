"""From numbered events to the rows that are appended: events, metrics, labels, poison."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from contracts.events import AnyEvent, CanFrameSeen, Reading, ScenarioLabel
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

_AS_THEY_ARE = (datetime,)
"""An instant is taken from the event itself: making a text of it would be for nothing."""
_encode = msgspec.json.Encoder().encode


class Poison(Struct, kw_only=True):
    """What could not be taken; `source_no` and `seq` where it was a single numbered event."""

    topic: str
    reason: str
    payload: bytes
    source_no: int | None = None
    seq: int | None = None


@dataclass(slots=True)
class Rows:
    """What one transaction appends, in the order of the columns above; JSON as bytes."""

    events: list[Row] = field(default_factory=list)
    metrics: list[Row] = field(default_factory=list)
    labels: list[Row] = field(default_factory=list)
    poison: list[Poison] = field(default_factory=list)

    def add(self, source_no: int, seq: int, topic: str, event: Numbered) -> None:
        """Take what has the number `seq` of a source and arrived on `topic`."""
        match event:
            case CanFrameSeen():
                self.events.append(_can_frame(source_no, seq, event))
            case Reading():
                self.metrics.append(_metric(source_no, seq, event))
            case SetAside(reason, payload):
                self.poison.append(
                    Poison(topic=topic, reason=reason, payload=payload, source_no=source_no, seq=seq)
                )
            case ScenarioLabel():
                self.labels.append(_label(source_no, seq, event))
            case _:
                self.events.append(_event(source_no, seq, event))


def _event(source_no: int, seq: int, event: AnyEvent) -> Row:
    detail = msgspec.to_builtins(event, builtin_types=_AS_THEY_ARE)
    kind = detail.pop("kind")
    del detail["at"]
    detail.pop("charge_point_id", None)
    detail.pop("connector", None)
    return (event.at, seq, source_no, event.connector, event.charge_point_id, kind, _encode(detail))


def _can_frame(source_no: int, seq: int, frame: CanFrameSeen) -> Row:
    # Two of three events are frames: what `_event` makes of them, in a quarter of its time.
    sent = ',"sent":true' if frame.sent else ""
    detail = f'{{"can_id":{frame.can_id},"data":"{frame.data}"{sent}}}'.encode()
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
        msgspec.json.encode(label.parameters),
        label.seed,
        label.physical_started_at,
        label.physical_ended_at,
    )

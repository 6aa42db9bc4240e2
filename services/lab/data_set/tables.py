"""The tables of a data set: their columns, and how an event becomes a row. Pure.

Rows stand in blocks of an hour of arrival. So the parts of many charge points are joined by laying block
beside block, and are read again in the order of arrival by sorting one block at a time.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from arro3.core import Array, DataType, RecordBatch, Schema
from arro3.core import Field as ArrowField

from contracts.events import AnyEvent

BLOCK_US = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INSTANT = DataType.timestamp("us", tz="UTC")
_TEXT, _FLOAT, _INT = DataType.utf8(), DataType.float64(), DataType.int64()


class Row(NamedTuple):
    """An event, when whoever watches had it (microseconds since 1970), and its number at its charge point."""

    arrived_us: int
    seq: int
    event: AnyEvent


@dataclass(frozen=True, slots=True)
class Column:
    """A column: Arrow's type, what it says (with its unit), and how its values are taken from rows."""

    name: str
    type: DataType
    about: str
    of: Callable[[Sequence[Row]], Iterable[Any]]

    @property
    def is_instant(self) -> bool:
        """Whether it holds instants; `of` gives them in microseconds since 1970."""
        return self.type == _INSTANT


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its file is `name`.parquet."""

    name: str
    about: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> Schema:
        """Arrow's schema."""
        return Schema([ArrowField(column.name, column.type, nullable=True) for column in self.columns])

    def batch(self, rows: Sequence[Row]) -> RecordBatch:
        """Return rows as Arrow has them."""
        arrays = [_array(list(column.of(rows)), column) for column in self.columns]
        return RecordBatch.from_arrays(arrays, schema=self.schema)


def micros(at: datetime) -> int:
    """Return an aware instant in microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def instant(since_us: int) -> datetime:
    """Return the instant so many microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=since_us)


def encoded(event: AnyEvent) -> str:
    """Return the JSON of an event."""
    return _ENCODER.encode(event).decode()


def _array(values: list[Any], column: Column) -> Array:
    return Array(values, type=_INT).cast(_INSTANT) if column.is_instant else Array(values, type=column.type)


def _field(name: str, kind: DataType, about: str) -> Column:
    of = attrgetter(f"event.{name}")
    return Column(name, kind, about, partial(map, of))


def _time(name: str, about: str) -> Column:
    of = attrgetter(f"event.{name}")
    return Column(
        name, _INSTANT, about, lambda rows: [None if at is None else micros(at) for at in map(of, rows)]
    )


def _kind(row: Row) -> str:
    return str(row.event.__struct_config__.tag)


def _measured(name: str, about: str) -> Column:
    return _field(name, _FLOAT, about)


def _json(name: str, about: str) -> Column:
    of = attrgetter(f"event.{name}")
    return Column(name, _TEXT, about, lambda rows: [_ENCODER.encode(of(row)).decode() for row in rows])


_ENCODER = msgspec.json.Encoder()
_AT = _time("at", "when it happened, by the clock of whoever tells it")
_CHARGE_POINT = _field("charge_point_id", _TEXT, "the charge point's identity")
_HEAD = (
    Column("arrived_at", _INSTANT, "when whoever watches had it", partial(map, attrgetter("arrived_us"))),
    Column(
        "seq",
        _INT,
        "the event's number at its charge point, in the order of arrival",
        partial(map, attrgetter("seq")),
    ),
    _AT,
    _CHARGE_POINT,
    _field("connector", _INT, "the connector, from 1 on; 0 or null: the whole charge point"),
)
READINGS = Table(
    "readings",
    "what was measured: a row per connector, instant and origin",
    (
        *_HEAD,
        _field("origin", _TEXT, "`can`: seen on the bus; `ocpp`: reported by MeterValues"),
        _field("transaction_id", _INT, "the running transaction; null: none"),
        _measured("current_a", "A per phase, positive to the vehicle"),
        _measured("offered_a", "A, what the module would allow"),
        _measured("voltage_v", "V"),
        _measured("power_w", "W"),
        _measured("power_offered_w", "W"),
        _measured("power_factor", "1"),
        _measured("frequency_hz", "Hz"),
        _measured("energy_wh", "Wh, the energy register"),
        _measured("temperature_c", "°C, of the module"),
        _measured("soc_percent", "%, state of charge of the vehicle"),
        _measured("commanded_a", "A, the limit last sent (can: to the module; ocpp: to the charge point)"),
        _measured("acknowledged_a", "A, the limit that the charge point last accepted (ocpp)"),
    ),
)
EVENTS = Table(
    "events",
    "what else was seen: commands, transactions, statuses, OCPP messages, system events",
    (
        *_HEAD,
        Column("kind", _TEXT, "the kind of event", partial(map, _kind)),
        Column("event", _TEXT, "the whole event, JSON", lambda rows: [encoded(row.event) for row in rows]),
    ),
)
LABELS = Table(
    "labels",
    "the truth: which scenario ran when and where. Not for a detector's eyes",
    (
        _AT,
        _CHARGE_POINT,
        _field("phase", _TEXT, "`started`: at the first command; `ended`: at the last one"),
        _field("run_id", _TEXT, "the run"),
        _field("scenario", _TEXT, "the scenario's name"),
        _field("anomaly", _TEXT, "the anomaly that it provokes; null: none"),
        _time("physical_started_at", "when its effect first showed"),
        _time("physical_ended_at", "when its effect last showed"),
        _json("charge_point_ids", "all charge points of the run, JSON"),
        _json("parameters", "the scenario's parameters, JSON"),
        _field("seed", _INT, "the run's seed"),
    ),
)
TABLES = (READINGS, EVENTS, LABELS)

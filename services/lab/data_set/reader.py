"""A data set's events again, in the order of their arrival: for replay, for scores, for notebooks."""

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import arro3.io
import msgspec
from arro3.core import Array, DataType

from contracts.errors import ContractError
from contracts.events import AnyEvent, Reading, ScenarioLabel
from lab.data_set.tables import BLOCK_US, EVENTS, LABELS, READINGS, Column, Row, Table, instant

_BATCH_ROWS = 8192
_DECODER: "msgspec.json.Decoder[AnyEvent]" = msgspec.json.Decoder(AnyEvent)
_INSTANTS = ("at", "physical_started_at", "physical_ended_at")


class NoDataSet(ContractError):  # noqa: N818 - named after what is the matter
    """The directory holds no data set that this version reads."""


def events(directory: Path) -> Iterator[AnyEvent]:
    """Yield every event but the truth, in the order of arrival; raise NoDataSet.

    An hour of all charge points together is kept in memory.
    """
    streams = (_in_order(directory, READINGS), _in_order(directory, EVENTS))
    for row in heapq.merge(*streams, key=_order):
        yield row.event


def has_labels(directory: Path) -> bool:
    """Return whether the truth is there, too."""
    return _path(directory, LABELS).is_file()


def labels(directory: Path) -> list[ScenarioLabel]:
    """Return the truth, in order of time; raise NoDataSet."""
    found = [_label(columns) for columns in _rows(directory, LABELS)]
    return sorted(found, key=lambda label: label.at)


def _in_order(directory: Path, table: Table) -> Iterator[Row]:
    """Yield a table's rows sorted: blocks follow each other, in each one charge point the other."""
    block: list[Row] = []
    number = None
    for columns in _rows(directory, table):
        row = _row(columns, table)
        if row.arrived_us // BLOCK_US != number:
            yield from sorted(block, key=_order)
            block, number = [], row.arrived_us // BLOCK_US
        block.append(row)
    yield from sorted(block, key=_order)


def _order(row: Row) -> tuple[int, int]:
    return row.arrived_us, row.seq


def _row(columns: dict[str, Any], table: Table) -> Row:
    arrived_us, seq = columns.pop("arrived_at"), columns.pop("seq")
    if table is EVENTS:
        return Row(arrived_us, seq, _DECODER.decode(columns["event"]))
    columns["at"] = instant(columns["at"])
    return Row(arrived_us, seq, Reading(**columns))


def _label(columns: dict[str, Any]) -> ScenarioLabel:
    for name in _INSTANTS:
        if columns[name] is not None:
            columns[name] = instant(columns[name])
    for name in ("charge_point_ids", "parameters"):
        columns[name] = msgspec.json.decode(columns[name])
    return ScenarioLabel(**columns)


def _rows(directory: Path, table: Table) -> Iterator[dict[str, Any]]:
    path = _path(directory, table)
    if not path.is_file():
        raise NoDataSet(f"{path}: there is no such file; `chargebench simulate --out {directory}` makes one")
    names = [column.name for column in table.columns]
    for batch in arro3.io.read_parquet(path, batch_size=_BATCH_ROWS):
        if batch.column_names != names:
            raise NoDataSet(f"{path}: its columns are not those of this version")
        columns = [_values(batch.column(column.name), column) for column in table.columns]
        for values in zip(*columns, strict=True):
            yield dict(zip(names, values, strict=True))


def _path(directory: Path, table: Table) -> Path:
    return directory / f"{table.name}.parquet"


def _values(array: Array, column: Column) -> list[Any]:
    """Return a column's values; instants in microseconds since 1970, since Arrow is slow to make them."""
    return list((array.cast(DataType.int64()) if column.is_instant else array).to_pylist())

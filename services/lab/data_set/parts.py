"""Writing a data set in parts, one a charge point, and joining them: never more than an hour in memory."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import arro3.io
import msgspec
from arro3.core import RecordBatch, RecordBatchReader

from contracts.events import AnyEvent, Reading, ScenarioLabel
from lab.data_set.tables import BLOCK_US, EVENTS, LABELS, READINGS, Row, Table
from lab.simulated.labels import Labels

_GROUP_ROWS = 131_072
_DECODER: "msgspec.json.Decoder[tuple[int, int, AnyEvent]]" = msgspec.json.Decoder(tuple[int, int, AnyEvent])
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Blocks:
    """The hours that a data set spans: whole ones since 1970, `first` and how many."""

    first: int
    count: int

    @classmethod
    def spanning(cls, begin_us: int, end_us: int) -> "Blocks":
        """Return the hours that hold these instants and all between them."""
        first = begin_us // BLOCK_US
        return cls(first, end_us // BLOCK_US - first + 1)


@dataclass(frozen=True, slots=True)
class Part:
    """The files of one charge point."""

    directory: Path
    number: int

    @property
    def readings(self) -> Path:
        """Arrow's stream format, one batch an hour."""
        return self.directory / f"{self.number}.readings"

    @property
    def events(self) -> Path:
        """Lines of JSON: when it arrived, and the event; labels are among them."""
        return self.directory / f"{self.number}.events"


def write(part: Part, rows: Iterable[Row], blocks: Blocks) -> None:
    """Write a charge point's rows, which come in the order of arrival."""
    with part.events.open("wb") as lines:

        def batches() -> Iterator[RecordBatch]:
            """Keep what is no reading on the way."""
            block, held = blocks.first, list[Row]()
            end_us = (block + 1) * BLOCK_US
            for row in rows:
                if not isinstance(row.event, Reading):
                    lines.write(_ENCODER.encode(row) + b"\n")
                    continue
                while row.arrived_us >= end_us:
                    yield READINGS.batch(held)
                    block, held, end_us = block + 1, [], end_us + BLOCK_US
                held.append(row)
            while block < blocks.first + blocks.count:
                yield READINGS.batch(held)
                block, held = block + 1, []

        reader = RecordBatchReader.from_batches(READINGS.schema, batches())
        arro3.io.write_ipc_stream(reader, part.readings, compression=None)


def join(parts: list[Part], blocks: Blocks, directory: Path) -> dict[str, int]:
    """Write the tables of a data set from its parts, and return how many rows each has."""
    kept = _Kept()
    streams = [arro3.io.read_ipc_stream(part.readings) for part in parts]
    counts = {READINGS.name: _write(directory, READINGS, _in_turn(streams, blocks))}
    with contextlib.ExitStack() as stack:
        lines = [_Lines(stack.enter_context(part.events.open("rb")), kept) for part in parts]
        counts[EVENTS.name] = _write(directory, EVENTS, _events(lines, blocks))
    labels = kept.labels()
    counts[LABELS.name] = _write(directory, LABELS, iter([LABELS.batch(labels)]))
    return counts


def _in_turn(streams: Sequence[Iterator[RecordBatch]], blocks: Blocks) -> Iterator[RecordBatch]:
    for _ in range(blocks.count):
        for stream in streams:
            batch = next(stream)
            if batch.num_rows:
                yield batch


def _events(lines: "list[_Lines]", blocks: Blocks) -> Iterator[RecordBatch]:
    for block in range(blocks.first, blocks.first + blocks.count):
        rows = [row for one in lines for row in one.of(block)]
        if rows:
            yield EVENTS.batch(rows)


def _write(directory: Path, table: Table, batches: Iterator[RecordBatch]) -> int:
    count = 0

    def counted() -> Iterator[RecordBatch]:
        nonlocal count
        for batch in batches:
            count += batch.num_rows
            yield batch

    arro3.io.write_parquet(
        RecordBatchReader.from_batches(table.schema, counted()),
        directory / f"{table.name}.parquet",
        compression="zstd(3)",
        max_row_group_size=_GROUP_ROWS,
    )
    return count


class _Kept:
    """The labels that were met among the events."""

    def __init__(self) -> None:
        self._found: list[Row] = []

    def keep(self, row: Row) -> None:
        """Keep a label for the truth's own table."""
        self._found.append(row)

    def labels(self) -> list[Row]:
        """Return one label for each beginning and end of a run, whatever number of parts told it."""
        joined = Labels()
        return [
            Row(row.arrived_us, row.seq, label)
            for row in sorted(self._found, key=lambda row: row.arrived_us)
            if isinstance(row.event, ScenarioLabel) and (label := joined.told(row.event)) is not None
        ]


class _Lines:
    """The events of a part, an hour at a time."""

    def __init__(self, lines: Iterable[bytes], kept: _Kept) -> None:
        self._lines = iter(lines)
        self._kept = kept
        self._next = self._row()

    def of(self, block: int) -> Iterator[Row]:
        """Yield the rows of this hour, which follows the last one asked for."""
        while self._next is not None and self._next.arrived_us // BLOCK_US <= block:
            yield self._next
            self._next = self._row()

    def _row(self) -> Row | None:
        for line in self._lines:
            row = Row(*_DECODER.decode(line))
            if not isinstance(row.event, ScenarioLabel):
                return row
            self._kept.keep(row)
        return None

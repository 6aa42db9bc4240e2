"""The CAN traffic as a log that CAN tools read: Vector's .asc and .blf, candump's .log."""

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from can import ASCWriter, BLFWriter, CanutilsLogWriter, Message

from memorybank.errors import WrongQuestion
from memorybank.filters import Filters
from memorybank.reader import Fact, Reader
from memorybank.sql import queries
from memorybank.viewer.place import STDOUT, appearing_path

FORMATS = ("asc", "blf", "log")

_QUERIES = queries("view.sql")
_FETCHED_ROWS = 5000
_MAX_STANDARD_ID = 0x7FF
_MAX_CLASSIC_BYTES = 8
_WRITERS: dict[str, Callable[[Any], Any]] = {"asc": ASCWriter, "blf": BLFWriter, "log": CanutilsLogWriter}


def write_can_log(
    reader: Reader, path: Path, form: str, filters: Filters, progress: IO[str] | None = None
) -> tuple[int, list[Fact]]:
    """Write the recorded frames in the order of time; return how many, and which channel is which connector.

    Channels count from 0, as candump's names do (can0); Vector's formats count from 1.
    The file appears when it is whole. Raises OSError, StoreUnavailable and WrongQuestion.
    """
    asked = filters.narrowing("CAN logs", "charge_point_id", "since", "until")
    count = 0
    with reader.connection() as connection:
        buses = connection.execute(_QUERIES["can_buses"], asked).fetchall()
        if not buses:
            raise WrongQuestion("no CAN frame is remembered there")
        channels = {(bus["charge_point_id"], bus["connector"]): n for n, bus in enumerate(buses)}
        with _writer(path, form) as write, connection.cursor(name="can_frames") as frames:
            frames.itersize = _FETCHED_ROWS
            for frame in frames.execute(_QUERIES["can_frames"], asked):
                write(_message(frame, channels[frame["charge_point_id"], frame["connector"]]))
                count += 1
                if progress is not None and count % _FETCHED_ROWS == 0:
                    print(f"\r{count:,} frames\x1b[K", end="", file=progress, flush=True)
    if progress is not None:
        print("\r\x1b[K", end="", file=progress, flush=True)
    # As the file has it, so that it can be typed where the file is read.
    names = (str(n + 1) if form in ("asc", "blf") else f"can{n}" for n in range(len(buses)))
    return count, [{"channel": name, **bus} for name, bus in zip(names, buses, strict=True)]


@contextlib.contextmanager
def _writer(path: Path, form: str) -> Iterator[Callable[[Message], None]]:
    if path != STDOUT:
        with appearing_path(path) as unfinished, _WRITERS[form](str(unfinished)) as writer:
            yield writer.on_message_received
        return
    if form == "blf":
        raise WrongQuestion("a .blf needs a file: write asc or log to -, and convert it with can_logconvert")
    # The writer closes what it is given: not our standard output.
    text = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", write_through=False)
    writer = _WRITERS[form](text)
    yield writer.on_message_received
    if form == "asc":
        text.write("End TriggerBlock\n")
    text.flush()
    text.detach()


def _message(frame: Fact, channel: int) -> Message:
    data = bytes.fromhex(frame["data"] or "")
    return Message(
        timestamp=frame["at_s"],
        arbitration_id=frame["can_id"],
        is_extended_id=frame["can_id"] > _MAX_STANDARD_ID,
        is_fd=len(data) > _MAX_CLASSIC_BYTES,
        is_rx=not frame["sent"],
        data=data,
        channel=channel,
    )

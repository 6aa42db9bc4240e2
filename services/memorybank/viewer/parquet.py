"""Parquet, made by Arrow (Rust) of lines of CSV as they come; only a group of rows is kept in memory."""

import contextlib
import io
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any

import arro3.io
import msgspec
from arro3.core import DataType, Schema
from arro3.core import Field as ArrowField

from memorybank.viewer.selection import Field

_BATCH_ROWS = 4096
_GROUP_ROWS = 131_072
"""What a reader reads at once, and what is kept in memory until it is full."""
_BUFFER_BYTES = 65_536
_UNTEXTED = {
    "int2": DataType.int16(),
    "int4": DataType.int32(),
    "int8": DataType.int64(),
    "float4": DataType.float32(),
    "float8": DataType.float64(),
    "bool": DataType.bool(),
    "timestamptz": DataType.timestamp("us", tz="UTC"),
}
"""Types that are more than their text, by their names in PostgreSQL."""


def write(
    file: IO[bytes],
    columns: Sequence[Field],
    lines: Iterator[bytes],
    about: Mapping[str, Any],
    tell: Callable[[], None],
) -> int:
    """Write lines of CSV as Parquet, telling of each; return how many. `about` stands in the file's metadata.

    An empty text is null, as in Arrow's CSV. Raises what the lines and the file raise.
    """
    failure = _Failure()
    counted = _Lines(lines, tell, failure)
    fields = [ArrowField(c.name, _UNTEXTED.get(c.type, DataType.utf8()), nullable=True) for c in columns]
    with failure.raised_instead():
        arro3.io.write_parquet(
            arro3.io.read_csv(
                io.BufferedReader(counted, _BUFFER_BYTES),
                Schema(fields),
                has_header=False,
                batch_size=_BATCH_ROWS,
            ),
            _Output(file, failure),  # type: ignore[arg-type] # a file to write, and no more
            compression="zstd(3)",
            max_row_group_size=_GROUP_ROWS,
            key_value_metadata={"chargebench": msgspec.json.encode(about).decode()},
        )
    return counted.count


class _Failure:
    """What went wrong at one end while Arrow, which would take it for a fault of its own, was in between."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    @contextlib.contextmanager
    def raised_instead(self) -> Iterator[None]:
        """Raise it afterwards, rather than what Arrow makes of it; a Ctrl-C is a failure like the others."""

        def interrupted(*_: object) -> None:
            self.error = KeyboardInterrupt()

        before = signal.signal(signal.SIGINT, interrupted)
        try:
            yield
        except Exception:
            if self.error is None:
                raise
        finally:
            signal.signal(signal.SIGINT, before)
        if self.error is not None:
            raise self.error


class _Output(io.RawIOBase):
    """A file to write; after a failure nothing is written any more."""

    def __init__(self, file: IO[bytes], failure: _Failure) -> None:
        self._file = file
        self._failure = failure

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Write all of it."""
        try:
            if self._failure.error is None:
                self._file.write(data)
        except Exception as error:  # noqa: BLE001 - raised when Arrow has returned
            self._failure.error = error
        return len(data)


class _Lines(io.RawIOBase):
    """Lines as a file to read; after a failure it ends."""

    def __init__(self, lines: Iterator[bytes], tell: Callable[[], None], failure: _Failure) -> None:
        self._lines = lines
        self._tell = tell
        self._failure = failure
        self._rest = b""
        self.count = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with as much as fits of the next lines."""
        view = memoryview(buffer).cast("B")
        parts, size = [self._rest], len(self._rest)
        try:
            while size < len(view) and self._failure.error is None:
                line = next(self._lines, None)
                if line is None:
                    break
                parts.append(line)
                size += len(line)
                self.count += 1
                self._tell()
        except Exception as error:  # noqa: BLE001 - raised when Arrow has returned
            self._failure.error = error
        if self._failure.error is not None:
            return 0
        data = b"".join(parts)
        taken = data[: len(view)]
        self._rest = data[len(view) :]
        view[: len(taken)] = taken
        return len(taken)

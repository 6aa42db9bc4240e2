"""The export: everything as one JSON object, written row by row, so that its size does not matter."""

from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec

from memorybank.reader import Reader

_PROGRESS_ROWS = 10_000


def export(reader: Reader, path: Path, progress: IO[str] | None = None) -> int:
    """Write {"exported_at": …, table: [row, …], …} to `path`; return how many rows.

    The file appears when it is whole. Raises OSError and StoreUnavailable.
    """
    unfinished = path.with_name(f"{path.name}.part")
    count = 0
    try:
        with unfinished.open("wb") as file, reader.export() as tables:
            file.write(b'{"exported_at":' + msgspec.json.encode(datetime.now(UTC)))
            for table, rows in tables:
                file.write(f',\n"{table}":['.encode())
                separator = b"\n"
                for row in rows:
                    file.write(separator + msgspec.json.encode(row))
                    separator = b",\n"
                    count += 1
                    if progress is not None and count % _PROGRESS_ROWS == 0:
                        print(f"\r{count} rows", end="", file=progress, flush=True)
                file.write(b"]")
            file.write(b"}\n")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
        if progress is not None and count >= _PROGRESS_ROWS:
            print(file=progress)
    return count

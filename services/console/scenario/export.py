"""Runs with the labels of their truth, as a file: JSON, an array; CSV, a line a run."""

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

STDOUT = Path("-")


class CannotWrite(Exception):  # noqa: N818 - named after what is wrong
    """The file cannot be written; the text says which and why."""


def text(rows: Sequence[dict[str, Any]], form: str) -> str:
    """Return the file's text; in CSV lists are separated by spaces and parameters are JSON."""
    if form == "json":
        return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    if rows:
        writer.writerow(rows[0])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return written.getvalue()


def write(path: Path, content: str) -> None:
    """Write the file, which appears when it is whole; raises CannotWrite."""
    if path == STDOUT:
        sys.stdout.write(content)
        return
    unfinished = path.with_name(f"{path.name}.part")
    try:
        unfinished.write_text(content, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise CannotWrite(f"{path}: {error.strerror or error}") from error


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return json.dumps(value) if isinstance(value, dict) else value

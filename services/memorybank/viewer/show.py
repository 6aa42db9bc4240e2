"""Tables for a terminal; tab-separated lines where the output is piped."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, the field below it, and the decimals of a number."""

    heading: str
    field: str
    decimals: int | None = None


class Screen:
    """Where pages are shown."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)

    def table(self, title: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> None:
        """Show rows under a title; to a program, a line of headings and a line a row, with tabs."""
        if not self._console.is_terminal:
            self._line(column.heading for column in columns)
            for row in rows:
                self._line(_for_programs(row[column.field], column) for column in columns)
            return
        table = Table(title=title, title_justify="left")
        for column in columns:
            numeric = column.decimals is not None
            table.add_column(column.heading, justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            cells = (_for_people(row[column.field], column) for column in columns)
            table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in cells))
        self._console.print(table)
        if not rows:
            self.line("none yet")

    def line(self, text: str = "") -> None:
        """Show one line."""
        self._console.print(Text(text))

    def _line(self, cells: Iterable[str]) -> None:
        print("\t".join(cells), file=self._console.file)  # rich would make spaces of the tabs


_STYLES = {"critical": "bold red", "warning": "yellow", "Faulted": "bold red", "Charging": "blue"}


def printable(text: str) -> str:
    """Return the text with what could move a terminal's cursor, colour it or forge a line spelled out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _for_people(value: Any, column: Column) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"
    return printable(str(value)) if column.decimals is None else f"{value:,.{column.decimals}f}"


def _for_programs(value: Any, column: Column) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return printable(str(value)) if column.decimals is None else f"{value:.{column.decimals}f}"

"""Tables for a terminal; lines with tabs where the output is piped; JSON, an object a line, where asked."""

import itertools
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chassis.terminal import printable

_FOLDED_WIDTH = 24
"""From this width on, in characters, a text is broken over lines rather than a column left out."""
_NARROWEST = 8
"""A text broken into shorter pieces than this cannot be read."""
_READABLE_WIDTH = 60
"""In less, sentences are read more easily below the other fields than beside them."""
_GAP, _INDENT = "  ", "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, the field below it, and how it is shown.

    `decimals` of a number, or of a time's seconds. `folds`: a text that may be broken over lines. `drop`: the
    column with the highest goes first where a terminal is narrow; 0 stays. `drawn` is for people only.
    """

    heading: str
    field: str
    decimals: int | None = None
    folds: bool = False
    drop: int = 0
    drawn: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A row that is no row of a table: pieces of its first line, and what is told below."""

    head: Sequence[str]
    text: str


class Screen:
    """Where pages are shown: to people, to programs, or as JSON."""

    def __init__(self, console: Console | None = None, *, as_json: bool = False) -> None:
        self._console = console or Console(highlight=False)
        self._as_json = as_json

    @property
    def is_for_people(self) -> bool:
        """Whether somebody reads this at a terminal."""
        return self._console.is_terminal and not self._as_json

    @property
    def file(self) -> IO[str]:
        """Where it is shown."""
        return self._console.file

    def table(
        self,
        title: str,
        columns: Sequence[Column],
        rows: Iterable[Mapping[str, Any]],
        *,
        facts: Iterable[Mapping[str, Any]] | None = None,
        name: str | None = None,
        block: Callable[[Mapping[str, Any]], Block] | None = None,
    ) -> None:
        """Show rows under a title; to a program, a line of headings and a line a row, with tabs.

        As JSON: the `facts` where they are more than the rows, each with its page's `name` if there is one.
        People get each row as its `block` where a table would leave too little for its sentences.
        """
        if self._as_json:
            self.objects(rows if facts is None else facts, name)
        elif self.is_for_people:
            drawn = list(rows)
            if block is not None and drawn and self._is_narrow(columns, drawn):
                self._draw_blocks(title, map(block, drawn))
            else:
                self._draw(title, columns, drawn)
        else:
            columns = [column for column in columns if not column.drawn]
            answer = iter(rows)
            first = next(answer, None)  # where there is no answer, there is no heading
            self._line(column.heading for column in columns)
            for row in itertools.chain(() if first is None else (first,), answer):
                self.row(columns, row)

    def objects(self, facts: Iterable[Mapping[str, Any]], name: str | None = None) -> None:
        """Print facts as JSON, an object a line."""
        for fact in facts:
            named = fact if name is None else {"page": name, **fact}
            print(msgspec.json.encode(named).decode(), file=self.file)

    def row(self, columns: Sequence[Column], row: Mapping[str, Any]) -> None:
        """Print one row to a program."""
        self._line(_for_programs(row[column.field], column) for column in columns)

    def tail(self, columns: Sequence[Column], widths: Sequence[int], row: Mapping[str, Any]) -> None:
        """Show one row below those before it, at once: without knowing what follows."""
        if self._as_json:
            self.objects((row,))
        elif self.is_for_people:
            cells = [_for_people(row[column.field], column) for column in columns]
            line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
            style = next((_STYLES[cell] for cell in cells if cell in _STYLES), "")
            self._console.print(Text(line, style=style), soft_wrap=True)
        else:
            self.row(columns, row)
        self.file.flush()

    def line(self, text: str = "") -> None:
        """Show one line to people and to programs; JSON knows no remarks."""
        if not self._as_json:
            self._console.print(Text(text), soft_wrap=True)

    def prose(self, text: str) -> None:
        """Show sentences, a line to programs; to people it is broken between words."""
        if not self._as_json:
            self._console.print(Text(text), soft_wrap=not self.is_for_people)

    def _draw(self, title: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> None:
        cells = {column: [_for_people(row[column.field], column) for row in rows] for column in columns}
        widths = {column: _width(column, cells[column]) for column in columns}
        shown, left_out = fitting(widths, self._console.width)
        least = {
            column: min(widths[column], _NARROWEST) if column.folds else widths[column] for column in shown
        }
        if rows and _total(least) > self._console.width:
            self._draw_below(title, cells)
            return
        broken = _broken({column: cells[column] for column in shown}, widths, self._console.width)
        table = Table()
        for column in shown:
            table.add_column(
                Text(textwrap.fill(column.heading, widths[column])),
                justify="left" if column.decimals is None else "right",
                overflow="fold",
                no_wrap=not column.folds,
            )
        for row, lines in zip(
            zip(*(cells[column] for column in shown), strict=True),
            zip(*broken.values(), strict=True),
            strict=True,
        ):
            table.add_row(
                *(Text(text, style=_STYLES.get(cell, "")) for cell, text in zip(row, lines, strict=True))
            )
        self._console.print(Text(title, style="italic"))
        self._console.print(table)
        if not rows:
            self.line("none yet")
        if left_out:
            headings = ", ".join(column.heading for column in left_out)
            self._console.print(Text(f"left out in this width: {headings}", style="dim"))

    def _is_narrow(self, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether a table of all columns, and sentences as wide as they should be, does not fit."""
        cells = {column: [_for_people(row[column.field], column) for row in rows] for column in columns}
        widths = {column: _width(column, cells[column], _READABLE_WIDTH) for column in columns}
        return _total(widths) > self._console.width

    def _draw_blocks(self, title: str, blocks: Iterable[Block]) -> None:
        """Show each row as a line of its facts, or two where they do not fit, and its text below."""
        self._console.print(Text(f"{title} (times in UTC)", style="italic"))
        for block in blocks:
            line = Text()
            for piece in map(printable, block.head):
                if line and line.cell_len + len(_GAP + piece) > self._console.width:
                    self._console.print(line, overflow="fold")
                    line = Text(_INDENT)
                elif line:
                    line.append(_GAP)
                line.append(piece, _STYLES.get(piece))
            self._console.print(line, overflow="fold")
            for text in textwrap.wrap(
                printable(block.text),
                self._console.width,
                initial_indent=_INDENT,
                subsequent_indent=_INDENT,
                break_on_hyphens=False,
            ):
                self._console.print(Text(text), overflow="fold")

    def _draw_below(self, title: str, cells: Mapping[Column, Sequence[str]]) -> None:
        """Show every field on a line of its own: for terminals in which no table fits."""
        self._console.print(Text(title, style="italic"))
        for row in zip(*cells.values(), strict=True):
            self._console.print()
            for column, cell in zip(cells, row, strict=True):
                self._console.print(
                    Text(f"{column.heading}: ").append(cell, _STYLES.get(cell)), overflow="fold"
                )

    def _line(self, cells: Iterable[str]) -> None:
        print("\t".join(cells), file=self.file)  # rich would make spaces of the tabs


_STYLES = {
    "critical": "bold red",
    "warning": "yellow",
    "Faulted": "bold red",
    "Charging": "blue",
    # Scenarios, their runs, and what was found of them.
    "anomaly": "red",
    "hard negative": "yellow",
    "benign": "green",
    "running": "blue",
    "finished": "green",
    "failed": "bold red",
    "found": "green",
    "nothing, rightly": "green",
    "found under another name": "yellow",
    "missed": "bold red",
    "false alarm": "bold red",
    "≠": "yellow",
}
_BORDER, _BORDERS = 1, 3
_HEADING_LINES = 2


def _width(column: Column, cells: Sequence[str], folded_width: int = _FOLDED_WIDTH) -> int:
    """Return the least width in which a column can be read; texts that are broken over lines, in that one."""
    widest = max(map(len, cells), default=0)
    width = max(min(widest, folded_width) if column.folds else widest, *map(len, column.heading.split()), 1)
    while len(textwrap.wrap(column.heading, width)) > _HEADING_LINES:
        width += 1
    return width


def fitting(widths: Mapping[Column, int], width: int) -> tuple[list[Column], list[Column]]:
    """Return which columns fit into a width, and which are left out for it."""
    shown, left_out = list(widths), []
    while _total({column: widths[column] for column in shown}) > width:
        column = max(shown, key=lambda column: column.drop)
        if column.drop == 0:
            break
        shown.remove(column)
        left_out.append(column)
    return shown, left_out


def _broken(
    cells: Mapping[Column, Sequence[str]], widths: Mapping[Column, int], width: int
) -> dict[Column, list[str]]:
    """Return the cells as they fit into a width, those that fold broken between words or at hyphens.

    What the others leave is shared among the columns that fold, as far as they need it.
    """
    needed = {column: max(map(len, cells[column]), default=0) for column in cells if column.folds}
    left = width - _total({column: 0 if column.folds else widths[column] for column in cells})
    lines = {column: list(cells[column]) for column in cells}
    for number, column in enumerate(sorted(needed, key=lambda column: needed[column])):
        share = max(left // (len(needed) - number), _NARROWEST)
        left -= min(share, max(needed[column], widths[column]))
        lines[column] = [textwrap.fill(cell, share) for cell in cells[column]]
    return lines


def _total(widths: Mapping[Column, int]) -> int:
    return sum(width + _BORDERS for width in widths.values()) + _BORDER


def _for_people(value: Any, column: Column) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return short(value, column.decimals or 0)
    return printable(str(value)) if column.decimals is None else f"{value:,.{column.decimals}f}"


def short(at: datetime, decimals: int = 0) -> str:
    """Return an instant (UTC) without what everybody knows: the year, where it is this one."""
    if at.year != datetime.now(UTC).year:
        return f"{at:%Y-%m-%d %H:%M}"
    fraction = f".{at.microsecond:06d}"[: 1 + decimals] if decimals else ""
    return f"{at:%m-%d %H:%M:%S}{fraction}"


def _for_programs(value: Any, column: Column) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return printable(str(value)) if column.decimals is None else f"{value:.{column.decimals}f}"

"""Tables for a terminal: what folds is broken between words and at hyphens, never in the middle of one."""

import io

import pytest
from rich.console import Console

from chassis.screen import Column, Screen

NAME = "repeated-current-fluctuation"
COLUMNS = (Column("fact", "fact"), *(Column(name, name, folds=True) for name in "abc"))
ROWS = [
    {"fact": "scenario", "a": NAME, "b": "can-flood", "c": NAME},
    {"fact": "on", "a": "CP-1, CP-2, CP-3", "b": "CP-10", "c": None},
]


def drawn(width: int, *, is_terminal: bool = True) -> tuple[Screen, io.StringIO]:
    file = io.StringIO()
    return Screen(Console(file=file, width=width, force_terminal=is_terminal, color_system=None)), file


@pytest.mark.parametrize("width", [58, 64, 80])
def test_a_name_is_broken_at_its_hyphens(width, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    screen, file = drawn(width)
    screen.table("Runs", COLUMNS, ROWS)
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    pieces = [cell.strip() for line in lines[4:-1] for cell in line.split("│")[2:-1] if cell.strip()]
    assert set(pieces) <= {
        "repeated-", "current-", "repeated-current-", "fluctuation", "current-fluctuation", NAME, "can-flood",
        "CP-1,", "CP-1, CP-2,", "CP-2,", "CP-3", "CP-2, CP-3", "CP-1, CP-2, CP-3", "CP-10", "-",
    }  # fmt: skip


def test_what_fits_is_not_broken(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    screen, file = drawn(120)
    screen.table("Runs", COLUMNS, ROWS)
    assert f"│ scenario │ {NAME} │ can-flood │ {NAME} │" in file.getvalue()


def test_prose_is_one_line_to_programs_and_broken_between_words_for_people(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    for is_terminal, told in ((True, "one two\nthree\n"), (False, "one two three\n")):
        screen, file = drawn(8, is_terminal=is_terminal)
        screen.prose("one two three")
        assert "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n" == told

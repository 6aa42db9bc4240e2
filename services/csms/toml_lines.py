"""Where things stand in a TOML file, since tomllib tells a line only for what is no TOML at all."""

import re

_TABLE = re.compile(r"\s*\[(?!\[)\s*([^\]]+?)\s*\]\s*(#.*)?$")
_LIST = re.compile(r"\s*\[\[\s*([^\]]+?)\s*\]\]\s*(#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]*\")\s*=")
_LONG = ('"""', "'''")


def lines(text: str) -> dict[str, int]:
    """Return the line (from 1) of each table and key of valid TOML, e.g. `name`, `steps[2].limit_a`."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    table, within = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        if within:
            within = "" if within in line else within
            continue
        if match := _LIST.fullmatch(line):
            index = counts[match[1]] = counts.get(match[1], -1) + 1
            table = f"{match[1]}[{index}]"
            found[table] = number
            found.setdefault(match[1], number)
        elif match := _TABLE.fullmatch(line):
            table = match[1]
            found[table] = number
        elif match := _KEY.match(line):
            key = match[1].strip('"')
            found[f"{table}.{key}" if table else key] = number
        within = next((mark for mark in _LONG if line.count(mark) == 1), "")
    return found


def line_of(place: str, known: dict[str, int]) -> int | None:
    """Return the line of a place or of the nearest that holds it; None where nothing is known."""
    while place:
        if place in known:
            return known[place]
        place, dot, _ = place.rpartition(".")
        if not dot:
            return None
    return None

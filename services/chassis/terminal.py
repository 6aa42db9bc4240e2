"""Text for a terminal: foreign text moves no cursor; a number with its word; a course of values in a line."""

from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"


def printable(text: str) -> str:
    """Return the text with what could move a terminal's cursor, colour it or forge a line spelled out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plural(count: int, word: str, several: str | None = None) -> str:
    """Return a number with its word."""
    return f"{count:,} {word if count == 1 else several or f'{word}s'}"


def sparkline(values: Sequence[float | None], highest: float) -> str:
    """Return a block for each value, from 0 to `highest` (one for rows to be compared); a space for none."""
    return "".join(" " if value is None else _block(value, highest) for value in values)


def _block(value: float, highest: float) -> str:
    share = min(max(value / highest, 0.0), 1.0) if highest > 0 else 0.0
    return _BLOCKS[round(share * (len(_BLOCKS) - 1))]

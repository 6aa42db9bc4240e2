"""One line of a terminal, no wider than it may be; what comes from outside stays text. Pure."""

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from chassis.terminal import printable


def line(*pieces: str | tuple[str, str], width: int) -> Text:
    """Return the pieces, each a text or (text, style), cut to so many cells."""
    text = Text(no_wrap=True, overflow="crop")
    for piece in pieces:
        content, style = (piece, "") if isinstance(piece, str) else piece
        text.append(printable(content), style)
    text.truncate(max(0, width), overflow="ellipsis")
    return text


def cell(content: str, width: int, *, right: bool = False) -> str:
    """Return a text of exactly so many cells."""
    content = printable(content)
    size = cell_len(content)
    if size > width:
        return set_cell_size(set_cell_size(content, max(0, width - 1)) + "…", max(0, width))
    return " " * (width - size) + content if right else content + " " * (width - size)

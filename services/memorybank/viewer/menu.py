"""The menu that comes without arguments."""

from collections.abc import Callable
from pathlib import Path

from memorybank.errors import StoreUnavailable
from memorybank.reader import Reader
from memorybank.viewer import pages
from memorybank.viewer.export import export
from memorybank.viewer.show import Screen

_PAGE_ROWS = 20
_EXPORT_FILE = "memory.json"

Page = Callable[[Reader, Screen], None]


def _export(reader: Reader, screen: Screen) -> None:
    path = Path(_EXPORT_FILE)
    try:
        rows = export(reader, path)
    except OSError as error:
        screen.line(f"{path}: {error.strerror}")
        return
    screen.line(f"{rows} rows in {path.resolve()}")


CHOICES: dict[str, tuple[str, Page]] = {
    "1": ("Summary", pages.summary),
    "2": ("Anomalies", lambda reader, screen: pages.anomalies(reader, screen, _PAGE_ROWS)),
    "3": ("Sessions", lambda reader, screen: pages.sessions(reader, screen, _PAGE_ROWS)),
    "4": ("Events", lambda reader, screen: pages.events(reader, screen, _PAGE_ROWS)),
    "5": ("Statistics", pages.statistics),
    "6": (f"Export everything to {_EXPORT_FILE}", _export),
}


def run(reader: Reader, screen: Screen, ask: Callable[[str], str] = input) -> None:
    """Show the menu and what is chosen, until `q` or the end of input."""
    while True:
        screen.line()
        for key, (title, _) in CHOICES.items():
            screen.line(f"  {key}  {title}")
        screen.line("  q  Quit")
        try:
            choice = ask("? ").strip().lower()
        except EOFError:
            return
        if choice in ("q", "quit", "exit"):
            return
        if choice not in CHOICES:
            screen.line(f"1 to {len(CHOICES)}, or q")
            continue
        screen.line()
        try:
            CHOICES[choice][1](reader, screen)
        except StoreUnavailable as error:
            screen.line(f"the database does not answer: {error}")

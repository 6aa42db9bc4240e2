"""The menu that comes without arguments."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from chassis.screen import Screen
from chassis.terminal import plural
from chassis.times import instant
from memorybank.errors import StoreUnavailable, WrongQuestion
from memorybank.filters import EVERYTHING, Filters
from memorybank.reader import Reader
from memorybank.viewer import pages
from memorybank.viewer.check import check
from memorybank.viewer.export import Wish, export
from memorybank.viewer.follow import follow_events

_PAGE_ROWS = 20
_EXPORT_FILE = "memory.json"

Ask = Callable[[str], str]


class Menu:
    """What is chosen by number, and the filters that stay until they are changed."""

    def __init__(
        self, reader: Reader, screen: Screen, filters: Filters = EVERYTHING, ask: Ask = input
    ) -> None:
        self._reader = reader
        self._screen = screen
        self._filters = filters
        self._ask = ask
        self._choices: dict[str, tuple[str, Callable[[], object]]] = {
            "1": ("Summary", lambda: pages.summary(reader, screen)),
            "2": ("Anomalies", lambda: pages.anomalies(reader, screen, self._filters, _PAGE_ROWS)),
            "3": ("Sessions", lambda: pages.sessions(reader, screen, self._filters, _PAGE_ROWS)),
            "4": ("Events", lambda: pages.events(reader, screen, self._filters, _PAGE_ROWS)),
            "5": ("Statistics", lambda: pages.statistics(reader, screen, self._filters)),
            "6": (f"Export to {_EXPORT_FILE}", self._export),
            "7": ("Follow what happens (Ctrl-C: back)", self._follow),
            "8": ("Filter: charge point, time, kind, severity", self._narrow),
            "9": ("Count every number again", lambda: check(reader, screen)),
        }

    def run(self) -> None:
        """Show the menu and what is chosen, until `q` or the end of input."""
        while True:
            self._screen.line()
            for key, (title, _) in self._choices.items():
                self._screen.line(f"  {key}  {title}")
            self._screen.line("  q  Quit")
            if self._filters != EVERYTHING:
                self._screen.line(f"only {_told(self._filters)}")
            try:
                choice = self._ask("? ").strip().lower()
            except EOFError:
                return
            if choice in ("q", "quit", "exit"):
                return
            if choice not in self._choices:
                self._screen.line(f"1 to {len(self._choices)}, or q")
                continue
            self._screen.line()
            try:
                self._choices[choice][1]()
            except StoreUnavailable as error:
                self._screen.line(f"the database does not answer: {error}")
            except WrongQuestion as error:
                self._screen.line(f"{error} (8 changes the filter)")
            except EOFError:
                return

    def _export(self) -> None:
        path = Path(_EXPORT_FILE)
        wish = Wish(path=path, format="json", filters=self._filters)
        try:
            progress = self._screen.file if self._screen.is_for_people else None
            (written,) = export(self._reader, wish, progress)
        except OSError as error:
            self._screen.line(f"{path}: {error.strerror}")
            return
        what = "everything" if self._filters == EVERYTHING else f"only {_told(self._filters)}"
        self._screen.line(f"{plural(written.rows, 'row')} in {path.resolve()}: {what}")

    def _follow(self) -> None:
        known = replace(self._filters, since=None, until=None, severity=None)
        follow_events(self._reader, self._screen, known, _PAGE_ROWS)

    def _narrow(self) -> None:
        self._screen.line("Nothing: any. Times: 15m, 2h, 3d ago, or 2026-11-22T13:05 (UTC).")
        now = datetime.now(UTC)
        try:
            self._filters = Filters(
                charge_point_id=self._ask("charge point? ").strip() or None,
                since=_instant(self._ask("since? "), now),
                until=_instant(self._ask("until? "), now),
                kind=self._ask("kind? ").strip() or None,
                severity=self._ask("severity? ").strip() or None,
            )
        except (ValueError, OverflowError):
            self._screen.line("that is no time")


def _instant(text: str, now: datetime) -> datetime | None:
    return instant(text, now) if text.strip() else None


def _told(filters: Filters) -> str:
    times = {"since": filters.since, "until": filters.until}
    names = (filters.charge_point_id, filters.kind, filters.severity)
    return ", ".join(
        [name for name in names if name]
        + [f"{what} {at:%Y-%m-%d %H:%M:%S}" for what, at in times.items() if at]
    )

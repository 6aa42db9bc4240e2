"""`memory-viewer`: one question, answered; what cannot be answered is one line and exit status 2."""

import argparse
import contextlib
import io
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from chassis.screen import Column, Screen
from chassis.terminal import plural
from memorybank.errors import StoreUnavailable, WrongQuestion
from memorybank.reader import Reader
from memorybank.viewer import arguments, pages, place
from memorybank.viewer.can_log import write_can_log
from memorybank.viewer.check import check
from memorybank.viewer.export import Wish, export
from memorybank.viewer.follow import follow_anomalies, follow_events
from memorybank.viewer.menu import Menu
from memorybank.viewer.pseudonyms import Pseudonyms
from memorybank.viewer.remark import remark

EXIT_UNSOUND = 1
EXIT_WRONG = 2
EXIT_INTERRUPTED = 130
_TIMEOUT_S = 30.0
_FOLLOWED_ROWS = 10
_CHANNELS = (
    Column("channel", "channel"),
    Column("charge point", "charge_point_id"),
    Column("connector", "connector", 0),
)


def main(given: Sequence[str] | None = None) -> None:
    """Answer the question in the arguments; exit status 2 and one line on stderr for what cannot be."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # JSON is UTF-8, and a terminal that cannot show a character shall not end us.
        encoding = None if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")
    try:
        asked = arguments.parse(given, datetime.now(UTC))
        status = _answer(asked)
        if sys.stdout is not None:
            sys.stdout.flush()  # what goes wrong with that is said below, and not by Python
        sys.exit(status)
    except (WrongQuestion, StoreUnavailable) as error:
        remark(str(error))
        sys.exit(EXIT_WRONG)
    except BrokenPipeError:
        _forget_output()  # its reader has seen enough
    except OSError as error:
        _forget_output()
        remark(f"the output cannot be written: {error.strerror or error}")
        sys.exit(EXIT_WRONG)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _forget_output() -> None:
    """Let what is not written yet go nowhere: Python would complain once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _answer(asked: argparse.Namespace) -> int:
    """Answer, and return the exit status."""
    found = place.find(asked.database, asked.home, os.environ, Path.cwd(), truth=asked.truth)
    screen = Screen(as_json=asked.json)
    with Reader(found.url, timeout_s=_TIMEOUT_S) as reader:
        _demand_answer(reader, found)
        if asked.export is not None or asked.can_log is not None:
            with _told_as_wrong(asked.export or asked.can_log):
                _write(reader, screen, asked)
        elif asked.follow:
            follow = follow_events if asked.anomalies is None else follow_anomalies
            follow(reader, screen, asked.filters, asked.events or asked.anomalies or _FOLLOWED_ROWS)
        elif asked.check:
            return 0 if check(reader, screen) else EXIT_UNSOUND
        else:
            _show(reader, screen, asked)
    return 0


def _show(reader: Reader, screen: Screen, asked: argparse.Namespace) -> None:
    if asked.summary:
        pages.summary(reader, screen)
    elif asked.events:
        pages.events(reader, screen, asked.filters, asked.events)
    elif asked.anomalies:
        pages.anomalies(reader, screen, asked.filters, asked.anomalies)
    elif asked.sessions:
        pages.sessions(reader, screen, asked.filters, asked.sessions)
    elif asked.verdicts:
        pages.verdicts(reader, screen, asked.filters, asked.verdicts)
    elif asked.stats:
        pages.statistics(reader, screen, asked.filters)
    elif sys.stdin.isatty() and not asked.json:
        Menu(reader, screen, asked.filters).run()
    else:
        raise WrongQuestion("no terminal for the menu; ask e.g. --summary (see --help)")


def _write(reader: Reader, screen: Screen, asked: argparse.Namespace) -> None:
    progress = sys.stderr if sys.stderr.isatty() else None
    if asked.can_log is not None:
        count, channels = write_can_log(reader, asked.can_log, asked.format, asked.filters, progress)
        if asked.can_log != place.STDOUT:
            screen.line(f"{plural(count, 'frame')} in {asked.can_log}")
            screen.table("Channels", _CHANNELS, channels)
        return
    pseudonyms = Pseudonyms(_key(asked.key)) if asked.pseudonymise else None
    wish = Wish(
        path=asked.export,
        format=asked.format,
        table=asked.table,
        filters=asked.filters,
        truth=asked.truth,
        pseudonyms=pseudonyms,
    )
    more = "" if asked.format == "json" or asked.table else "; other tables: --table NAME, or all"
    for written in export(reader, wish, progress):
        if written.path != place.STDOUT:
            of_table = f" of {written.tables[0]}" if len(written.tables) == 1 else ""
            screen.line(f"{plural(written.rows, 'row')}{of_table} in {written.path}{more}")


def _key(given: str | None) -> bytes:
    if given is None:
        return secrets.token_bytes(32)
    if not given.startswith("@"):
        return given.encode("utf-8", "surrogateescape")
    try:
        key = Path(given[1:]).read_bytes().strip()
    except OSError as error:
        raise WrongQuestion(f"{given[1:]}: {error.strerror}") from error
    if not key:
        raise WrongQuestion(f"{given[1:]} holds no key")
    return key


def _demand_answer(reader: Reader, found: place.Place) -> None:
    """Connect once, so that what is wrong with that is said before anything else."""
    try:
        with reader.connection():
            pass
    except StoreUnavailable as error:
        if found.home is None:
            raise
        raise StoreUnavailable(f"no bench runs in {found.home} (start it: make demo): {error}") from error


@contextlib.contextmanager
def _told_as_wrong(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into the user's one line."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise WrongQuestion(f"{path}: {error.strerror or error}") from error


if __name__ == "__main__":
    main()

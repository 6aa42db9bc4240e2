"""The command line: what can be asked, and how it is read. What is wrong is one line."""

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from chassis.times import TIMES, instant
from contracts.events import SEVERITIES
from memorybank.errors import WrongQuestion
from memorybank.filters import EVENT_KINDS, Filters
from memorybank.viewer import can_log, export, selection
from memorybank.viewer.place import READER_VARIABLES, STDOUT

_MOST = 100_000

_EXAMPLES = """examples:
  memory-viewer                      a menu
  memory-viewer --summary
  memory-viewer --anomalies 20 --since 2h --severity critical
  memory-viewer --events 50 --charge-point CP-1 | cut -f 1,4
  memory-viewer --follow --kind status_changed
  memory-viewer --sessions 10 --json | jq .energy_wh
  memory-viewer --export memory.json --pseudonymise
  memory-viewer --export readings.parquet --since 2026-11-22 --until 2026-11-23
  memory-viewer --export events.csv --table events --charge-point CP-1
  memory-viewer --can-log bus.asc --charge-point CP-1 --since 15m
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, without the usage."""
        raise WrongQuestion(f"{message} (see --help)")


def parse(arguments: Sequence[str] | None, now: datetime) -> argparse.Namespace:
    """Return what is asked, `filters` among it; times ago count from `now`. Raises WrongQuestion."""
    asked = _parser(now).parse_args(arguments)
    asked.filters = Filters(
        charge_point_id=asked.charge_point,
        since=asked.since,
        until=asked.until,
        kind=asked.kind,
        severity=asked.severity,
    )
    _refuse_strangers(asked)
    if asked.export is not None:
        asked.format = _format(asked.export, asked.format, export.FORMATS, "json")
    if asked.can_log is not None:
        asked.format = _format(asked.can_log, asked.format, can_log.FORMATS, "log")
    return asked


def _parser(now: datetime) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="memory-viewer",
        description="Ask the MemoryBank. Without a question: a menu. All times are UTC.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )

    def at(text: str) -> datetime:
        try:
            return instant(text, now)
        except (ValueError, OverflowError):
            raise argparse.ArgumentTypeError(f"{text!r} is no time: {TIMES}") from None

    questions = parser.add_argument_group("questions").add_mutually_exclusive_group()
    questions.add_argument("--summary", action="store_true", help="how much is remembered, since when")
    questions.add_argument("--events", type=_number, metavar="N", help="the newest N events")
    questions.add_argument("--anomalies", type=_number, metavar="N", help="the newest N anomalies")
    questions.add_argument("--sessions", type=_number, metavar="N", help="the newest N sessions")
    questions.add_argument(
        "--verdicts", type=_number, metavar="N", help="the newest N verdicts of detectors that are not ours"
    )
    questions.add_argument(
        "--stats", action="store_true", help="charge points, patterns, sources, what is lost, sizes"
    )
    questions.add_argument(
        "--check", action="store_true", help="count every number again; exit status 1: not sound"
    )
    questions.add_argument(
        "--export",
        type=_file,
        metavar="FILE",
        help="to FILE.json, .csv or .parquet; - is the standard output",
    )
    questions.add_argument(
        "--can-log", type=_file, metavar="FILE", help="the CAN traffic, to FILE.asc, .blf or .log (candump)"
    )
    parser.add_argument(
        "--follow",
        action="store_true",
        help="go on with what is stored from now on (events; or with --anomalies)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")

    filters = parser.add_argument_group("filters")
    filters.add_argument("--charge-point", type=_name, metavar="ID", help="of one charge point")
    filters.add_argument("--since", type=at, metavar="TIME", help="ISO 8601, or ago: 15m, 2h, 3d")
    filters.add_argument("--until", type=at, metavar="TIME", help="the same; not included")
    filters.add_argument(
        "--kind",
        type=_name,
        help=f"of events: {', '.join(EVENT_KINDS)}; or of anomalies, e.g. repeated-current-fluctuation",
    )
    filters.add_argument("--severity", choices=SEVERITIES, help="of anomalies")

    exports = parser.add_argument_group("exports")
    exports.add_argument(
        "--table",
        choices=(*selection.TABLES, export.ALL),
        metavar="NAME",
        help=f"one table (.csv and .parquet: {export.DEFAULT_TABLE} by default; all: a file each): "
        f"{', '.join(selection.TABLES)}",
    )
    exports.add_argument("--format", choices=(*export.FORMATS, *can_log.FORMATS), help="what goes to -")
    exports.add_argument(
        "--truth", action="store_true", help="with ground truth: labels, and each row's run_id"
    )
    exports.add_argument("--pseudonymise", action="store_true", help="id tags as keyed hashes")
    exports.add_argument(
        "--key", type=_key, metavar="KEY", help="of these hashes, or @FILE with it; else new for each export"
    )

    place = parser.add_argument_group("where")
    place.add_argument(
        "--home", metavar="FOLDER", help="the folder of an embedded bench (default .chargebench)"
    )
    place.add_argument(
        "--database",
        metavar="URL",
        help=f"default: ${', $'.join(READER_VARIABLES)}, or the bench that runs here",
    )
    return parser


def _refuse_strangers(asked: argparse.Namespace) -> None:
    """Refuse what does not go together, rather than pass over it. Raises WrongQuestion."""
    writes = asked.export is not None or asked.can_log is not None
    for given, name, fits, needed in (
        (asked.table, "--table", asked.export is not None, "--export"),
        (asked.truth, "--truth", asked.export is not None, "--export"),
        (asked.pseudonymise, "--pseudonymise", asked.export is not None, "--export"),
        (asked.key, "--key", asked.pseudonymise, "--pseudonymise"),
        (asked.format, "--format", STDOUT in {asked.export, asked.can_log}, "--export - or --can-log -"),
        (asked.json, "--json", not writes, "what is shown, not with what is written to a file"),
    ):
        if given and not fits:
            raise WrongQuestion(f"{name} goes with {needed}")
    strange = [name for name in ("summary", "sessions", "verdicts", "stats", "check") if getattr(asked, name)]
    if asked.follow and (strange or writes):
        raise WrongQuestion("--follow goes alone, with --events or with --anomalies")
    if asked.home is not None and asked.database is not None:
        raise WrongQuestion("--home and --database name two memories")
    if asked.summary:
        asked.filters.narrowing("the summary")
    if asked.check:
        asked.filters.narrowing("the recount")


def _format(path: Path, given: str | None, known: Sequence[str], default: str) -> str:
    form = (given or default) if path == STDOUT else path.suffix.removeprefix(".")
    if form not in known:
        raise WrongQuestion(f"{str(path)!r} does not end in {', '.join(f'.{name}' for name in known)}")
    return form


def _number(text: str) -> int:
    # Python converts no text of thousands of digits.
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(_MOST))
    if not is_number or not 1 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r:.40} is no number from 1 to {_MOST}")
    return int(text)


def _name(text: str) -> str:
    # What is no UTF-8 comes as lone surrogates.
    if not text or "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name")
    return text


def _key(text: str) -> str:
    if text in ("", "@"):
        # With an empty key, e.g. of a variable that is not set, everybody could try tags out.
        raise argparse.ArgumentTypeError("it is empty")
    return text


def _file(text: str) -> Path:
    path = Path(text)
    if path != STDOUT and not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r}")
    return path

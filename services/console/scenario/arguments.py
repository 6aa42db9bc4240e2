"""The command line of `chargebench scenario`. What is wrong is one line."""

import argparse
import math
from datetime import UTC, datetime
from pathlib import Path

from chassis.command_line import Parser, seconds, whole
from chassis.times import TIMES, instant
from console.scenario.export import STDOUT

MOST_SEED = 2**53 - 1
FORMATS = ("json", "csv")

_EXAMPLES = """examples:
  {prog} list
  {prog} show can-flood
  {prog} list --mixes
  {prog} show attacks-and-life
  {prog} run repeated-current-fluctuation --on CP-2 --set high_a=63 --seed 7
  {prog} run can-flood thermal-tamper --on CP-1,CP-2 --pause 10 --replace
  {prog} run --mix attacks-and-life --all --seed 7 --for 3600
  {prog} stop                       everything, and what was done is undone
  {prog} runs --on CP-2 --since 2h
  {prog} compare 3f2a 91bc
  {prog} export runs.csv --since 2026-11-22

Example with Docker: CHARGEBENCH_TOKEN=development-only {prog} list
Exit status: 0; 1 where the run failed; 2 where it could not start; 130 after Ctrl-C.
"""


def parse(arguments: list[str], prog: str) -> argparse.Namespace:
    """Return what was asked for; ends with status 2 on nonsense."""
    parser = Parser(
        prog=prog,
        description="The scenarios of a running bench: look at them, run them, stop them, compare the runs.",
        epilog=_EXAMPLES.format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def command(name: str, what: str, example: str, more: str = "") -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=what,
            description=f"{what[0].upper()}{what[1:]}. {more}".rstrip(),
            epilog=f"Example: {prog} {name} {example}",
        )
        _add_place(added)
        return added

    listed = command(
        "list", "the scenarios and mixes that can be run", "flood", "With words: those that hold them all."
    )
    listed.add_argument("words", nargs="*", metavar="WORD", help="in name, number or title")
    listed.add_argument("--mixes", action="store_true", help="the mixes and sequences instead")
    shown = command(
        "show",
        "one scenario, its parameters, what it imitates; or a mix, what it runs",
        "can-flood",
        "`list` and `list --mixes` tell which there are.",
    )
    shown.add_argument("name", metavar="NAME", help="of a scenario or a mix")
    _add_run(
        command(
            "run",
            "run a scenario, several in sequence or a mix, and watch it to its end",
            "can-flood --on CP-2 --set duration_s=30 --seed 7",
            "Ctrl-C stops it and undoes what it did.",
        )
    )
    stopped = command(
        "stop",
        "stop runs and undo what they did",
        "3f2a",
        "Without RUN: every run and every transaction that one started; nothing starts by itself any more.",
    )
    stopped.add_argument("runs", nargs="*", metavar="RUN", help="its id, or how it begins")
    runs = command("runs", "the runs, the newest first", "--on CP-2 --since 2h")
    _add_filters(runs)
    runs.add_argument("--limit", type=whole(1, 10_000), default=20, metavar="N", help="default 20")
    compared = command(
        "compare",
        "runs side by side: parameters, timings, what was detected beside the truth",
        "3f2a 91bc",
    )
    compared.add_argument("runs", nargs="+", metavar="RUN", help="its id, or how it begins")
    exported = command(
        "export",
        "write runs with the labels of their truth",
        "runs.csv --since 2026-11-22",
        "A detector must not be given them: they are what it is scored against.",
    )
    exported.add_argument("file", type=Path, metavar="FILE", help="- for the standard output")
    exported.add_argument("runs", nargs="*", metavar="RUN", help="only these (default: all that are kept)")
    _add_filters(exported)
    exported.add_argument("--format", choices=FORMATS, help="default: as the file is called; json for -")
    asked = parser.parse_args(arguments)
    if asked.command == "run":
        if bool(asked.scenarios) == (asked.mix is not None):
            parser.error("run: name scenarios, or a mix with --mix")
        if asked.mix is not None and asked.set:
            parser.error("run: --set: a mix says its parameters itself")
        if asked.count is not None and asked.mix is None and len(asked.scenarios) == 1:
            parser.error("run: --count: of a mix or several scenarios; --for ends one")
    if asked.command == "export" and asked.format is None:
        asked.format = "json" if asked.file == STDOUT else asked.file.suffix.removeprefix(".").lower()
        if asked.format not in FORMATS:
            known = ", ".join(f".{name}" for name in FORMATS)
            parser.error(f"export: {str(asked.file)!r} does not end in {known}; or name a --format")
    return asked


def _add_place(command: argparse.ArgumentParser) -> None:
    where = command.add_mutually_exclusive_group()
    where.add_argument(
        "--url",
        help="the CSMS's API; may carry user:password@; the token is taken from $CHARGEBENCH_TOKEN",
    )
    where.add_argument(
        "--home",
        type=Path,
        help="folder of a bench that runs here (default $CHARGEBENCH_HOME or .chargebench, "
        "else $CSMS_API_URL or http://127.0.0.1:9001)",
    )
    command.add_argument("--json", action="store_true", help="JSON, an object a line, for programs")


def _add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "scenarios",
        nargs="*",
        metavar="SCENARIO",
        help="several: one after the other, each as long as it says",
    )
    run.add_argument("--mix", metavar="NAME|FILE.toml", help="one of `list --mixes`, or a file like these")
    where = run.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--on", action="extend", type=_names, metavar="CP[,CP…]", help="charge points; may be given again"
    )
    where.add_argument("--all", action="store_true", help="every connected charge point of the bench's own")
    run.add_argument(
        "--set",
        action="append",
        type=_assignment,
        default=[],
        metavar="NAME=VALUE",
        help="a parameter, in the unit that `show` tells; of several scenarios for those that have it",
    )
    run.add_argument(
        "--seed",
        type=whole(0, MOST_SEED),
        default=0,
        metavar="N",
        help="the same draws the same (default 0)",
    )
    run.add_argument(
        "--for", dest="lasts_s", type=seconds, metavar="S", help="end it after S seconds at the latest"
    )
    run.add_argument(
        "--count", type=whole(1, 10_000), metavar="N", help="of a mix or sequence: runs at each charge point"
    )
    run.add_argument(
        "--pause", dest="pause_s", type=seconds, default=10.0, metavar="S", help="in a sequence (default 10)"
    )
    run.add_argument("--replace", action="store_true", help="stop first what the charge points are in")
    run.add_argument("--detach", action="store_true", help="only start it; `stop` ends it")


def _add_filters(command: argparse.ArgumentParser) -> None:
    command.add_argument("--on", metavar="CP", help="only those that this charge point was in")
    command.add_argument("--since", type=_instant, metavar="TIME", help=f"not ended by then: {TIMES}")


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} holds an empty name")
    return names


def _assignment(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not name or not equals or not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not like high_a=63")
    return name.strip(), number


def _instant(text: str) -> datetime:
    try:
        return instant(text, datetime.now(UTC))
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: {TIMES}") from None

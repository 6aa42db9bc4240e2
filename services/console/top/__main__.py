"""`chargebench top`, and `console-top` in the console's container: `--help` says what there is."""

import argparse
import asyncio
import io
import os
import sys
from pathlib import Path

from rich.console import Console

from chassis.command_line import Parser
from console.top import terminal
from console.top.app import Top
from console.top.console_link import ConsoleAway, ConsoleLink
from console.top.picture import Picture, take
from console.top.place import NoSuchPlace, Place, find
from console.top.plain import absences, table

DESCRIPTION = (
    "Watch the bench in a terminal: every charge point with its current, what is open, how fast events go. "
    "Without a terminal, or with --once, print one plain table and end."
)
EPILOG = (
    "Example: chargebench top --url http://me:password@bench.example:8080\n"
    "Exit status: 0, or 1 with --once where a service is away; 2 where the console is not reached."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be asked for."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--url", help="the console's address; may carry user:password@")
    where.add_argument(
        "--home",
        type=Path,
        help="folder of a bench that runs here (default $CHARGEBENCH_HOME or .chargebench, "
        "else http://127.0.0.1:8080)",
    )
    parser.add_argument("--once", action="store_true", help="print one plain table and end")


def run(asked: argparse.Namespace, prog: str = "chargebench top") -> int:
    """Do what was asked for; return the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that is not UTF-8 still shows the numbers
    try:
        place = find(asked.url, asked.home, os.environ, Path.cwd())
        if asked.once or not terminal.is_there():
            return asyncio.run(_once(place))
        asyncio.run(Top(place, Console(highlight=False)).run())
    except (NoSuchPlace, ConsoleAway) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # as `chargebench top | head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    return 0


async def _once(place: Place) -> int:
    async with ConsoleLink(place.console, place.shown) as link:
        picture = take(Picture(), "snapshot", await link.once())
    print("\n".join(table(picture)), flush=True)
    missing = absences(picture)
    for text in missing:
        print(text, file=sys.stderr)
    return 1 if missing else 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = Parser(
        prog="console-top",
        description=DESCRIPTION,
        epilog=EPILOG.replace("chargebench top", "console-top"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments), parser.prog)


if __name__ == "__main__":
    sys.exit(main())

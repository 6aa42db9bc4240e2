"""`memory-viewer`: its arguments, and what they show."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import psycopg
from psycopg.conninfo import conninfo_to_dict

from memorybank.errors import StoreUnavailable
from memorybank.reader import Reader
from memorybank.viewer import menu, pages
from memorybank.viewer.export import export
from memorybank.viewer.show import Screen

EXIT_WRONG = 2
_VARIABLES = ("MEMORYBANK_READER_URL", "DATABASE_READER_URL", "DATABASE_URL")
_TIMEOUT_S = 30.0
_MOST = 100_000

_EXAMPLES = """examples:
  memory-viewer                      a menu
  memory-viewer --summary
  memory-viewer --anomalies 20
  memory-viewer --events 50 | cut -f 1,4
  memory-viewer --export memory.json --database postgresql://user:password@host/chargebench
"""


class WrongInput(Exception):  # noqa: N818 - named after what it is
    """What the user asked cannot be done; one line that says why."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, without the usage."""
        raise WrongInput(f"{message} (see --help)")


def main(arguments: Sequence[str] | None = None) -> None:
    """Answer the question in the arguments; exit status 2 and one line on stderr for what cannot be."""
    try:
        _answer(_parser().parse_args(arguments))
    except (WrongInput, StoreUnavailable) as error:
        line = " ".join(str(error).split())
        print(f"memory-viewer: {line}", file=sys.stderr)
        sys.exit(EXIT_WRONG)
    except BrokenPipeError:
        # The reader of our output has seen enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        sys.exit(130)


def database_url(given: str | None, environ: Mapping[str, str], folder: Path) -> str:
    """Return where the memory is: as given, from the environment, or of the bench that runs in `folder`.

    Raises WrongInput.
    """
    found = given or next((environ[name] for name in _VARIABLES if environ.get(name)), None)
    if found is None:
        files = [environ[f"{name}_FILE"] for name in _VARIABLES if environ.get(f"{name}_FILE")]
        home = folder / (environ.get("CHARGEBENCH_HOME") or ".chargebench")
        file = Path(files[0]) if files else home / "viewer.url"
        try:
            found = file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise WrongInput("no bench runs here: give --database URL, or set DATABASE_URL") from None
        except OSError as error:
            raise WrongInput(f"{file}: {error.strerror}") from error
    try:
        conninfo_to_dict(found)
    except psycopg.ProgrammingError as error:
        raise WrongInput("the database URL is none: postgresql://user:password@host:port/name") from error
    return found


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="memory-viewer",
        description="Ask the MemoryBank. Without a question: a menu.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    question = parser.add_mutually_exclusive_group()
    question.add_argument("--summary", action="store_true", help="how much is remembered, since when")
    question.add_argument("--events", type=_number, metavar="N", help="the newest N events")
    question.add_argument("--anomalies", type=_number, metavar="N", help="the newest N anomalies")
    question.add_argument("--sessions", type=_number, metavar="N", help="the newest N sessions")
    question.add_argument("--stats", action="store_true", help="charge points, patterns, sources, sizes")
    question.add_argument("--export", type=_file, metavar="FILE.json", help="everything, as JSON")
    parser.add_argument(
        "--database", metavar="URL", help=f"default: ${', $'.join(_VARIABLES)}, or the bench that runs here"
    )
    return parser


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_MOST}")
    return int(text)


def _file(text: str) -> Path:
    path = Path(text)
    if path.suffix != ".json":
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .json")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r}")
    return path


def _answer(asked: argparse.Namespace) -> None:
    url = database_url(asked.database, os.environ, Path.cwd())
    screen = Screen()
    with Reader(url, timeout_s=_TIMEOUT_S) as reader:
        if asked.summary:
            pages.summary(reader, screen)
        elif asked.events:
            pages.events(reader, screen, asked.events)
        elif asked.anomalies:
            pages.anomalies(reader, screen, asked.anomalies)
        elif asked.sessions:
            pages.sessions(reader, screen, asked.sessions)
        elif asked.stats:
            pages.statistics(reader, screen)
        elif asked.export:
            try:
                rows = export(reader, asked.export, progress=sys.stderr if sys.stderr.isatty() else None)
            except OSError as error:
                raise WrongInput(f"{asked.export}: {error.strerror}") from error
            print(f"{rows} rows in {asked.export}")
        elif sys.stdin.isatty():
            menu.run(reader, screen)
        else:
            raise WrongInput("no terminal for the menu; ask e.g. --summary (see --help)")


if __name__ == "__main__":
    main()

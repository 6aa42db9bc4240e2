"""Where the memory is, and where what is written of it goes."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg
from psycopg.conninfo import conninfo_to_dict

from chassis.bench_home import usual_home
from memorybank.errors import WrongQuestion

STDOUT = Path("-")

READER_VARIABLES = ("MEMORYBANK_READER_URL", "DATABASE_READER_URL", "DATABASE_URL")
_TRUTH_VARIABLES = ("DATABASE_URL", *READER_VARIABLES)
"""The writer's first: a reader may not see the truth."""


@dataclass(frozen=True, slots=True)
class Place:
    """A database's URL; `home` is the folder of the embedded bench that told it."""

    url: str
    home: Path | None = None


def find(
    database: str | None, home: str | None, environ: Mapping[str, str], folder: Path, *, truth: bool = False
) -> Place:
    """Return where the memory is: as given, from the environment, or of the bench that runs in `folder`.

    With `truth`, of a user who may see it. Raises WrongQuestion.
    """
    variables = _TRUTH_VARIABLES if truth else READER_VARIABLES
    if database is not None:
        place = Place(database)
    elif home is not None:
        place = _of_bench(folder / home, truth=truth)
    elif url := next((environ[name] for name in variables if environ.get(name)), None):
        place = Place(url)
    elif file := next((environ[f"{name}_FILE"] for name in variables if environ.get(f"{name}_FILE")), None):
        place = Place(_read(Path(file)))
    else:
        place = _of_bench(folder / usual_home(environ), truth=truth)
    try:
        conninfo_to_dict(place.url)
    except psycopg.ProgrammingError as error:
        raise WrongQuestion("the database URL is none: postgresql://user:password@host:port/name") from error
    return place


def _of_bench(home: Path, *, truth: bool) -> Place:
    return Place(_read(home / ("truth.url" if truth else "viewer.url")), home)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        raise WrongQuestion(
            f"no bench runs here, there is no {file}: give --home FOLDER, --database URL, or set DATABASE_URL"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise WrongQuestion(f"{file}: {getattr(error, 'strerror', None) or error}") from error


@contextlib.contextmanager
def appearing_path(path: Path) -> Iterator[Path]:
    """Give the path of a file to write; it gets its name when it is whole."""
    unfinished = path.with_name(f"{path.name}.part")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def appearing(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write that appears when it is whole; `-` is the standard output."""
    if path == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with appearing_path(path) as unfinished, unfinished.open("wb") as file:
        yield file

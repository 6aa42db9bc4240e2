"""How the pages are written that are made from the code."""

import argparse
from collections.abc import Callable
from pathlib import Path


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return what reads the command line of a page."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--check", action="store_true", help="write nothing; status 1 when it is out of date")
    return made


def run(description: str | None, path: Path, page: Callable[[], str]) -> int:
    """Write the page, or with --check say whether it is up to date; return the exit status."""
    return write(path, page, check=parser(description).parse_args().check)


def write(path: Path, page: Callable[[], str], *, check: bool) -> int:
    """Write the page, or only `check` whether it is up to date; return the exit status."""
    if check:
        return int(path.read_text(encoding="utf-8") != page())
    path.write_text(page(), encoding="utf-8")
    return 0

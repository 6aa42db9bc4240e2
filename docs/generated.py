"""How the pages are written that are made from the code."""

import argparse
from collections.abc import Callable
from pathlib import Path


def run(description: str | None, path: Path, page: Callable[[], str]) -> int:
    """Write the page, or with --check say whether it is up to date; return the exit status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 when it is out of date")
    if parser.parse_args().check:
        return int(path.read_text(encoding="utf-8") != page())
    path.write_text(page(), encoding="utf-8")
    return 0

"""The queries: named, in files, so that they can be read, run and explained as SQL."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)


@cache
def queries(file_name: str) -> dict[str, bytes]:
    """Return the queries of a file of this folder by their names: each stands below a line `-- name --`."""
    return named((files(__package__) / file_name).read_text(encoding="utf-8"))


def named(text: str) -> dict[str, bytes]:
    """Return the queries of such a text by their names."""
    parts = _NAME.split(text)
    return {name: body.strip().encode() for name, body in zip(parts[1::2], parts[2::2], strict=True)}

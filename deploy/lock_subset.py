"""Print the part of requirements.lock that one extra of pyproject.toml needs, hashes and all.

    python deploy/lock_subset.py charger > subset.txt
    pip install --require-hashes --no-deps -r subset.txt

So that each service's image holds its own dependencies only, while versions stand in one file. It imports the
standard library only, because it runs before anything is installed.
"""  # noqa: INP001 - a script, no package

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)\s*(?:\[(?P<extras>[^\]]*)\])?")
# `# via fastapi`, or one name a line below a bare `# via`.
_VIA = re.compile(r"^\s+#\s+(?:via\s+)?(?P<name>(?!via$)[A-Za-z0-9._-]+)")


class SubsetError(Exception):
    """The extra is unknown, or something that it needs is not locked."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A pinned distribution: its lines in the lock (at times a pin a marker), and who asked for it."""

    text: str
    wanted_by: frozenset[str]


def normalised(name: str) -> str:
    """Return a distribution's name as packaging compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def named_by(project: Mapping[str, Any], extra: str) -> set[str]:
    """Return the distributions that the project and its extra name, following extras of its own."""
    own_name = normalised(project["name"])
    extras = project["optional-dependencies"]
    names: set[str] = set()
    seen: set[str] = set()
    pending = [extra]
    while pending:
        wanted = pending.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        if wanted not in extras:
            raise SubsetError(f"no extra {wanted!r} in pyproject.toml, only {', '.join(sorted(extras))}")
        for requirement in [*project["dependencies"], *extras[wanted]]:
            match = _REQUIREMENT.match(requirement)
            if match is None:
                raise SubsetError(f"no name in {requirement!r}")
            if normalised(match["name"]) == own_name:
                pending += [part.strip() for part in (match["extras"] or "").split(",")]
            else:
                names.add(normalised(match["name"]))
    return names


def locked(lock: str) -> dict[str, Locked]:
    """Return the lock's requirements by name, in its order."""
    found: dict[str, Locked] = {}
    for text in _blocks(lock):
        match = _REQUIREMENT.match(text)
        if match is None or "--hash=" not in text:
            raise SubsetError(f"no requirement with hashes: {text[:80]!r}")
        wanted_by = {normalised(via["name"]) for via in map(_VIA.match, text.splitlines()) if via}
        name = normalised(match["name"])
        before = found.get(name, Locked("", frozenset()))
        found[name] = Locked(before.text + text, before.wanted_by | wanted_by)
    return found


def _blocks(lock: str) -> Iterator[str]:
    block: list[str] = []
    for line in lock.splitlines(keepends=True):
        if block and not line[0].isspace():
            yield "".join(block)
            block = []
        if block or _REQUIREMENT.match(line):
            block.append(line)
    if block:
        yield "".join(block)


def subset(project: Mapping[str, Any], lock: str, extra: str) -> str:
    """Return the lines of the lock for an extra and everything that it draws in; raises SubsetError.

    What a kept distribution wants is kept even where only features of it that nobody uses here want it: the
    lock's comments name distributions, not their extras.
    """
    requirements = locked(lock)
    kept = named_by(project, extra)
    missing = kept - requirements.keys()
    if missing:
        raise SubsetError(f"not in the lock: {', '.join(sorted(missing))}")
    while drawn_in := {name for name, found in requirements.items() if found.wanted_by & kept} - kept:
        kept |= drawn_in
    return "".join(found.text for name, found in requirements.items() if name in kept)


def main() -> None:
    """Print the subset for the extra named by the only argument."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = Path(__file__).resolve().parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = (root / "requirements.lock").read_text(encoding="utf-8")
    try:
        sys.stdout.write(subset(project, lock, sys.argv[1]))
    except SubsetError as error:
        sys.exit(f"lock_subset: {error}")


if __name__ == "__main__":
    main()

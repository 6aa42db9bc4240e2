"""Install what a file of pinned requirements lists, and tell how far it is.

    python deploy/install.py requirements.lock [pip's options]

pip itself either says a hundred lines or nothing at all for minutes. Exit status and errors are pip's.
It imports the standard library only, because it runs before anything is installed.
"""  # noqa: INP001 - a script, no package

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_PINNED = re.compile(r"^[A-Za-z0-9._-]+(\[[^\]]*\])?==", re.MULTILINE)
_BEGUN = re.compile(r"^(?:Collecting|Requirement already satisfied:|Ignoring) ([A-Za-z0-9._-]+)")
_EACH = 20
"""Where nobody looks (a log), every twentieth is told."""


def told(lines: Iterable[str], count: int) -> Iterator[tuple[int, str]]:
    """Yield of pip's lines how many of `count` packages are begun, and what to say; 0 when all are there."""
    begun = 0
    for line in lines:
        found = _BEGUN.match(line)
        if found:
            begun = min(begun + 1, count)
            yield begun, f"{begun} of {count} packages: {found[1]}"
        elif line.startswith("Installing collected packages"):
            yield 0, f"{begun} of {count} packages fetched; installing them"


def main(requirements: str, options: list[str]) -> int:
    """Run pip; return its exit status."""
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    count = len(_PINNED.findall(Path(requirements).read_text(encoding="utf-8")))
    is_terminal = sys.stdout.isatty()
    command += [*options, "--require-hashes", "-r", requirements]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as pip:  # noqa: S603 - pip itself
        for number, text in told(pip.stdout or (), count):
            if is_terminal:
                sys.stdout.write(f"\r\x1b[K  {text}")
            elif number % _EACH == 0:
                sys.stdout.write(f"  {text}\n")
            sys.stdout.flush()
    if is_terminal:
        sys.stdout.write("\r\x1b[K")
    return pip.returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit(130)

"""The viewer as a process of a test: piped, and at a terminal."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import terminal_parts
from terminal_parts import Terminal


def environ(url: str | None = None, **more: str) -> dict[str, str]:
    """Return the environment of a viewer that knows of no memory but that one."""
    inherited = {k: v for k, v in os.environ.items() if "DATABASE" not in k and k != "CHARGEBENCH_HOME"}
    return {**inherited, **more, **({"DATABASE_URL": url} if url else {})}


def view(
    *arguments: str, url: str | None = None, cwd: Path | None = None, **more: str
) -> "subprocess.CompletedProcess[str]":
    """Return what the viewer answers to a program."""
    return subprocess.run(
        [sys.executable, "-m", "memorybank.viewer", *arguments],
        env=environ(url, **more),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@contextmanager
def at_terminal(*arguments: str, url: str, columns: int = 200, cwd: Path | None = None) -> Iterator[Terminal]:
    """Start a viewer at a terminal of that width; end it afterwards."""
    command = [sys.executable, "-m", "memorybank.viewer", "--database", url, *arguments]
    with terminal_parts.at_terminal(
        command, columns=columns, environ=environ(TERM="xterm"), cwd=cwd
    ) as terminal:
        yield terminal

"""The viewer as a process of a test: piped, and at a terminal."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_STYLE = re.compile(r"\x1b\[[0-9;]*[mK]")


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


class Terminal:
    """A viewer at a terminal: what it shows, what is typed."""

    def __init__(self, process: "subprocess.Popen[bytes]", terminal: int) -> None:
        self.process = process
        self._terminal = terminal
        self._shown = b""

    @property
    def shown(self) -> str:
        """What stands there, without colours."""
        return _STYLE.sub("", self._shown.decode(errors="replace")).replace("\r\n", "\n")

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def wait_for(self, text: str, *, times: int = 1, timeout_s: float = 30.0) -> None:
        """Read until a text is shown so often; fail with what was shown instead."""
        deadline_s = time.monotonic() + timeout_s
        while self.shown.count(text) < times:
            if time.monotonic() > deadline_s or not self._read(0.2):
                pytest.fail(f"waited in vain for {text!r}; shown: {self.shown}")

    def wait_end(self, timeout_s: float = 30.0) -> int:
        """Read to the end and return the exit status."""
        deadline_s = time.monotonic() + timeout_s
        while self._read(0.2):
            assert time.monotonic() < deadline_s, f"it does not end; shown: {self.shown}"
        return self.process.wait(timeout_s)

    def _read(self, timeout_s: float) -> bool:
        """Read what there is; return False at the end."""
        if not select.select([self._terminal], [], [], timeout_s)[0]:
            return True
        try:
            part = os.read(self._terminal, 65_536)
        except OSError:  # Linux's way to say that the other end is closed
            return False
        self._shown += part
        return bool(part)


@contextmanager
def at_terminal(*arguments: str, url: str, columns: int = 200, cwd: Path | None = None) -> Iterator[Terminal]:
    """Start a viewer at a terminal of that width; end it afterwards."""
    terminal, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "memorybank.viewer", "--database", url, *arguments],
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        env={k: v for k, v in environ(TERM="xterm").items() if k not in ("COLUMNS", "LINES")},
        cwd=cwd,
        # So that Ctrl-C, typed, reaches it as it would at a real terminal.
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads here
    )
    os.close(its_end)
    try:
        yield Terminal(process, terminal)
    finally:
        process.kill()
        process.wait(10)
        os.close(terminal)

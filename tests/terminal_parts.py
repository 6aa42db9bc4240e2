"""A program at a terminal, as a person has it: what it shows, what is typed."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_STYLE = re.compile(r"\x1b\[[0-9;]*[mK]")
_HOME = "\x1b[H"


class Terminal:
    """A program and its terminal."""

    def __init__(self, process: "subprocess.Popen[bytes]", terminal: int) -> None:
        self.process = process
        self._terminal = terminal
        self._shown = b""

    @property
    def shown(self) -> str:
        """What stands there, without colours."""
        return _STYLE.sub("", self._shown.decode(errors="replace")).replace("\r\n", "\n")

    @property
    def raw(self) -> bytes:
        """Everything that was written to it."""
        return self._shown

    @property
    def screen(self) -> str:
        """What a program that draws whole screens drew last, without colours."""
        return self.shown.rpartition(_HOME)[2]

    def resize(self, columns: int, lines: int) -> None:
        """Make the window another size; the program is told."""
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def wait_for(self, text: str, *, times: int = 1, timeout_s: float = 60.0) -> None:
        """Read until a text is shown so often; fail with what was shown instead."""
        deadline_s = time.monotonic() + timeout_s
        while self.shown.count(text) < times:
            if time.monotonic() > deadline_s or not self._read(0.2):
                pytest.fail(f"waited in vain for {text!r}; shown: {self.shown}")

    def wait_for_screen(self, *texts: str, without: str | None = None, timeout_s: float = 60.0) -> str:
        """Read until all texts stand on one screen, and another does not; return that screen."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            screen = self.screen
            if all(text in screen for text in texts) and (without is None or without not in screen):
                return screen
            if time.monotonic() > deadline_s or not self._read(0.2):
                pytest.fail(f"waited in vain for {texts} without {without!r}; shown: {screen}")

    def wait_end(self, timeout_s: float = 60.0) -> int:
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
def at_terminal(
    command: Sequence[str],
    *,
    columns: int = 200,
    lines: int = 50,
    environ: Mapping[str, str],
    cwd: Path | None = None,
) -> Iterator[Terminal]:
    """Start a program at a terminal of that size; end it afterwards."""
    terminal, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen(
        command,
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        env={k: v for k, v in environ.items() if k not in ("COLUMNS", "LINES")},
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

"""A terminal that a program has for itself: keys as they are typed, a screen of its own, then given back."""

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

_CONTROLS_OFF = termios.IXON | termios.IXOFF
"""Ctrl-S would stop our output, and with it the loop."""


class Screen:
    """The terminal, taken while `taken()` is entered."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._input = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._input)

    @property
    def input(self) -> int:
        """Where keys are read."""
        return self._input

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, now."""
        width, height = self._console.size
        return max(1, width), max(1, height)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have the terminal while inside; give it back as it was."""
        self._take()
        try:
            yield
        finally:
            self._give_back()

    def show(self, lines: Sequence[Text]) -> None:
        """Put the lines on the screen."""
        self._live.update(Group(*lines), refresh=True)

    def suspend(self) -> None:
        """Give the terminal back and stop, as Ctrl-Z asks; go on when the shell says so."""
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()

    def read(self) -> bytes:
        """Return what was typed, b"" at its end; never waits."""
        if not select.select([self._input], [], [], 0)[0]:
            return b""
        try:
            return os.read(self._input, 1024)
        except OSError:  # the terminal is gone
            return b""

    def _take(self) -> None:
        tty.setcbreak(self._input)
        mode = termios.tcgetattr(self._input)
        mode[0] &= ~_CONTROLS_OFF
        termios.tcsetattr(self._input, termios.TCSADRAIN, mode)
        self._live.start()

    def _give_back(self) -> None:
        self._live.stop()
        termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)


def is_there() -> bool:
    """Return whether somebody sits at a terminal that can do what we need."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "")

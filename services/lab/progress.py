"""How far work of minutes is: on one line of a terminal, in a log every tenth and the end."""

import sys
import time

_LEAST = 0.01
"""Of less than this share nobody can say how long the rest takes."""


class Progress:
    """Begins with the work that it tells of, on the standard output."""

    def __init__(self) -> None:
        self._started_s = time.monotonic()
        self._told = 0.0

    def tell(self, share: float, done: str) -> None:
        """Tell that this share of the work, in words `done`, is behind us."""
        is_terminal = sys.stdout.isatty()
        if not is_terminal:
            if share - self._told < 0.1 and not self._told < share == 1:
                return
            self._told = share
        text = line(share, done, time.monotonic() - self._started_s)
        _write(f"\r{text:70}" if is_terminal else f"{text}\n")

    def over(self) -> None:
        """End the line."""
        if sys.stdout.isatty():
            _write("\n")


def line(share: float, done: str, took_s: float) -> str:
    """Return what is told after so many seconds; how long the rest takes, once that can be said."""
    left = f", about {took_s / share * (1 - share):,.0f} s to go" if _LEAST < share < 1 else ""
    return f"{done} after {took_s:,.0f} s{left}"


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()

"""Simulated time: what is due, in order, and processes that sleep and wait in it."""

import heapq
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

LOOK_S = 0.01
"""How often a process that waits for a condition looks at it."""


@dataclass(frozen=True, slots=True)
class Until:
    """Wait until the condition holds, or until the deadline; looked at every `look_s`."""

    condition: Callable[[], bool]
    timeout_s: float
    look_s: float = LOOK_S


Waiting: TypeAlias = float | Until
Process: TypeAlias = Generator[Waiting, None, None]
"""Yields how long it sleeps, or what it waits for."""


class Agenda:
    """What is due when, in seconds since `begin_at`; things that are due together come in their order."""

    def __init__(self, begin_at: datetime) -> None:
        self.now_s = 0.0
        self._begin_at = begin_at
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0

    @property
    def now(self) -> datetime:
        """The instant that it is."""
        return self._begin_at + timedelta(seconds=self.now_s)

    def instant(self, at_s: float) -> datetime:
        """Return another instant, in seconds since the begin."""
        return self._begin_at + timedelta(seconds=at_s)

    @property
    def next_s(self) -> float | None:
        """When the next thing is due; None: never."""
        return self._due[0][0] if self._due else None

    def at(self, due_s: float, do: Callable[[], None]) -> None:
        """Do something at an instant; one that is past means now."""
        self._order += 1
        heapq.heappush(self._due, (max(due_s, self.now_s), self._order, do))

    def after(self, delay_s: float, do: Callable[[], None]) -> None:
        """Do something so much later."""
        self.at(self.now_s + delay_s, do)

    def do_next(self) -> None:
        """Let time pass to what is due next, and do it; IndexError where nothing is."""
        self.now_s, _, do = heapq.heappop(self._due)
        do()

    def start(self, process: Process) -> None:
        """Let a process run from now on."""
        self.at(self.now_s, lambda: self._resume(process))

    def _resume(self, process: Process) -> None:
        waiting = next(process, None)
        if isinstance(waiting, Until):
            self._look(process, waiting, self.now_s + waiting.timeout_s)
        elif waiting is not None:
            self.after(waiting, lambda: self._resume(process))

    def _look(self, process: Process, waiting: Until, deadline_s: float) -> None:
        if waiting.condition() or self.now_s >= deadline_s:
            self._resume(process)
        else:
            due_s = min(deadline_s, self.now_s + waiting.look_s)
            self.at(due_s, lambda: self._look(process, waiting, deadline_s))

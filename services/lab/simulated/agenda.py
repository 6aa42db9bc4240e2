"""Simulated time: what is due, in order, and processes that sleep and wait in it."""

import heapq
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

NEVER_S = float("inf")


@dataclass(frozen=True, slots=True)
class Until:
    """Wait until the condition holds, which is looked at whenever `Agenda.look` says so, or time is up."""

    condition: Callable[[], bool]
    timeout_s: float


Waiting: TypeAlias = float | Until
Process: TypeAlias = Generator[Waiting, None, None]
"""Yields how long it sleeps, or what it waits for."""


@dataclass(slots=True, eq=False)
class _Waiter:
    process: Process
    condition: Callable[[], bool]
    is_over: bool = False


class Agenda:
    """What is due when, in seconds since `begin_at`; things that are due together come in their order."""

    def __init__(self, begin_at: datetime) -> None:
        self.now_s = 0.0
        self._begin_at = begin_at
        self._now, self._now_is_s = begin_at, 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._waiters: list[_Waiter] = []

    @property
    def now(self) -> datetime:
        """The instant that it is."""
        if self._now_is_s != self.now_s:
            self._now, self._now_is_s = self.instant(self.now_s), self.now_s
        return self._now

    def instant(self, at_s: float) -> datetime:
        """Return another instant, in seconds since the begin."""
        return self._begin_at + timedelta(seconds=at_s)

    @property
    def next_s(self) -> float:
        """When the next thing is due."""
        return self._due[0][0] if self._due else NEVER_S

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

    def look(self) -> None:
        """Something changed that processes may wait for: those whose condition holds go on."""
        for waiter in self._waiters:
            if not waiter.is_over and waiter.condition():
                self._go_on(waiter)
        self._waiters = [waiter for waiter in self._waiters if not waiter.is_over]

    def _go_on(self, waiter: _Waiter) -> None:
        if not waiter.is_over:
            waiter.is_over = True
            self.start(waiter.process)

    def _resume(self, process: Process) -> None:
        waiting = next(process, None)
        if waiting is None:
            return
        if not isinstance(waiting, Until):
            self.after(waiting, lambda: self._resume(process))
        elif waiting.timeout_s <= 0 or waiting.condition():
            self.start(process)
        else:
            waiter = _Waiter(process, waiting.condition)
            self._waiters.append(waiter)
            self.after(waiting.timeout_s, lambda: self._go_on(waiter))

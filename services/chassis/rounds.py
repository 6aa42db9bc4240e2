"""What many do once a period each, spread over the period: one timer for all of them.

A task or a timer for each of a thousand would cost more than what they do, and started together they would
all be due at one moment, every second again.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import TypeAlias

Action: TypeAlias = Callable[[], None]

SLOTS = 20


class Rounds:
    """Calls what has joined once every `period_s`, each in its slot of the period, while `run` runs."""

    def __init__(self, period_s: float = 1.0) -> None:
        self._slot_s = period_s / SLOTS
        self._slots: tuple[dict[object, Action], ...] = tuple({} for _ in range(SLOTS))
        self.late_s = 0.0
        """By how much the last slot came too late."""

    @contextmanager
    def joined(self, action: Action) -> Iterator[None]:
        """Have `action` called once a period while inside, in the slot that has the fewest.

        It sees the context variables of who joined.
        """
        slot = min(self._slots, key=len)
        member = object()
        slot[member] = partial(copy_context().run, action)
        try:
            yield
        finally:
            del slot[member]

    async def run(self) -> None:
        """Never return; what an action raises ends it. A slot that is a period late is left out."""
        loop = asyncio.get_running_loop()
        due = int(loop.time() / self._slot_s) + 1
        while True:
            await asyncio.sleep(due * self._slot_s - loop.time())
            now = int(loop.time() / self._slot_s)
            self.late_s = max(0.0, loop.time() - due * self._slot_s)
            for number in slots_due(due, now):
                for action in list(self._slots[number % SLOTS].values()):
                    action()
            due = max(due, now) + 1


def slots_due(due: int, now: int) -> range:
    """Return the slots whose turn has come: from the one waited for to the present, a period at most.

    Where the clock is a moment behind, the one that was waited for.
    """
    now = max(due, now)
    return range(max(due, now - SLOTS + 1), now + 1)

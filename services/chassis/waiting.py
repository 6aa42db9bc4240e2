"""Waiting that costs next to nothing while nobody waits: what one task needs of asyncio's Event and Queue.

Those keep a deque for each kind of waiter from the start, which is 1 kB for an event and 4 kB for a queue; a
process with a thousand charge points has several thousand of both, nearly all of them at rest.
"""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Signal:
    """An event for one waiter at a time."""

    __slots__ = ("_is_set", "_waiter")

    def __init__(self) -> None:
        self._is_set = False
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        """Wake who waits, now or later, until `clear`."""
        self._is_set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Have the next one wait for the next `set`."""
        self._is_set = False

    async def wait(self) -> None:
        """Return once it is set; raises RuntimeError where somebody waits already."""
        if self._is_set:
            return
        if self._waiter is not None:
            raise RuntimeError("somebody waits for this already")
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None


class Mailbox(Generic[T]):
    """A queue of at most `most` items that one task takes, first come first served."""

    __slots__ = ("_arrived", "_items", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: list[T] = []  # a list: a deque is 0.7 kB even when empty
        self._arrived = Signal()

    def __len__(self) -> int:
        """Return how many items wait."""
        return len(self._items)

    def put(self, item: T) -> bool:
        """Add an item; False where it is full, and the item is not taken."""
        if len(self._items) >= self._most:
            return False
        self._items.append(item)
        self._arrived.set()
        return True

    async def take(self) -> T:
        """Return the oldest item, waiting for one."""
        while not self._items:
            self._arrived.clear()
            await self._arrived.wait()
        return self._items.pop(0)

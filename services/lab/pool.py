"""Worker processes that end with whoever began them, whether interrupted, terminated or killed."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

TELL_S = 0.5
CONTEXT: SpawnContext = multiprocessing.get_context("spawn")
_is_over: list[Any] = []
"""Whether nobody wants what is being made any more, shared by all processes; outside a pool: empty."""


class Unwanted(Exception):  # noqa: N818 - nothing is wrong
    """What was begun is not wanted any more."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Where work is given out."""

    executor: ProcessPoolExecutor

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Give out a piece of work."""
        # A terminal interrupts all its processes. These, which are born deaf, end by `look`.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return self.executor.submit(work, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def pool(workers: int, begin: Callable[..., None] | None = None, *shared: Any) -> Iterator[Pool]:
    """Give a pool; each of its processes first runs `begin` with what is shared.

    It ends soon where this is left by an error, if work that takes long calls `look` now and then.
    """
    is_over = CONTEXT.Event()
    with ProcessPoolExecutor(workers, CONTEXT, _begin, (is_over, begin, shared)) as executor:
        try:
            yield Pool(executor)
        except BaseException:
            is_over.set()
            executor.shutdown(cancel_futures=True)
            raise


def results(given_out: Iterable[Future[T]], tell: Callable[[int], None]) -> Iterator[T]:
    """Yield each result as it comes; `tell` is given how many came, at least every TELL_S."""
    waiting, came = set(given_out), 0
    while waiting:
        done, waiting = wait(waiting, TELL_S, FIRST_COMPLETED)
        for future in done:
            yield future.result()
        came += len(done)
        tell(came)


def look() -> None:
    """Raise Unwanted where the work at hand is not wanted any more; outside a pool it always is."""
    if any(one.is_set() for one in _is_over):
        raise Unwanted


def interrupted_by_sigterm() -> None:
    """Let SIGTERM interrupt this program as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _begin(is_over: Any, begin: Callable[..., None] | None, shared: tuple[Any, ...]) -> None:
    _is_over[:] = [is_over]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if begin is not None:
        begin(*shared)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

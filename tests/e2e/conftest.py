"""Benches for the end-to-end tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench_process import BenchProcess, started_bench

_SHARED = ExitStack()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests that share a bench come first, one after the other."""
    places = [place for place, item in enumerate(items) if Path(__file__).parent in item.path.parents]
    ours = sorted((items[place] for place in places), key=lambda item: not _shares(item))
    for place, item in zip(places, ours, strict=True):
        items[place] = item


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """End the shared bench after its last test: it would slow down those that break theirs."""
    if nextitem is None or not _shares(nextitem):
        _SHARED.close()


def _shares(item: pytest.Item) -> bool:
    return "bench" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def bench() -> BenchProcess:
    """Two charge points, the default plan; shared by all tests that only look."""
    return _SHARED.enter_context(started_bench())


@pytest.fixture
def make_bench() -> Iterator[Callable[..., BenchProcess]]:
    """Return a maker of started benches, each in a folder of its own, ended with the test."""
    with ExitStack() as made:

        def make(charge_points: int = 2, *arguments: str) -> BenchProcess:
            return made.enter_context(started_bench(charge_points, *arguments))

        yield make

"""Benches for the end-to-end tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from bench_process import BenchProcess, started_bench


@pytest.fixture(scope="module")
def bench() -> Iterator[BenchProcess]:
    """Two charge points, the default plan; shared by the tests of a file that only look."""
    with started_bench() as running:
        yield running


@pytest.fixture
def make_bench() -> Iterator[Callable[..., BenchProcess]]:
    """Return a maker of started benches, each in a folder of its own, ended with the test."""
    with ExitStack() as made:

        def make(charge_points: int = 2, *arguments: str) -> BenchProcess:
            return made.enter_context(started_bench(charge_points, *arguments))

        yield make

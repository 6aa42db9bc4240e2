"""Benches for the end-to-end tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench_process import BenchProcess
from real_parts import directory_open_to_postgres


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchProcess]:
    """Two charge points, the default plan; shared by the tests that only look."""
    running = BenchProcess(directory_open_to_postgres(tmp_path_factory) / "bench")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def make_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., BenchProcess]]:
    """Return a maker of started benches, each in a folder of its own, ended with the test."""
    made: list[BenchProcess] = []

    def make(charge_points: int = 2, *arguments: str, home: Path | None = None) -> BenchProcess:
        folder = home or directory_open_to_postgres(tmp_path_factory) / "bench"
        running = BenchProcess(folder, charge_points, arguments)
        made.append(running)
        running.start()
        return running

    yield make
    for running in made:
        running.stop()

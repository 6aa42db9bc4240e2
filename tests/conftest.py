"""Fixtures for real parts; what they hand out stands in real_parts.py."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from embedded import broker as embedded_broker
from embedded import postgres as embedded_postgres
from embedded.postgres import DATABASE, PostgresFiles
from real_parts import (
    PASSWORD,
    Broker,
    Postgres,
    ServerProcess,
    database,
    directory_open_to_postgres,
    free_port,
    start_postgres,
)

# These machines are noisy: a time limit would test the neighbours, not the code.
# In CI the draws are the same every time: new ones are found where somebody looks at them.
hypothesis.settings.register_profile(
    "chargebench", deadline=None, print_blob=True, derandomize="CI" in os.environ
)
hypothesis.settings.load_profile("chargebench")


@pytest.fixture(scope="session")
def _shared_postgres() -> Iterator[tuple[ServerProcess, PostgresFiles]]:
    with directory_open_to_postgres() as directory:
        server, files = start_postgres(directory)
        yield server, files
        server.stop()


@pytest.fixture
def postgres(_shared_postgres: tuple[ServerProcess, PostgresFiles]) -> Iterator[Postgres]:
    """A database of its own on a server shared by the session. Do not stop this server."""
    with database(*_shared_postgres) as postgres:
        yield postgres


@pytest.fixture(scope="module")
def module_postgres(_shared_postgres: tuple[ServerProcess, PostgresFiles]) -> Iterator[Postgres]:
    """One that all tests of a module share: filled once, or emptied by each."""
    with database(*_shared_postgres) as postgres:
        yield postgres


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server of the test's own, to be stopped, killed and started again (`.server`)."""
    with directory_open_to_postgres() as directory:
        server, files = start_postgres(directory)
        embedded_postgres.prepare(files)
        yield Postgres(server, files, DATABASE)
        server.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of the test's own, to be stopped, killed and started again (`.server`)."""
    port = free_port()
    configuration = tmp_path / "broker.toml"
    embedded_broker.write_configuration(
        configuration, port, dict.fromkeys(embedded_broker.ACCOUNTS, PASSWORD)
    )
    server = ServerProcess([sys.executable, "-m", "embedded.broker", str(configuration)], port)
    server.start()
    yield Broker(server, "127.0.0.1", port)
    server.stop()

"""One stack of containers for the whole session; the tests that break it come last."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from container_stack import Stack, missing_engine

_RUNNING: list[Stack] = []


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Remove the stack after this folder's last test: its containers would slow down what comes after."""
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        while _RUNNING:
            _RUNNING.pop().remove()


@pytest.fixture(scope="session")
def _engine() -> None:
    if missing := missing_engine():
        pytest.skip(f"no container engine: {missing}")


@pytest.fixture(scope="session")
def stack(_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack as `docker compose up` starts it."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    _RUNNING.append(running)
    try:
        running.up()
        yield running
    finally:
        running.remove()


@pytest.fixture(scope="session")
def fleet(stack: Stack) -> Stack:
    """The same after `docker compose up --scale chargepoint=8`."""
    stack.up("--no-build", "--scale", "chargepoint=8")
    return stack


@pytest.fixture(scope="session")
def broker(_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Mosquitto alone, with a password of its own for each account."""
    accounts = ("chargepoint", "csms", "memorybank", "console", "lab", "detector")
    passwords = {f"MQTT_{account.upper()}_PASSWORD": f"{account}-password" for account in accounts}
    running = Stack(tmp_path_factory.mktemp("broker"), passwords)
    try:
        running.up("mosquitto")
        yield running
    finally:
        running.remove()

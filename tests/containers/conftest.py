"""One stack of containers for the whole session; the tests that break it come last."""

from collections.abc import Iterator

import pytest

from container_stack import Stack, missing_engine


@pytest.fixture(scope="session")
def _engine() -> None:
    if missing := missing_engine():
        pytest.skip(f"no container engine: {missing}")


@pytest.fixture(scope="session")
def stack(_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack as `docker compose up` starts it."""
    running = Stack(tmp_path_factory.mktemp("stack"))
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
    accounts = ("chargepoint", "csms", "memorybank", "console", "detector")
    passwords = {f"MQTT_{account.upper()}_PASSWORD": f"{account}-password" for account in accounts}
    running = Stack(tmp_path_factory.mktemp("broker"), passwords)
    try:
        running.up("mosquitto")
        yield running
    finally:
        running.remove()

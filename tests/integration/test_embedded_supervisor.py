"""The supervisor on real processes: kept running, started again, ended."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable

import pytest

from embedded.layout import Program
from embedded.supervisor import Supervisor, WrongSettings

WAITING = "import time; print('up', flush=True); time.sleep(600)"


def _program(code: str, name: str = "waiting") -> Program:
    return Program(name, (sys.executable, "-c", code), {})


class Told:
    """What the supervisor says, as it says it."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))

    async def wait_for(self, words: str, times: int = 1) -> None:
        await _until(lambda: sum(words in line for _, line in self.lines) >= times)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - nobody wakes us
            await asyncio.sleep(0.02)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def supervisor(told: Told) -> AsyncIterator[Supervisor]:
    keeping = Supervisor(told)
    yield keeping
    await keeping.stop()


async def test_a_killed_program_is_started_again(supervisor: Supervisor, told: Told) -> None:
    """It has a new process id, and the end of the old one is told by its signal."""
    await supervisor.start(_program(WAITING))
    first = supervisor.processes["waiting"]
    await told.wait_for("up")
    os.kill(first, signal.SIGKILL)
    await told.wait_for("up", times=2)
    assert supervisor.processes["waiting"] != first
    assert supervisor.restarts == {"waiting": 1}
    await told.wait_for("signal SIGKILL")


async def test_a_program_that_refuses_its_settings_is_not_started_again(supervisor: Supervisor) -> None:
    await supervisor.start(_program("import sys; sys.exit(2)"))
    async with asyncio.timeout(20):
        with pytest.raises(WrongSettings, match="waiting refused its settings"):
            await supervisor.failed
    assert supervisor.restarts == {"waiting": 0}


async def test_a_program_that_cannot_be_started_at_the_moment_is_tried_again(
    supervisor: Supervisor, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine may be out of processes or memory for a while."""
    await supervisor.start(_program(WAITING))
    await told.wait_for("up")
    spawn = supervisor._spawn

    async def failing_once(_: Program) -> asyncio.subprocess.Process:
        monkeypatch.setattr(supervisor, "_spawn", spawn)
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(supervisor, "_spawn", failing_once)
    os.kill(supervisor.processes["waiting"], signal.SIGKILL)
    await told.wait_for("cannot be started: Resource temporarily unavailable")
    await told.wait_for("up", times=2)


async def test_a_supervisor_that_cannot_speak_says_that_it_failed_and_still_ends_everything() -> None:
    """Its reader went away (`make demo | head`): unread, the programs would stall on their output."""

    def gone(_name: str, _line: str) -> None:
        raise BrokenPipeError

    supervisor = Supervisor(gone)
    await supervisor.start(_program(WAITING))
    pid = supervisor.processes["waiting"]
    async with asyncio.timeout(20):
        with pytest.raises(BrokenPipeError):
            await supervisor.failed
    await supervisor.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_what_does_not_end_is_killed(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedded.supervisor.STOP_S", 0.2)
    supervisor = Supervisor(told)
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + WAITING
    await supervisor.start(_program(code))
    await told.wait_for("up")
    await supervisor.stop()
    assert ("bench", "waiting did not end within 0.2 s: killed") in told.lines

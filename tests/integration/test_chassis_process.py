"""A service's process as the container engine sees it: exit status, output, an end within the deadline."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from real_parts import wait_until

PREAMBLE = """
import asyncio, contextlib, logging, os, sys, time
from dataclasses import dataclass
from chassis import process, settings
from chassis.settings import SettingsError, setting

@dataclass(frozen=True, slots=True)
class Settings:
    place: str = setting("EXAMPLE_PLACE", "Where")
    number: int = setting("EXAMPLE_NUMBER", "Which", default=1)
    password: str | None = setting("EXAMPLE_PASSWORD", "Secret", default=None, secret=True)

async def main(values):
    log = logging.getLogger("example")
    log.info("ready")
"""


class Service:
    """A process of the test's own, running `main`, and what it said."""

    def __init__(self, folder: Path, body: str, **environ: str) -> None:
        program = folder / "service.py"
        main = "\n".join(f"    {line}" for line in dedent(body).splitlines())
        program.write_text(
            f'{PREAMBLE}\n{main}\n\nprocess.run("example", Settings, main)\n', encoding="utf-8"
        )
        self._output = folder / "output.txt"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", str(program)],
                env=os.environ | {"EXAMPLE_PLACE": "here"} | environ,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.output or self.process.poll() is not None, what=repr(text))
        assert text in self.output

    def exit_status(self, timeout_s: float = 15) -> int:
        return self.process.wait(timeout_s)


Start = Callable[..., Service]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Service] = []

    def start_one(body: str, **environ: str) -> Service:
        started.append(Service(tmp_path, body, **environ))
        return started[-1]

    yield start_one
    for service in started:
        service.process.kill()
        service.process.wait(10)


WAITING = """
try:
    await asyncio.Event().wait()
finally:
    {}
    log.info("cleaned up")
"""


def test_service_that_ends_by_itself_ends_well(start: Start) -> None:
    service = start("log.info('%s %d', values.place, values.number)", EXAMPLE_NUMBER="7")
    assert service.exit_status() == 0
    assert "INFO    example: here 7" in service.output


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_cleanly_and_soon(start: Start, signum: signal.Signals) -> None:
    service = start(WAITING.format("await asyncio.sleep(0.1)"))
    service.wait_for("ready")
    service.process.send_signal(signum)
    started_s = time.monotonic()
    assert service.exit_status() == 0
    assert time.monotonic() - started_s < 5
    assert service.output.index("cleaned up") < service.output.index("stopped")


def test_second_signal_does_not_interrupt_the_clean_up(start: Start) -> None:
    """Ctrl-C reaches a terminal's whole group, and the supervisor sends its own."""
    service = start(WAITING.format("log.info('cleaning'); await asyncio.sleep(0.5)"))
    service.wait_for("ready")
    service.process.send_signal(signal.SIGINT)
    service.wait_for("cleaning")
    service.process.send_signal(signal.SIGTERM)
    service.process.send_signal(signal.SIGINT)
    assert service.exit_status() == 0
    assert "cleaned up" in service.output


@pytest.mark.parametrize(
    "hanging",
    [
        "await asyncio.Event().wait()",
        "time.sleep(60)",
        "asyncio.get_running_loop().run_in_executor(None, time.sleep, 60)",
    ],
)
def test_clean_up_that_hangs_is_ended_and_says_where(start: Start, hanging: str) -> None:
    """Also one that blocks the loop, or a thread that nobody waits for."""
    service = start("process.SHUTDOWN_S = 0.5" + WAITING.format(hanging))
    service.wait_for("ready")
    service.process.send_signal(signal.SIGTERM)
    assert service.exit_status() == 1
    assert "Timeout (0:00:00.500000)!" in service.output
    assert "Thread" in service.output


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"EXAMPLE_PLACE": ""}, "missing EXAMPLE_PLACE"),
        ({"EXAMPLE_NUMBER": "x"}, "EXAMPLE_NUMBER: 'x' is not a number"),
        (
            {"EXAMPLE_PLACE": "", "EXAMPLE_NUMBER": "x"},
            "missing EXAMPLE_PLACE; EXAMPLE_NUMBER: 'x' is not a number",
        ),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL: 'LOUD' is no level of logging"),
    ],
)
def test_wrong_settings_end_it_with_one_clear_line(
    start: Start, environ: dict[str, str], expected: str
) -> None:
    service = start("log.info('started')", **environ)
    assert service.exit_status() == 2
    assert service.output == f"example: {expected} (docs/settings.md lists every setting)\n"


def test_settings_found_wrong_later_end_it_with_one_clear_line(start: Start) -> None:
    service = start("raise SettingsError('HTTP_PASSWORD: needed')")
    assert service.exit_status() == 2
    assert "example: HTTP_PASSWORD: needed (docs" in service.output
    assert "Traceback" not in service.output


def test_secret_is_not_printed(start: Start) -> None:
    service = start("log.info('%r', values); raise RuntimeError(values)", EXAMPLE_PASSWORD="sesame")
    assert service.exit_status() == 1
    assert "EXAMPLE_PASSWORD" not in service.output
    assert "sesame" not in service.output


def test_failure_is_told_with_its_place(start: Start) -> None:
    service = start("raise RuntimeError('a bug')")
    assert service.exit_status() == 1
    assert "RuntimeError: a bug" in service.output
    assert "ERROR   example: failed" in service.output


def test_service_that_cancels_itself_has_failed(start: Start) -> None:
    """Its supervisor must start it again."""
    service = start("asyncio.current_task().cancel(); await asyncio.sleep(1)")
    assert service.exit_status() == 1


def test_clean_up_that_fails_is_told(start: Start) -> None:
    service = start(WAITING.format("raise RuntimeError('the disk')"))
    service.wait_for("ready")
    service.process.send_signal(signal.SIGTERM)
    assert service.exit_status() == 1
    assert "RuntimeError: the disk" in service.output


def test_log_level_is_a_setting(start: Start) -> None:
    service = start("log.debug('whisper')", LOG_LEVEL="debug")
    assert service.exit_status() == 0
    assert "DEBUG   example: whisper" in service.output


def test_each_record_is_one_line_whatever_a_peer_sent(start: Start) -> None:
    """No identity may forge a line or move a terminal's cursor."""
    service = start(r"log.info('%s', 'CP-1\n2026 INFO forged\x1b[2J\x9b\u202eé')")
    assert service.exit_status() == 0
    assert service.output.splitlines()[-1].endswith(r"CP-1\n2026 INFO forged\x1b[2J\x9b\u202eé")


def test_rings_of_objects_are_freed_while_it_works(start: Start) -> None:
    """They go with the collector alone, which looks seldom, and not at what imports made."""
    service = start("""
        import gc, weakref
        class Ring:
            def __init__(self):
                self.itself = self
        first = weakref.ref(Ring())
        assert first() is not None
        for _ in range(30_000):
            Ring()
        left = "much" if gc.get_freeze_count() > 1_000 else "nothing"
        log.info("first ring %s, %s left alone", first(), left)
    """)
    assert service.exit_status() == 0
    assert "first ring None, much left alone" in service.output

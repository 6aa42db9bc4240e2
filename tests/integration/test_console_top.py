"""The terminal view as people have it: at a real terminal, piped, in front of a real console."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil
import pytest

from bench.parts import started_broker
from console.top.console_link import counters
from console_apis import ApiServer
from console_load import Player, console_load
from console_parts import ConsoleBench, console_bench, fluctuation
from real_parts import Broker, free_port, wait_until
from terminal_parts import Terminal, at_terminal

CHARGE_POINTS = 4
COMMAND = (sys.executable, "-W", "error", "-m", "console.top")
# Nothing of these tests' own environment says where a console is.
NOT_INHERITED = ("CONSOLE_PORT", "HTTP_", "MEMORYBANK_", "CHARGEBENCH_", "NO_COLOR", "TERM")
COLOUR = re.compile(rb"\x1b\[(?:[0-9]+;)*(?:3|9)[0-7][;m]")
LEFT_SCREEN = b"\x1b[?1049l"


@pytest.fixture(scope="module")
def _played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ConsoleBench, list[Player]]]:
    log = tmp_path_factory.mktemp("console") / "console.log"
    with (
        started_broker() as broker,
        console_bench(broker, log) as bench,
        console_load(bench.console.backplane_port, CHARGE_POINTS) as load,
    ):
        yield bench, load.players


@pytest.fixture
def bench(_played: tuple[ConsoleBench, list[Player]]) -> ConsoleBench:
    """A console that hears four charge points, all known to the CSMS; what the last test broke is whole."""
    bench, players = _played
    if bench.console.process is None:
        bench.console.start()
    bench.memorybank.stop()
    bench.memorybank.start()
    bench.memorybank.anomalies = []
    bench.csms.charge_points = []
    for player in players:
        bench.csms.add(player.charge_point_id, player.status)
    wait_until(lambda: _is_whole(bench), what="the console to hear and know all")
    return bench


def _is_whole(bench: ConsoleBench) -> bool:
    fleet = httpx.get(f"{bench.console.url}/api/fleet", timeout=5, trust_env=False).json()
    views = fleet.get("connectors", [])
    services = fleet.get("services", {}).values()
    live = sum(view["bus"] == "live" and view["csms"] is not None for view in views)
    return (
        live == CHARGE_POINTS == len(views)
        and len(services) == 4
        and all(service["working"] for service in services)
    )


def environ(**more: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(NOT_INHERITED)}
    return {**inherited, "PYTHONIOENCODING": "utf-8", **more}


def top(*arguments: str, cwd: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """Return what it tells a program."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environ(**more),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def watching(bench: ConsoleBench, **more: str) -> AbstractContextManager[Terminal]:
    command = [*COMMAND, "--url", bench.console.url]
    return at_terminal(command, columns=120, lines=40, environ=environ(TERM="xterm-256color", **more))


def test_it_is_watched_and_used_by_keys(bench: ConsoleBench) -> None:
    """Rows, rates and graph are live; keys choose, search and leave out; the terminal is given back."""
    bench.csms.add("evil\x1b[2J\x1b]0;title\x07")
    anomaly = fluctuation("CP-3")
    bench.memorybank.anomalies = [anomaly]
    with watching(bench) as terminal:
        terminal.wait_for_screen(
            "CP-1", "CP-4", "● CAN", "● MemoryBank", "60 s ago", "evil\\x1b[2J\\x1b]0;title…"
        )
        terminal.wait_for_screen("CAN 2", "frames/s", "updates/s")
        first = terminal.wait_for_screen("34.", " A")
        terminal.wait_for_screen(
            "▲ warning", "Open anomalies", "CP-3 repeated current fluctuation", "8 reversals"
        )
        terminal.type("j")
        terminal.wait_for_screen("▸ CP-2")
        terminal.type("\x1b[B\x1bOB")
        terminal.wait_for_screen("▸ CP-4", "CP-4  Charging")
        terminal.type("a")
        assert "CP-4" not in terminal.wait_for_screen("▸ CP-3", "only anomalies", without="CP-2")
        bench.memorybank.anomalies = []
        now = datetime.now(UTC)
        closed = msgspec.structs.replace(anomaly, phase="closed", updated_at=now, ended_at=now)
        asyncio.run(bench.tell(closed))
        terminal.wait_for_screen("no anomaly is open", "0 open anomalies")
        terminal.type("\x1b")
        terminal.type("/p-2\r")
        terminal.wait_for_screen("▸ CP-2", "search: p-2", without="CP-1")
        terminal.type("\x1b")
        terminal.type("?")
        terminal.wait_for_screen("this page; any key leaves it")
        terminal.type("xs")
        assert terminal.wait_for_screen("order: current", "CP-1") != first
        terminal.resize(40, 12)
        os.kill(terminal.process.pid, signal.SIGWINCH)
        narrow = terminal.wait_for_screen("CP-1", " A", without="60 s ago")
        assert max(map(len, narrow.splitlines())) <= 40
        terminal.type("q")
        assert terminal.wait_end() == 0
        assert LEFT_SCREEN in terminal.raw
        assert COLOUR.search(terminal.raw)


def test_it_lives_through_absences(bench: ConsoleBench) -> None:
    """Who is away is named and its return noticed; a console that dies is asked again and again."""
    with watching(bench, NO_COLOR="1") as terminal:
        terminal.wait_for_screen("● MemoryBank", "CP-1")
        bench.memorybank.stop()
        terminal.wait_for_screen("✗ MemoryBank away", "✗ The MemoryBank does not answer", "CP-1")
        bench.memorybank.start()
        terminal.wait_for_screen("● MemoryBank", without="✗")
        bench.console.kill()
        terminal.wait_for_screen("✗ The console does not answer", "Trying again. What is shown is", "CP-1")
        terminal.type("j")
        terminal.wait_for_screen("▸ CP-2")
        bench.console.start()
        terminal.wait_for_screen("● CAN", "CP-1", "60 s ago", without="✗")
        terminal.type("\x03")
        assert terminal.wait_end() == 0
        assert LEFT_SCREEN in terminal.raw
        assert not COLOUR.search(terminal.raw)


def test_it_is_laid_aside_and_taken_up_again(bench: ConsoleBench) -> None:
    """Ctrl-Z gives the terminal back and stops; the shell's fg goes on."""
    with watching(bench) as terminal:
        terminal.wait_for_screen("CP-1", "60 s ago")
        process = psutil.Process(terminal.process.pid)
        terminal.type("\x1a")
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, what="it to stop")
        terminal.wait_for("\x1b[?1049l")
        os.kill(process.pid, signal.SIGCONT)
        terminal.wait_for("\x1b[?1049h", times=2)
        terminal.type("?")
        terminal.wait_for_screen("this page; any key leaves it")
        terminal.type("q")
        assert terminal.wait_end() == 0


def test_without_a_terminal_it_is_a_plain_table(bench: ConsoleBench, tmp_path: Path) -> None:
    """Exit status 0, 1 where a service is away, 2 where there is no console."""
    url = bench.console.url
    told = top("--url", url, cwd=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    head, *rows = told.stdout.splitlines()
    assert head.split()[:3] == ["charge", "point", "status"]
    assert [row.split()[:2] for row in rows[:4]] == [[f"CP-{n}", "Charging"] for n in range(1, 5)]
    assert rows[5] == "4 charge points, 0 open anomalies"
    assert "\x1b" not in told.stdout
    bench.csms.add("充电桩")
    wait_until(lambda: "充电桩" in top("--url", url, cwd=tmp_path).stdout, what="another charge point")
    assert "???" in top("--url", url, cwd=tmp_path, PYTHONIOENCODING="ascii").stdout
    bench.memorybank.stop()

    def says_who_is_away() -> bool:
        told = top("--once", "--url", url, cwd=tmp_path)
        return told.returncode == 1 and "The MemoryBank does not answer" in told.stderr

    wait_until(says_who_is_away, what="the absence to be told")
    nobody = f"http://127.0.0.1:{free_port()}"
    told = top("--once", "--url", nobody, cwd=tmp_path)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr == f"console-top: The console does not answer at {nobody}: no connection.\n"


def test_a_password_is_asked_for_and_found(broker: Broker, tmp_path: Path) -> None:
    """In the address, or where the console itself has it; it is not shown."""
    with console_bench(broker, tmp_path / "console.log") as bench:
        bench.console.stop()
        bench.console.environ["HTTP_PASSWORD"] = "s3cret"
        bench.console.start()
        port = bench.console.port
        told = top("--url", bench.console.url, cwd=tmp_path)
        assert told.returncode == 2
        assert "asks for a password: --url http://user:password@host:port" in told.stderr
        with_password = f"http://me:s3cret@127.0.0.1:{port}"
        assert top("--url", with_password, cwd=tmp_path).stdout.startswith("charge point")
        inside = top(cwd=tmp_path, CONSOLE_PORT=str(port), HTTP_PASSWORD="s3cret")
        assert inside.stdout.startswith("charge point")
        command = [*COMMAND, "--url", with_password]
        with at_terminal(command, columns=120, lines=20, environ=environ(TERM="xterm")) as terminal:
            screen = terminal.wait_for_screen(f"http://127.0.0.1:{port}", "0 charge points")
            assert "s3cret" not in screen


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--url", "127.0.0.1:8080"), "is no address like http://127.0.0.1:8080"),
        (("--url", "ftp://x"), "is no address like"),
        (("--url", "http://127.0.0.1:99999"), "is no address like"),
        (("--home", "nowhere"), "no bench runs in"),
        (("--home", "x", "--url", "http://x"), "not allowed with"),
        (("--twice",), "unrecognized arguments"),
    ],
)
def test_wrong_arguments_are_refused_in_words(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    """In one line."""
    told = top(*arguments, cwd=tmp_path)
    assert (told.returncode, told.stderr.count("\n")) == (2, 1)
    assert words in told.stderr


class Stranger(ApiServer):
    """Another server at the console's address, which would like to own the terminal."""

    def answer(self, *_: Any) -> tuple[int, Any]:
        return 404, b"\x1b]0;title\x07\x1b[2Jnot here"


def test_a_stranger_at_the_address_moves_no_cursor(tmp_path: Path) -> None:
    stranger = Stranger()
    stranger.start()
    try:
        told = top("--url", stranger.url, cwd=tmp_path)
    finally:
        stranger.stop()
    assert told.returncode == 2
    assert "answers 404: \\x1b]0;title\\x07\\x1b[2Jnot here" in told.stderr
    assert told.stderr.strip().isprintable()


class Nonsense(ApiServer):
    def answer(self, *_: Any) -> tuple[int, Any]:
        return 200, b"chargebench_console_frames_total 1.2.3\nchargebench_console_pages 2\n"


async def test_counters_that_are_no_numbers_are_passed_over() -> None:
    """A service that counts in nonsense does not end the view."""
    nonsense = Nonsense()
    nonsense.start()
    try:
        async with httpx.AsyncClient(base_url=nonsense.url, trust_env=False) as client:
            assert await counters(client, "console") == {"pages": 2.0}
    finally:
        nonsense.stop()


def test_help_has_an_example(tmp_path: Path) -> None:
    assert "Example: console-top --url http://me:password@" in top("--help", cwd=tmp_path).stdout

"""`chargebench up` as people type it."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bench_process import BenchProcess
from real_parts import directory_open_to_postgres, free_port

A1 = "repeated-current-fluctuation"


def _up(*arguments: str, timeout_s: float = 170, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "embedded", "up", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env={**os.environ, **environ},
    )


@pytest.mark.timeout(300)
@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="a network with only loopback needs root"
)
def test_a_timed_run_without_any_network_reports_and_succeeds() -> None:
    """DURATION ends it by itself; the exit status says that the chain worked; lo is all it needs.

    An attack that somebody runs meanwhile, on the charge point of benign life, is no false alarm.
    """
    with directory_open_to_postgres() as home:
        by_hand = f"chargebench scenario run {A1} --home {home} --on CP-2 --seed 7 --replace --detach"
        command = (
            f"ip link set lo up; {sys.executable} -m embedded up --home {home} --duration 62 & bench=$!; "
            f"until {sys.executable} -m {by_hand} || ! kill -0 $bench; do sleep 1; done; wait $bench"
        )
        result = subprocess.run(
            ["unshare", "--net", "sh", "-c", command],
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    assert "the chain worked" in result.stdout


def test_a_second_bench_in_the_same_folder_is_refused(bench: BenchProcess) -> None:
    """The message names the process that runs already and what to do."""
    result = _up("--home", str(bench.home), timeout_s=60)
    assert result.returncode == 2
    assert f"process {bench.described['processes']['bench']}" in result.stderr
    assert "--home" in result.stderr


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(tmp_path: Path) -> None:
    """It names the port, its use, and who has it."""
    port = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        result = _up("--home", str(tmp_path), "--console-port", str(port), timeout_s=60)
    assert result.returncode == 2
    assert f"port {port} (console) is taken by" in result.stderr


def test_a_port_may_be_asked_for_in_the_environment(tmp_path: Path) -> None:
    """As `make demo MQTT_PORT=1884` does; the same error where it is taken."""
    port = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        result = _up("--home", str(tmp_path), timeout_s=60, MQTT_PORT=str(port))
    assert result.returncode == 2
    assert f"port {port} (MQTT broker) is taken by" in result.stderr


@pytest.mark.parametrize(
    ("environ", "words"),
    [({"CONSOLE_PORT": "x"}, "'x' is not a port"), ({"LOG_LEVEL": "LOUD"}, "'LOUD' is none of DEBUG")],
)
def test_wrong_settings_are_refused_in_words(environ: dict[str, str], words: str) -> None:
    result = _up(timeout_s=60, **environ)
    assert result.returncode == 2
    assert words in result.stderr


def test_the_banner_says_how_to_ask_this_bench(bench: BenchProcess) -> None:
    """One in a folder of its own is named by it; what was given in vain is named too."""
    said = bench.output()
    commands = [
        line.partition("another terminal: ")[2].split()
        for line in said.splitlines()
        if "another terminal: " in line
    ]
    assert len(commands) == 2
    for command, once in zip(commands, ("--once", "--summary"), strict=True):
        assert command[-2:] == ["--home", str(bench.home)]
        told = subprocess.run([*command, once], capture_output=True, text=True, timeout=30, check=False)
        assert told.returncode == 0, told.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--charge-points", "0"), "is not a number from 1"),
        (("--charge-points", "x"), "is not a number from 1"),
        (("--charge-points", "²"), "is not a number from 1"),
        (("--duration", "-1"), "no number of seconds"),
        (("--duration", "nan"), "no number of seconds"),
        (("--console-port", "70000"), "is not a port"),
        (("--scenario-plan", "x"), "invalid choice"),
    ],
)
def test_wrong_arguments_are_refused_in_words(arguments: tuple[str, ...], words: str) -> None:
    """In one line."""
    result = _up(*arguments, timeout_s=60)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert words in result.stderr


def test_help_has_an_example() -> None:
    assert "Example: chargebench up" in _up("--help", timeout_s=60).stdout

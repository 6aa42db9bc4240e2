"""CAN logs that the viewer writes, read back with python-can's own readers."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import can
import pytest

from contracts.events import AnyEvent, CanFrameSeen
from memorybank_parts import START_AT
from real_parts import Postgres
from remembered import remember
from viewer_parts import environ, view


def frame(
    second: float,
    data: str,
    *,
    can_id: int = 0x300,
    charge_point_id: str = "CP-1",
    sent: bool = False,
    connector: int = 1,
) -> CanFrameSeen:
    return CanFrameSeen(
        at=START_AT + timedelta(seconds=second),
        charge_point_id=charge_point_id,
        connector=connector,
        can_id=can_id,
        data=data,
        sent=sent,
    )


TRAFFIC: Sequence[AnyEvent] = [
    frame(0.25, "", can_id=0x200, sent=True),
    frame(1.5, "6400"),
    frame(1.0, "0a00", can_id=0x210, sent=True),  # late, and yet it comes before
    frame(2.0, "01", connector=2),
    frame(3.0, "0102030405060708", can_id=0x1ABCDEF0),
    frame(4.0, "00" * 12, can_id=0x123),
    frame(5.125, "2a00", charge_point_id="CP-2"),
]
EXPECTED = [
    (0.25, 0x200, "", 0, False),
    (1.0, 0x210, "0a00", 0, False),
    (1.5, 0x300, "6400", 0, True),
    (2.0, 0x300, "01", 1, True),
    (3.0, 0x1ABCDEF0, "0102030405060708", 0, True),
    (4.0, 0x123, "00" * 12, 0, True),
    (5.125, 0x300, "2a00", 2, True),
]


@pytest.fixture
def remembering(postgres: Postgres) -> Postgres:
    asyncio.run(remember(postgres.writer_url, TRAFFIC))
    return postgres


@pytest.mark.parametrize("suffix", ["asc", "blf", "log"])
def test_can_tools_read_it(remembering: Postgres, tmp_path: Path, suffix: str) -> None:
    """Every frame in the order of time: identifier, data, direction, and a channel a connector."""
    file = tmp_path / f"bus.{suffix}"
    shown = view("--can-log", str(file), url=remembering.reader_url)
    assert (shown.returncode, shown.stderr) == (0, "")
    first, second, third = ("can0", "can1", "can2") if suffix == "log" else ("1", "2", "3")
    assert shown.stdout.splitlines() == [
        f"7 frames in {file}",
        "channel\tcharge point\tconnector",
        f"{first}\tCP-1\t1",
        f"{second}\tCP-1\t2",
        f"{third}\tCP-2\t1",
    ]
    with can.LogReader(str(file)) as reader:
        messages = list(reader)
    # An .asc counts its times from its first frame.
    begin_s = messages[0].timestamp - 0.25
    assert [
        (
            pytest.approx(message.timestamp - begin_s, abs=2e-3),
            message.arbitration_id,
            message.data.hex(),
            int(str(message.channel).removeprefix("can")),
            message.is_rx,
        )
        for message in messages
    ] == EXPECTED
    assert [message.is_extended_id for message in messages] == [
        False,
        False,
        False,
        False,
        True,
        False,
        False,
    ]
    assert messages[5].is_fd
    if suffix != "asc":
        assert messages[0].timestamp == pytest.approx(START_AT.timestamp() + 0.25, abs=2e-3)
    assert list(tmp_path.iterdir()) == [file]


def test_a_log_of_one_charge_point_and_some_time(remembering: Postgres, tmp_path: Path) -> None:
    """Filters choose the frames."""
    file = tmp_path / "bus.log"
    since = (START_AT + timedelta(seconds=1.2)).isoformat()
    until = (START_AT + timedelta(seconds=4)).isoformat()
    view(
        "--can-log",
        str(file),
        "--charge-point",
        "CP-1",
        "--since",
        since,
        "--until",
        until,
        url=remembering.reader_url,
    )
    with can.LogReader(str(file)) as reader:
        assert [message.data.hex() for message in reader] == ["6400", "01", "0102030405060708"]


@pytest.mark.parametrize("form", ["asc", "log"])
def test_the_standard_output(remembering: Postgres, tmp_path: Path, form: str) -> None:
    """As candump has it, or .asc: for containers and pipes."""
    shown = subprocess.run(
        [sys.executable, "-m", "memorybank.viewer", "--can-log", "-", "--format", form],
        env=environ(remembering.reader_url), capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    file = tmp_path / f"bus.{form}"
    file.write_bytes(shown.stdout)
    with can.LogReader(str(file)) as reader:
        assert len(list(reader)) == len(TRAFFIC)


def test_a_blf_needs_a_file(remembering: Postgres) -> None:
    """Its header is written last: one line that says what to do."""
    shown = view("--can-log", "-", "--format", "blf", url=remembering.reader_url)
    assert (shown.returncode, shown.stdout, shown.stderr.count("\n")) == (2, "", 1)
    assert "can_logconvert" in shown.stderr

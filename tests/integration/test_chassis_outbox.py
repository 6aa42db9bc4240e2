"""The outbox across processes: what SIGKILL leaves, and who owns the file."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chassis.outbox import Outbox, OutboxUnavailable
from contracts import events
from contracts.events import SystemEvent
from real_parts import wait_until

SOURCE = "csms:csms-1/events/07"

# It says which numbers it gave, each as soon as it is given.
NUMBERING = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from chassis.outbox import Outbox
from contracts import events
from contracts.events import SystemEvent

outbox = Outbox(Path(sys.argv[1]))
while True:
    number = outbox.last_seq("csms:csms-1/events/07") + 1
    batch = [
        events.encode_event(
            SystemEvent(at=datetime.now(UTC), service="test", name="noted", detail={"number": number + i})
        )
        for i in range(3)
    ]
    outbox.append("csms:csms-1/events/07", batch)
    print(number + 2, flush=True)
"""

Start = Callable[[Path], "subprocess.Popen[str]"]


@pytest.fixture
def numbering() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(path: Path) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", NUMBERING, str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def test_killed_process_leaves_every_event_that_it_numbered(tmp_path: Path, numbering: Start) -> None:
    """Again and again on the same file."""
    path = tmp_path / "outbox.sqlite"
    for round_number in range(1, 6):
        process = numbering(path)
        assert process.stdout is not None
        for _ in range(20 * round_number):
            said = int(process.stdout.readline())
        process.kill()
        rest = process.communicate(timeout=10)[0].splitlines(keepends=True)
        said = int([f"{said}\n", *(line for line in rest if line.endswith("\n"))][-1])
        outbox = Outbox(path)
        kept = [
            (batch.first_seq + i, event.detail["number"])
            for each in outbox.uncommitted(SOURCE, limit=1_000_000)
            for batch in [events.decode_batch(each.payload)]
            for i, event in enumerate(batch.events)
            if isinstance(event, SystemEvent)
        ]
        numbered = outbox.last_seq(SOURCE)
        outbox.close()
        assert numbered >= said
        assert kept == [(number, number) for number in range(1, numbered + 1)]


def test_another_process_cannot_own_the_file(tmp_path: Path, numbering: Start) -> None:
    path = tmp_path / "outbox.sqlite"
    process = numbering(path)
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(OutboxUnavailable, match="locked"):
        Outbox(path, wait_for_owner_s=0.1)


def test_next_owner_waits_for_the_last_one(tmp_path: Path) -> None:
    """A process that is replaced may need its time to end."""
    path = tmp_path / "outbox.sqlite"
    owner = Outbox(path)
    owner.append(SOURCE, [events.encode_event(SystemEvent(at=events.EARLIEST_AT, service="a", name="b"))])
    program = f"""
from pathlib import Path
from chassis.outbox import Outbox
print("waiting", flush=True)
print(Outbox(Path({str(path)!r})).last_seq({SOURCE!r}))
"""
    log = tmp_path / "output.txt"
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, "-c", program], stdout=output, env=dict(os.environ))
    try:
        wait_until(lambda: "waiting" in log.read_text(), what="the next owner")
        owner.close()
        assert process.wait(15) == 0
        assert log.read_text() == "waiting\n1\n"
    finally:
        process.kill()
        process.wait(10)

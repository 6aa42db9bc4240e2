"""A CAN log becomes the events that the bus would have made."""

from pathlib import Path

import can
import pytest

from contracts import can_frames
from contracts.can_frames import Output, SetLimit, Start
from contracts.events import CanFrameSeen, Reading
from lab.replay import can_log
from lab.replay.can_log import NotALog


def write(path: Path, sent: list[tuple[float, int, bytes]]) -> None:
    with can.Logger(path) as log:
        for at_s, can_id, data in sent:
            log(
                can.Message(timestamp=at_s, arbitration_id=can_id, data=data, is_extended_id=False, channel=0)
            )


@pytest.mark.parametrize("ending", ["log", "asc", "blf"])
def test_frames_make_readings(tmp_path, ending):
    path = tmp_path / f"bus.{ending}"
    frames = [SetLimit(100), Start(), Output(99.63, 390.2, 100.0), can_frames.reading(99.63)]
    write(path, [(1_800_000_000 + n * 0.1, *can_frames.encode(frame)) for n, frame in enumerate(frames)])
    events = list(can_log.events(path))
    seen = [event.can_id for event in events if isinstance(event, CanFrameSeen)]
    assert seen == [0x210, 0x200, 0x301, 0x300]
    (reading,) = [event for event in events if isinstance(event, Reading)]
    assert (reading.current_a, reading.voltage_v, reading.commanded_a) == (99.63, 390.2, 100.0)
    assert reading.charge_point_id == "LOG-0"


def test_malformed_and_foreign_frames_are_events_and_no_more(tmp_path):
    path = tmp_path / "bus.log"
    write(path, [(1_800_000_000, 0x300, b"\x01"), (1_800_000_001, 0x7FF, b"")])
    assert [type(event) for event in can_log.events(path)] == [CanFrameSeen, CanFrameSeen]


def test_a_file_that_is_no_log_is_named(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(NotALog, match=r"notes\.txt"):
        list(can_log.events(path))
    with pytest.raises(NotALog, match=r"missing\.asc"):
        list(can_log.events(tmp_path / "missing.asc"))

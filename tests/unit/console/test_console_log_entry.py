"""The message log's lines: what a person reads of a frame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import log_entry
from console.log_entry import MAX_TEXT
from contracts import can_frames
from contracts.can_frames import (
    Current,
    Faults,
    Frame,
    Keepalive,
    ModuleState,
    Output,
    SetLimit,
    Start,
    Status,
    Stop,
    Thermal,
)

FAULTS = Faults.OVER_TEMPERATURE | Faults.CONTACTOR_WELDED
FAULTED_TEXT = (
    "faulted, contactor closed, limited by the vehicle, faults: over temperature and contactor welded, "
    "counter 1, closures 12, opened under load 3"
)


@pytest.mark.parametrize(
    "frame,direction,name,text",
    [
        (Start(), "sent", "0x200 Start", "start charging"),
        (Stop(), "sent", "0x201 Stop", "stop charging"),
        (SetLimit(32), "sent", "0x210 SetLimit", "limit 32 A"),
        (Keepalive(7), "sent", "0x211 Keepalive", "counter 7"),
        (Current(98), "received", "0x300 Current", "current 98 A"),
        (
            Output(98.04, 400.1, 100),
            "received",
            "0x301 Output",
            "current 98.04 A, 400.1 V, offered 100.0 A",
        ),
        (
            Status(ModuleState.FAULTED, True, True, FAULTS, 1, 12, 3),
            "received",
            "0x302 Status",
            FAULTED_TEXT,
        ),
        (Thermal(-31.4, 50), "received", "0x303 Thermal", "-31.4 °C, battery 50.0 %"),
    ],
)
def test_frames_of_ours(frame: Frame, direction: str, name: str, text: str) -> None:
    """The name by the contract, the signals with their units."""
    can_id, data = can_frames.encode(frame)
    entry = log_entry.of_frame("1", 5.0, can_id, data)
    assert (entry.direction, entry.name, entry.text, entry.raw) == (direction, name, text, data.hex())
    assert not entry.malformed


def test_a_frame_that_is_none_of_ours() -> None:
    """It is what somebody looks for, so it is shown; nobody can say whose it is."""
    entry = log_entry.of_frame("1", 5.0, 0x123, b"\x01\xff")
    assert (entry.direction, entry.name, entry.text, entry.raw) == (
        None,
        "0x123",
        "unknown identifier",
        "01ff",
    )
    extended = log_entry.of_frame("1", 5.0, 0x300, b"\x01\x00", extended=True)
    assert (extended.name, extended.text) == ("0x00000300", "unknown identifier")


def test_nonsense_on_our_identifier_is_called_so() -> None:
    """With the reason why it is no whole frame."""
    entry = log_entry.of_frame("1", 5.0, 0x300, b"\x01")
    assert entry.malformed
    assert entry.text == "0x300: 1 bytes instead of 2"


@given(st.integers(0, 0x7FF) | st.sampled_from([0x200, 0x210, 0x301, 0x302, 0x303]), st.binary(max_size=8))
def test_every_frame_makes_a_line(can_id: int, data: bytes) -> None:
    """Whatever is on the bus, the line is one line."""
    entry = log_entry.of_frame("1", 5.0, can_id, data)
    assert 0 < len(entry.text) <= MAX_TEXT
    assert entry.text.isprintable()
    assert bytes.fromhex(entry.raw) == data

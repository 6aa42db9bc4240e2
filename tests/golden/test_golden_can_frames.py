"""The bytes of every frame, fixed in can_frames.json; code, DBC file and these bytes say the same."""

import json
import math
from importlib.resources import files
from pathlib import Path

import cantools
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import can_frames
from contracts.can_frames import (
    Current,
    Faults,
    Keepalive,
    ModuleState,
    Output,
    SetLimit,
    Start,
    Status,
    Stop,
    Thermal,
)
from contracts.errors import MalformedFrame

GOLDEN = json.loads((Path(__file__).parent / "can_frames.json").read_text(encoding="utf-8"))
DBC = cantools.database.load_string((files("contracts") / "charger.dbc").read_text(encoding="utf-8"))
TYPES = {kind.__name__: kind for kind in (Start, Stop, SetLimit, Keepalive, Current, Output, Status, Thermal)}

words = st.integers(0, 0xFFFF)
frames = st.one_of(
    st.sampled_from([Start(), Stop()]),
    st.builds(SetLimit, words),
    st.builds(Keepalive, words),
    st.builds(Current, words),
    st.builds(
        Output,
        st.integers(-(2**31), 2**31 - 1).map(lambda raw: raw / 100),
        words.map(lambda raw: raw / 10),
        words.map(lambda raw: raw / 10),
    ),
    st.builds(
        Status,
        st.sampled_from(ModuleState),
        st.booleans(),
        st.booleans(),
        st.integers(0, 31).map(Faults),
        st.integers(0, 255),
        words,
        words,
    ),
    st.builds(
        Thermal,
        st.integers(-0x8000, 0x7FFF).map(lambda raw: raw / 10),
        st.integers(0, 1000).map(lambda raw: raw / 10),
    ),
)


def golden_frame(entry):
    return TYPES[entry["type"]](**entry["fields"])


def signals(frame):
    return {name: float(value) for name, value in msgspec.structs.asdict(frame).items()}


@pytest.mark.parametrize("entry", GOLDEN, ids=lambda entry: f"{entry['can_id']}-{entry['data']}")
def test_golden_bytes(entry):
    frame = golden_frame(entry)
    can_id, data = int(entry["can_id"], 16), bytes.fromhex(entry["data"])
    assert can_frames.encode(frame) == (can_id, data)
    assert can_frames.decode(can_id, data) == frame
    assert DBC.encode_message(can_id, signals(frame)) == data


def test_every_frame_type_has_golden_bytes_and_a_place_in_the_dbc():
    assert {entry["type"] for entry in GOLDEN} == TYPES.keys()
    assert {message.name: message.frame_id for message in DBC.messages} == {
        name: kind.can_id for name, kind in TYPES.items()
    }
    for message in DBC.messages:
        kind = TYPES[message.name]
        assert message.length == kind.layout.size
        assert not message.is_extended_frame
        assert [signal.name for signal in message.signals] == list(kind.__struct_fields__)


@given(frames)
def test_code_and_dbc_encode_the_same(frame):
    can_id, data = can_frames.encode(frame)
    assert DBC.encode_message(can_id, signals(frame)) == data


@given(frames)
def test_code_and_dbc_decode_the_same(frame):
    can_id, data = can_frames.encode(frame)
    assert can_frames.decode(can_id, data) == frame
    assert DBC.decode_message(can_id, data, decode_choices=False) == pytest.approx(signals(frame))


@given(
    st.one_of(
        frames,
        st.builds(Output, *[st.floats(-1e6, 1e6)] * 3),
        st.builds(Thermal, st.floats(-1e4, 1e4), st.floats(-10, 100)),
    )
)
def test_a_frame_as_heard_is_what_its_bytes_say(frame):
    assert can_frames.as_heard(frame) == can_frames.decode(*can_frames.encode(frame))


def test_300_a_survive_the_two_bytes():
    assert can_frames.decode(*can_frames.encode(can_frames.limit(300.0))) == SetLimit(300)
    assert can_frames.decode(*can_frames.encode(can_frames.reading(300.0))) == Current(300)


@pytest.mark.parametrize(
    ("current_a", "read_a"),
    [
        (-5.0, 0),
        (-0.4, 0),
        (0.49, 0),
        (0.5, 1),
        (99.4, 99),
        (99.5, 100),
        (65535.4, 65535),
        (1e9, 65535),
        (math.inf, 65535),
    ],
)
def test_0x300_is_unsigned_rounded_and_saturating(current_a, read_a):
    assert can_frames.reading(current_a) == Current(read_a)


def test_a_limit_is_never_rounded_above_the_wish():
    assert can_frames.limit(15.99) == SetLimit(15)
    assert can_frames.limit(-1.0) == SetLimit(0)
    assert can_frames.limit(1e9) == SetLimit(65535)


@given(st.sampled_from(sorted(TYPES)), st.binary(max_size=64))
def test_a_wrong_length_is_refused(name, data):
    kind = TYPES[name]
    if len(data) == kind.layout.size:
        return
    with pytest.raises(MalformedFrame, match=f"0x{kind.can_id:03x}: {len(data)} bytes instead of"):
        can_frames.decode(kind.can_id, data)


@pytest.mark.parametrize(
    ("can_id", "data"),
    [
        (0x302, "0400000000000000"),  # an unknown state
        (0x302, "0004000000000000"),  # an unknown flag
        (0x302, "0000200000000000"),  # an unknown fault
        (0x303, "0000e903"),  # 100.1 % of charge
    ],
)
def test_a_value_without_a_meaning_is_refused(can_id, data):
    with pytest.raises(MalformedFrame, match=f"0x{can_id:03x}"):
        can_frames.decode(can_id, bytes.fromhex(data))


@pytest.mark.parametrize(
    "frame",
    [
        SetLimit(-1),
        SetLimit(65536),
        Current(70000),
        Output(math.nan, 0.0, 0.0),
        Thermal(0.0, math.nan),
    ],
)
def test_what_does_not_fit_is_not_sent(frame):
    with pytest.raises(MalformedFrame):
        can_frames.encode(frame)


@given(st.integers(0, 0x7FF), st.binary(max_size=8))
def test_any_frame_is_decoded_whole_or_ignored_or_refused(can_id, data):
    try:
        frame = can_frames.decode(can_id, data)
    except MalformedFrame:
        return
    if frame is not None:
        assert can_frames.encode(frame) == (can_id, data)

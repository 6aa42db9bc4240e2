"""The console's bench: what it plays is what a module sends, what it counts is what was seen."""

import math
from collections import Counter

import can
import msgspec
from can.interfaces.udp_multicast.utils import pack_message
from hypothesis import given
from hypothesis import strategies as st

from bench.console import delays_s
from chassis.can_bus import unpack
from console_load import Player, datagram
from contracts import can_frames


@given(number=st.integers(1, 5000), second=st.integers(0, 10_000))
def test_a_player_sends_what_a_module_sends(number: int, second: int) -> None:
    """Every datagram is one that the bus understands, with a whole frame in it; 0x300 comes last."""
    sent = []
    for frame in Player(number).frames(second, float(second)):
        heard = unpack(datagram(frame, float(second)))
        assert heard is not None
        assert not heard.extended
        decoded = can_frames.decode(heard.can_id, heard.data)
        assert type(decoded) is type(frame)
        sent.append(heard.can_id)
    assert set(sent) - {0x210} == {0x211, 0x301, 0x302, 0x303, 0x300}
    assert sent[-1] == 0x300


def test_players_are_as_different_as_a_fleet() -> None:
    """Odd ones swing from 0 to nearly 100 A, every tenth is idle, the others charge on."""
    swings = {}
    for number in range(1, 41):
        currents_a = [Player(number).current_a(tenth / 10) for tenth in range(160)]
        swings[number] = (min(currents_a), max(currents_a))
    assert all(low < 1 and high > 95 for number, (low, high) in swings.items() if number % 2)
    idle = Counter(number % 10 for number, swing in swings.items() if swing == (0, 0))
    assert idle == {0: 4}
    assert all(high - low < 2 for number, (low, high) in swings.items() if number % 2 == 0)


def test_a_delay_ends_when_the_frame_or_a_later_one_is_on_screen() -> None:
    """A frame that was skipped counts until its successor is shown; one that never came, for ever."""
    sent = [10.0, 10.2, 11.0, 11.5, 19.9]
    shown = [(9.0, 9.1), (10.001, 10.1), (11.001, 11.4)]
    found = delays_s(sent, shown, until_s=19.0)
    assert [round(delay, 6) for delay in found] == [0.1, 1.2, 0.4, math.inf]
    assert delays_s(sent, [], until_s=0.0) == []


def test_the_wire_format_is_python_cans() -> None:
    """The same keys as python-can packs, in the same order."""

    frame = can_frames.reading(16)
    can_id, data = can_frames.encode(frame)
    message = can.Message(arbitration_id=can_id, data=data, is_extended_id=False, timestamp=7.5)
    assert datagram(frame, 7.5) == pack_message(message)
    assert msgspec.msgpack.decode(datagram(frame, 7.5))["dlc"] == 2

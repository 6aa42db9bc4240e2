"""What a rogue node sends, and when."""

import pytest

from contracts.can_frames import CURRENT_ID, SET_LIMIT_ID
from contracts.injections import CanFlood, CanFrames, CanLimit, CanReading, CanReplay
from lab.rogue import sender as senders
from lab.rogue.sender import FLOOD_TICK_S, MOST_AT_ONCE_S, BusInjection, Raw, Sender

FLOOD = CanFlood(frames_per_s=1000.0, capacity_frames_per_s=900.0)
TEN_A = Raw(CURRENT_ID, bytes.fromhex("0a00"))


def sent(sender: Sender, until_s: float) -> list[tuple[float, Raw]]:
    """Return what it sends up to an instant, and when."""
    frames = []
    while sender.next_s < until_s:
        now_s = sender.next_s
        sender, due = senders.due(sender, now_s)
        frames += [(now_s, raw) for raw in due]
    return frames


def test_frames_come_again_and_again() -> None:
    sender = senders.begun(CanFrames(can_id=0x201, every_s=2.0), 100.0)
    assert sent(sender, 105.0) == [
        (100.0, Raw(0x201, b"")),
        (102.0, Raw(0x201, b"")),
        (104.0, Raw(0x201, b"")),
    ]


def test_limit_is_its_frame() -> None:
    ((_, raw),) = sent(senders.begun(CanLimit(limit_a=500, every_s=1.0), 0.0), 0.5)
    assert raw == Raw(SET_LIMIT_ID, bytes.fromhex("f401"))


@pytest.mark.parametrize(("injection", "data"), [
    (CanReading(gain=0.0, offset_a=7.0), "0700"),
    (CanReading(gain=2.0), "1400"),
    (CanReading(gain=1.0, offset_a=-50.0), "0000"),
])  # fmt: skip
def test_false_reading_follows_the_true_one(injection: BusInjection, data: str) -> None:
    sender = senders.heard(senders.begun(injection, 0.0), TEN_A, 0.1)
    ((_, raw),) = sent(sender, 0.5)
    assert raw == Raw(CURRENT_ID, bytes.fromhex(data))


def test_replay_repeats_what_it_recorded_in_its_rhythm() -> None:
    sender = senders.begun(CanReplay(record_s=10.0), 0.0)
    for second in range(20):  # what comes after the recording is not in it
        sender = senders.heard(sender, Raw(CURRENT_ID, bytes([second, 0])), second + 0.5)
    frames = sent(sender, 30.0)
    assert [raw.data[0] for _, raw in frames] == [*range(10), *range(10)]
    assert all(10 <= at_s < 20 for at_s, _ in frames[:10])


def test_replay_of_nothing_sends_nothing() -> None:
    assert sent(senders.begun(CanReplay(record_s=1.0), 0.0), 60.0) == []


def test_flood_fills_the_bus_at_its_rate() -> None:
    assert len(sent(senders.begun(CanFlood(frames_per_s=850.0), 0.0), 10.0)) == pytest.approx(8500, abs=20)


def test_who_started_a_module_stops_it() -> None:
    assert senders.restoring(senders.begun(CanFrames(can_id=0x200), 0.0)) == (Raw(0x201, b""),)
    assert senders.restoring(senders.begun(CanFrames(can_id=0x201), 0.0)) == ()


def test_a_flood_keeps_its_rate() -> None:
    frames = sent(senders.begun(FLOOD, 0.0), 10.0)
    assert abs(len(frames) - 10_000) <= 1000 * FLOOD_TICK_S + 1


def test_what_a_stall_held_up_is_not_sent_at_once() -> None:
    sender, _ = senders.due(senders.begun(FLOOD, 0.0), 0.0)
    sender, burst = senders.due(sender, 60.0)
    assert len(burst) == 1000 * MOST_AT_ONCE_S
    _, after = senders.due(sender, 60.0)
    assert after == ()

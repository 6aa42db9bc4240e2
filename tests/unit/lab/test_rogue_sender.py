"""A rogue's flood stays within its bound, also after a stall."""

from contracts.injections import CanFlood
from lab.rogue import sender as senders
from lab.rogue.sender import FLOOD_TICK_S, MOST_AT_ONCE_S

FLOOD = CanFlood(frames_per_s=1000.0, capacity_frames_per_s=900.0)


def test_a_flood_keeps_its_rate() -> None:
    sender, sent = senders.begun(FLOOD, 0.0), 0
    while sender.next_s < 10.0:
        sender, frames = senders.due(sender, sender.next_s)
        sent += len(frames)
    assert abs(sent - 10_000) <= 1000 * FLOOD_TICK_S + 1


def test_what_a_stall_held_up_is_not_sent_at_once() -> None:
    sender, _ = senders.due(senders.begun(FLOOD, 0.0), 0.0)
    sender, burst = senders.due(sender, 60.0)
    assert len(burst) == 1000 * MOST_AT_ONCE_S
    _, after = senders.due(sender, 60.0)
    assert after == ()

"""What a rogue node sends and when: it hears the bus and is asked what is due. Pure: time is an argument."""

from math import ceil
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from contracts import can_frames
from contracts.can_frames import (
    CURRENT_ID,
    OUTPUT_ID,
    START_ID,
    STATUS_ID,
    STOP_ID,
    THERMAL_ID,
    Current,
    SetLimit,
)
from contracts.injections import CanFlood, CanFrames, CanLimit, CanReading, CanReplay

BusInjection: TypeAlias = CanFrames | CanLimit | CanReading | CanReplay | CanFlood
FLOOD_TICK_S = 0.01
"""A flood is sent in small bursts; a computer's timers are no finer."""
MOST_AT_ONCE_S = 0.1
"""A flood's largest burst is what it sends in so long."""
_MODULES = frozenset({CURRENT_ID, OUTPUT_ID, STATUS_ID, THERMAL_ID})


class Raw(Struct, frozen=True):
    """A frame as it is on the bus."""

    can_id: int
    data: bytes


class Recorded(Struct, frozen=True):
    """A frame heard, and how long after the begin."""

    after_s: float
    raw: Raw


class Sender(Struct, frozen=True):
    """One injection under way: `sent` frames so far (of a replay: of the present round)."""

    injection: BusInjection
    began_s: float
    next_s: float
    sent: int = 0
    heard_a: float = 0.0
    recorded: tuple[Recorded, ...] = ()
    round_s: float = 0.0
    """When the present round of a replay began."""


def begun(injection: BusInjection, now_s: float, heard_a: float = 0.0) -> Sender:
    """Return the sender at its begin; `heard_a` is the last true reading of the bus, where one is known."""
    first_s = now_s + injection.record_s if isinstance(injection, CanReplay) else now_s
    return Sender(injection, now_s, first_s, heard_a=heard_a, round_s=first_s)


def heard(sender: Sender, raw: Raw, now_s: float) -> Sender:
    """Return the sender after a frame that another node sent."""
    match sender.injection:
        case CanReading() if raw.can_id == CURRENT_ID and len(raw.data) == Current.layout.size:
            return replace(sender, heard_a=float(Current.layout.unpack(raw.data)[0]))
        case CanReplay(record_s=record_s) if now_s - sender.began_s < record_s and raw.can_id in _MODULES:
            return replace(sender, recorded=(*sender.recorded, Recorded(now_s - sender.began_s, raw)))
    return sender


def due(sender: Sender, now_s: float) -> tuple[Sender, tuple[Raw, ...]]:
    """Return the sender after what is due at its `next_s`, which is now, and the frames that it sends."""
    match sender.injection:
        case CanFrames(can_id=can_id, data=data, every_s=every_s):
            return _again(sender, every_s), (Raw(can_id, bytes.fromhex(data)),)
        case CanLimit(limit_a=limit_a, every_s=every_s):
            frame = SetLimit(round(limit_a))
            return _again(sender, every_s), (Raw(*can_frames.encode(frame)),)
        case CanReading(gain=gain, offset_a=offset_a, every_s=every_s):
            frame_ = can_frames.reading(max(0.0, gain * sender.heard_a + offset_a))
            return _again(sender, every_s), (Raw(*can_frames.encode(frame_)),)
        case CanFlood(can_id=can_id, frames_per_s=frames_per_s):
            wanted = int((now_s - sender.began_s) * frames_per_s) + 1
            # What a stall held up is not made up for: a bus carries no more than it can.
            missed = min(wanted - sender.sent, ceil(frames_per_s * MOST_AT_ONCE_S))
            burst = (Raw(can_id, b""),) * missed
            return replace(sender, next_s=sender.next_s + FLOOD_TICK_S, sent=wanted), burst
        case CanReplay(record_s=record_s):
            return _replayed(sender, record_s)


def restoring(sender: Sender) -> tuple[Raw, ...]:
    """Return what it sends last, so that nothing outlasts it: who started a module stops it.

    A false limit stands until the charge point's next one: which was the true one the bus does not tell.
    """
    match sender.injection:
        case CanFrames(can_id=can_id) if can_id == START_ID:
            return (Raw(STOP_ID, b""),)
    return ()


def _again(sender: Sender, every_s: float) -> Sender:
    return replace(sender, next_s=sender.next_s + every_s, sent=sender.sent + 1)


def _replayed(sender: Sender, record_s: float) -> tuple[Sender, tuple[Raw, ...]]:
    if not sender.recorded:  # there was nothing to record
        return replace(sender, next_s=float("inf")), ()
    raw = sender.recorded[sender.sent].raw
    sent, round_s = sender.sent + 1, sender.round_s
    if sent == len(sender.recorded):
        sent, round_s = 0, round_s + record_s
    next_s = round_s + sender.recorded[sent].after_s
    return replace(sender, sent=sent, round_s=round_s, next_s=max(sender.next_s, next_s)), (raw,)

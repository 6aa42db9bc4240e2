"""From an MQTT message to numbered events, or what is wrong with it.

A message that is no batch of its topic's source is refused as a whole. A batch that is sound but has an event
in the wrong place is taken with that event set aside: refused, it would hold up its source for ever.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias
from uuid import UUID

import msgspec
from msgspec import Struct

from contracts import events, topics
from contracts.errors import MalformedEvent
from contracts.events import AnyEvent, CanFrameSeen, OcppMessageSeen, Reading, ScenarioLabel
from contracts.topics import Channel


@dataclass(frozen=True, slots=True)
class SetAside:
    """A numbered event that is not used: why, and its JSON."""

    reason: str
    payload: bytes


_UNDOUBTED = frozenset({CanFrameSeen, OcppMessageSeen})

Numbered: TypeAlias = AnyEvent | SetAside
"""What stands at a number: an event, or what arrived instead of one that can be used."""


class Taken(Struct, frozen=True):
    """A batch as it is to be stored: event i has the number `first_seq + i`; if whole, none is set aside."""

    source: str
    channel: Channel
    partition: int
    boot: UUID
    first_seq: int
    committed: int
    events: list[Numbered]
    is_whole: bool


@lru_cache(4096)
def _source_of(topic: str) -> tuple[str, Channel, int]:
    source = topics.source_from_topic(topic)
    return source.id, source.channel, source.partition


def take(topic: str, payload: bytes) -> Taken:
    """Return the batch that arrived on `topic`; raise ContractError where it is none of its source."""
    source, channel, partition = _source_of(topic)
    batch = events.decode_batch(payload)
    if batch.source != source:
        raise MalformedEvent(f"{batch.source!r} on the topic of {source!r} - at `$.source`")
    content: list[Numbered] = [*batch.events]
    is_whole = True
    for index, event in enumerate(batch.events):
        # The most frequent have their place wherever events do.
        if type(event) not in _UNDOUBTED or channel == "truth":
            content[index] = numbered = _in_place(channel, index, event)
            is_whole = is_whole and numbered is event
    return Taken(source, channel, partition, batch.boot, batch.first_seq, batch.committed, content, is_whole)


def _in_place(channel: Channel, index: int, event: AnyEvent) -> Numbered:
    reason = None
    # On the wrong channel a label would be seen by detectors, and an event hidden from them.
    if isinstance(event, ScenarioLabel) is not (channel == "truth"):
        reason = f"{type(event).__name__} has no place on the {channel} channel"
    elif isinstance(event, Reading) and (event.charge_point_id is None or event.connector is None):
        reason = "a Reading names its charge point and its connector"
    if reason is None:
        return event
    return SetAside(f"{reason} - at `$.events[{index}]`", msgspec.json.encode(event))

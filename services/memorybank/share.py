"""Which part of the work a MemoryBank does: several share the 16 partitions among them.

All events of a charge point travel in one partition, so one MemoryBank sees all of it, in order.
"""

import re
from dataclasses import dataclass
from typing import Self

from contracts import topics

_SHARE = re.compile(r"([0-9]{1,2})/([0-9]{1,2})")


@dataclass(frozen=True, slots=True)
class Share:
    """Share `number` (from 1) `of` so many: each partition is in exactly one of them."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the share written as `2/4`; raises ValueError saying what is wrong."""
        match = _SHARE.fullmatch(text)
        share = cls(int(match[1]), int(match[2])) if match else None
        if share is None or not 1 <= share.number <= share.of <= topics.PARTITIONS:
            raise ValueError(f"{text!r} is no share such as 1/2: number/of, up to {topics.PARTITIONS}")
        return share

    @property
    def partitions(self) -> tuple[int, ...]:
        """The partitions of this share."""
        return tuple(range(self.number - 1, topics.PARTITIONS, self.of))

    @property
    def client_id(self) -> str:
        """The name at the broker: fixed, so that it keeps our session and what arrives while we are away."""
        return "memorybank" if self.of == 1 else f"memorybank-{self.number}-of-{self.of}"

    @property
    def subscriptions(self) -> tuple[tuple[str, int], ...]:
        """The filters of everything that is published in these partitions, each with its QoS."""
        if self.of == 1:
            return (topics.ALL_EVENTS, 1), (topics.ALL_TRUTH, 1)
        return tuple(
            (topics.partition_filter(channel, partition), 1)
            for partition in self.partitions
            for channel in topics.CHANNELS
        )

    def has(self, charge_point_id: str) -> bool:
        """Return whether this share has a charge point."""
        return topics.partition_of(charge_point_id) in self.partitions


def complaint(text: str) -> str | None:
    """Return what is wrong with a share as it is written, or None."""
    try:
        Share.parse(text)
    except ValueError as error:
        return str(error)
    return None

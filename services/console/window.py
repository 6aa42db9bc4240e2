"""A rolling window of one connector's readings, by the time they were heard, and what it says."""

import math
from collections import deque
from itertools import islice
from typing import NamedTuple

from msgspec import Struct

SPAN_S = 60.0
STALE_AFTER_S = 3.5
"""A module sends each second (contracts.can_frames.READING_PERIOD_S); three missed readings are silence."""
MAX_SAMPLES = 1200


class Sample(NamedTuple):
    """What stood on a bus at one instant (seconds since the epoch), and what was commanded then."""

    at_s: float
    current_a: float
    offered_a: float | None = None
    bus_limit_a: float | None = None
    commanded_a: float | None = None
    voltage_v: float | None = None
    power_w: float | None = None
    temperature_c: float | None = None


class Statistics(Struct, frozen=True, kw_only=True):
    """What a window says at one instant; None where it is empty. Stale: nothing came for STALE_AFTER_S."""

    present_a: float | None = None
    offered_a: float | None = None
    min_a: float | None = None
    max_a: float | None = None
    mean_a: float | None = None
    at_s: float | None = None
    count: int = 0
    stale: bool = True


class Window:
    """Samples in order of time, none older than SPAN_S before the newest; changed in place, for speed.

    `added` counts all that ever came, `dropped` those that a flood pushed out before their time.
    """

    __slots__ = ("_samples", "added", "dropped")

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()
        self.added = 0
        self.dropped = 0

    def __len__(self) -> int:
        """Return how many samples are kept."""
        return len(self._samples)

    @property
    def newest(self) -> Sample | None:
        """The latest sample."""
        return self._samples[-1] if self._samples else None

    def add(self, sample: Sample) -> None:
        """Add a sample and let go what is now too old."""
        samples, at_s = self._samples, sample.at_s
        # Samples come as they are heard, so it is the clock that was set back: what it calls the future goes.
        while samples and samples[-1].at_s > at_s:
            samples.pop()
        samples.append(sample)
        self.added += 1
        self.forget(at_s)
        if len(samples) > MAX_SAMPLES:
            samples.popleft()
            self.dropped += 1

    def forget(self, now_s: float) -> None:
        """Let go what is older than SPAN_S."""
        samples, first_s = self._samples, now_s - SPAN_S
        while samples and samples[0].at_s <= first_s:
            samples.popleft()

    def since(self, added: int) -> list[Sample]:
        """Return the samples that came after `added` had, as far as they are kept."""
        kept = len(self._samples)
        return list(islice(self._samples, max(0, kept - (self.added - added)), kept))

    def recent(self, now_s: float) -> list[Sample]:
        """Return the samples of the last SPAN_S."""
        self.forget(now_s)
        return list(self._samples)

    def thinned(self, now_s: float, most: int) -> list[Sample]:
        """Return at most `most` samples of the last SPAN_S, the newest among them, evenly chosen."""
        samples = self.recent(now_s)
        every = -(-len(samples) // most)
        return samples[(len(samples) - 1) % every :: every] if samples else []

    def is_stale(self, now_s: float) -> bool:
        """Return whether nothing came for STALE_AFTER_S."""
        return not self._samples or now_s - self._samples[-1].at_s > STALE_AFTER_S

    def statistics(self, now_s: float) -> Statistics:
        """Return present, lowest, highest and mean current of the last SPAN_S."""
        samples = self.recent(now_s)
        if not samples:
            return Statistics()
        currents_a = [sample.current_a for sample in samples]
        lowest_a, highest_a = min(currents_a), max(currents_a)
        mean_a = math.fsum(currents_a) / len(currents_a)
        newest = samples[-1]
        return Statistics(
            present_a=newest.current_a,
            offered_a=newest.offered_a,
            min_a=lowest_a,
            max_a=highest_a,
            mean_a=min(highest_a, max(lowest_a, mean_a)),  # rounding must not put the mean outside
            at_s=newest.at_s,
            count=len(samples),
            stale=self.is_stale(now_s),
        )

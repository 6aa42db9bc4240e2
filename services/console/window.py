"""A rolling window of one connector's current, by event time: the samples and what they say."""

import bisect
import math
from dataclasses import dataclass

SPAN_S = 60.0
STALE_AFTER_S = 3.5
"""A module sends each second (contracts.can_frames.READING_PERIOD_S); three missed readings are silence."""
MAX_SAMPLES = 1200


@dataclass(frozen=True, slots=True)
class Sample:
    """The current on the bus at one instant (seconds since the epoch), and what the module offered then."""

    at_s: float
    current_a: float
    offered_a: float | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Samples in order of event time, none older than SPAN_S before the newest.

    `dropped` counts samples that a flood pushed out before their time.
    """

    samples: tuple[Sample, ...] = ()
    dropped: int = 0


EMPTY = Window()


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a window says at one instant; None where it is empty. Stale: nothing came for STALE_AFTER_S."""

    present_a: float | None = None
    offered_a: float | None = None
    min_a: float | None = None
    max_a: float | None = None
    mean_a: float | None = None
    at_s: float | None = None
    count: int = 0
    stale: bool = True


def add(window: Window, sample: Sample) -> Window:
    """Return the window with the sample at its place in time and what is now too old gone."""
    if not window.samples or sample.at_s >= window.samples[-1].at_s:
        samples = (*window.samples, sample)
    elif sample.at_s <= window.samples[-1].at_s - SPAN_S:
        # Frames are sampled as they arrive, so it is the clock that was set back: begin anew.
        samples = (sample,)
    else:
        at = bisect.bisect_right(window.samples, sample.at_s, key=_at_s)
        samples = (*window.samples[:at], sample, *window.samples[at:])
    first = bisect.bisect_right(samples, samples[-1].at_s - SPAN_S, key=_at_s)
    too_many = max(0, len(samples) - first - MAX_SAMPLES)
    return Window(samples[first + too_many :], window.dropped + too_many)


def recent(window: Window, now_s: float) -> tuple[Sample, ...]:
    """Return the samples of the last SPAN_S."""
    return window.samples[bisect.bisect_right(window.samples, now_s - SPAN_S, key=_at_s) :]


def statistics(window: Window, now_s: float) -> Statistics:
    """Return present, lowest, highest and mean current of the last SPAN_S."""
    samples = recent(window, now_s)
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
        stale=now_s - newest.at_s > STALE_AFTER_S,
    )


def _at_s(sample: Sample) -> float:
    return sample.at_s

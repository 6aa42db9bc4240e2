"""Baselines: what is usual of a metric at a connector, learned session by session, and how far it may move.

Whoever can make a session can try to teach: so one session moves a baseline a little, all of them together
not beyond a corridor around what it was when it grew up, and where sessions keep pulling one way (CUSUM)
nothing more is learned of it until a person agrees. A drift is proposed, never applied.
"""

import math
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, structs

from memorybank.detector import Expected

BINS = 32
"""Of a histogram, equal, from a metric's `low` to its `high`; what lies beyond counts in the outer ones."""
MATURE = 20
"""Sessions after which a baseline is grown up: its mean and deviation then are what it is held to."""
YOUNG = 10.0
"""A connector's own sessions weigh as much as the fleet's when there are so many of them."""
FEWEST = 3
"""Sessions, its own or the fleet's, below which nothing is expected."""
SLOWEST = 0.05
"""Weight of one session in the end: what was 20 sessions ago weighs a third."""
RECENT = 0.2
"""Weight of one session in what is recent."""
CAP, CAP_YOUNG = 0.25, 1.0
"""Standard deviations by which one session may move a mean."""
CORRIDOR = 1.0
"""Standard deviations by which all sessions together may move a grown-up mean, until a person agrees."""
SLACK, DRIFTS = 0.5, 12.0
"""CUSUM of sessions' means in standard deviations: what is forgiven each time, and the sum that is a drift.
Without a drift such a sum takes some ten thousand sessions, also where the first 20 had a mean that was
0.2 beside the true one (Siegmund's approximation)."""


class Metric(Struct, frozen=True):
    """A metric in a phase of charging; `floor` is the least standard deviation that is believed."""

    name: str
    phase: str
    low: float
    high: float
    floor: float
    meaning: str


METRICS: tuple[Metric, ...] = (
    Metric("commanded_a", "charging", 0.0, 640.0, 1.0, "Limit told to the module, A"),
    Metric("current_a", "steady", 0.0, 640.0, 1.0, "Current that stands still, A"),
    Metric("slew_a_s", "ramp", 0.0, 128.0, 1.0, "Change of the current where it moves, A/s"),
    Metric("reversals_per_min", "charging", 0.0, 32.0, 0.2, "Reversals of 5 A and more in a minute"),
    Metric("frame_gap_s", "charging", 0.0, 16.0, 0.1, "From one reading on CAN to the next, s"),
    Metric("meter_gain", "steady", 0.0, 4.0, 0.02, "Reported current by the one on CAN"),
    Metric("start_gap_s", "charging", 0.0, 86_400.0, 60.0, "From one start of a session to the next, s"),
)
BY_NAME: Mapping[tuple[str, str], Metric] = {(metric.name, metric.phase): metric for metric in METRICS}


class Summary(Struct):
    """What one session showed of a metric; changed in place while it is gathered."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    histogram: dict[int, int] = {}

    def add(self, metric: Metric, value: float) -> None:
        """Take one value."""
        self.count += 1
        self.total += value
        self.squares += value * value
        share = (value - metric.low) / (metric.high - metric.low)
        index = min(BINS - 1, max(0, int(share * BINS)))
        self.histogram[index] = self.histogram.get(index, 0) + 1

    @property
    def mean(self) -> float:
        """Of all values."""
        return self.total / self.count

    @property
    def variance(self) -> float:
        """Of all values."""
        return max(0.0, self.squares / self.count - self.mean**2)


class Baseline(Struct, frozen=True, kw_only=True):
    """What is usual of a metric at a connector, or of all of them (FLEET, 0).

    `anchor_mean` and `anchor_sd` are what it was when it grew up, or when a person agreed last; `rise` and
    `fall` the sums of the drift test; `histogram` has the share of each bin. `recent_mean` is that of the
    last few sessions, wherever they go: it is shown and proposed, never expected. `is_held`: it drifts, and
    nothing more is learned of it until a person agrees.
    """

    charge_point_id: str
    connector: int
    metric: str
    phase: str
    sessions: int
    samples: int
    mean: float
    variance: float
    histogram: list[float]
    recent_mean: float
    anchor_mean: float | None = None
    anchor_sd: float | None = None
    rise: float = 0.0
    fall: float = 0.0
    is_held: bool = False
    updated_at: datetime
    version: int = 0

    @property
    def sd(self) -> float:
        """Its standard deviation, not less than the metric's floor."""
        return max(BY_NAME[self.metric, self.phase].floor, math.sqrt(self.variance))


def first(metric: Metric, charge_point_id: str, connector: int, summary: Summary, at: datetime) -> Baseline:
    """Return the baseline that a first clean session gives."""
    return Baseline(
        charge_point_id=charge_point_id,
        connector=connector,
        metric=metric.name,
        phase=metric.phase,
        sessions=1,
        samples=summary.count,
        mean=summary.mean,
        variance=summary.variance,
        histogram=_shares(summary),
        recent_mean=summary.mean,
        updated_at=at,
    )


def learned(known: Baseline, summary: Summary, at: datetime) -> Baseline:
    """Return the baseline after a further clean session; where it drifts, only its drift test moves on."""
    recent_mean = known.recent_mean + RECENT * (summary.mean - known.recent_mean)
    tested = _tested(structs.replace(known, recent_mean=recent_mean), summary.mean)
    if tested.is_held:
        return tested
    is_young = known.anchor_mean is None
    weight = max(SLOWEST, 1 / (known.sessions + 1))
    most = (CAP_YOUNG if is_young else CAP) * known.sd
    mean = known.mean + max(-most, min(most, weight * (summary.mean - known.mean)))
    if known.anchor_mean is not None and known.anchor_sd is not None:
        reach = CORRIDOR * known.anchor_sd
        mean = max(known.anchor_mean - reach, min(known.anchor_mean + reach, mean))
    # A strange session widens what is usual as little as it moves it.
    strangeness = max(-3 * known.sd, min(3 * known.sd, summary.mean - known.mean))
    spread = min(summary.variance, 9 * known.sd**2) + strangeness**2
    variance = known.variance + weight * (spread - known.variance)
    if known.anchor_sd is not None:
        variance = min(variance, (2 * known.anchor_sd) ** 2)
    shares = _shares(summary)
    grown = structs.replace(
        tested,
        sessions=known.sessions + 1,
        samples=known.samples + summary.count,
        mean=mean,
        variance=variance,
        histogram=[old + weight * (new - old) for old, new in zip(known.histogram, shares, strict=True)],
        updated_at=at,
    )
    if is_young and grown.sessions >= MATURE:
        return structs.replace(grown, anchor_mean=grown.mean, anchor_sd=grown.sd)
    return grown


def agreed(known: Baseline, mean: float) -> Baseline:
    """Return the baseline after a person agreed that `mean` is usual now: young, it grows up from there."""
    return structs.replace(
        known,
        sessions=min(known.sessions, FEWEST),
        mean=mean,
        anchor_mean=None,
        anchor_sd=None,
        rise=0.0,
        fall=0.0,
        is_held=False,
    )


def expected(own: Baseline | None, fleet: Baseline | None) -> Expected | None:
    """Return what is usual at a connector: its own, with the fleet's in place of what it is too young for."""
    known = [baseline for baseline in (own, fleet) if baseline is not None]
    if sum(baseline.sessions for baseline in known) < FEWEST:
        return None
    if own is None or fleet is None:
        (only,) = known
        return Expected(only.mean, only.sd, only.samples)
    weight = own.sessions / (own.sessions + YOUNG)
    mean = weight * own.mean + (1 - weight) * fleet.mean
    variance = weight * own.sd**2 + (1 - weight) * fleet.sd**2
    variance += weight * (1 - weight) * (own.mean - fleet.mean) ** 2
    return Expected(mean, math.sqrt(variance), own.samples)


def quantile(baseline: Baseline, share: float) -> float:
    """Return the value below which `share` of the samples lie, by the histogram, to half a bin."""
    metric = BY_NAME[baseline.metric, baseline.phase]
    width = (metric.high - metric.low) / BINS
    below = 0.0
    for index, part in enumerate(baseline.histogram):
        if part and below + part >= share:
            return metric.low + (index + (share - below) / part) * width
        below += part
    return metric.high


def _tested(known: Baseline, mean: float) -> Baseline:
    if known.anchor_mean is None or known.anchor_sd is None:
        return known
    pull = (mean - known.anchor_mean) / known.anchor_sd
    # One session may be strange, as long as the next one is not.
    pull = max(-3.0, min(3.0, pull))
    rise, fall = max(0.0, known.rise + pull - SLACK), max(0.0, known.fall - pull - SLACK)
    return structs.replace(
        known,
        rise=min(rise, 2 * DRIFTS),
        fall=min(fall, 2 * DRIFTS),
        is_held=known.is_held or max(rise, fall) >= DRIFTS,
    )


def _shares(summary: Summary) -> list[float]:
    return [summary.histogram.get(index, 0) / summary.count for index in range(BINS)]

"""What every service with CAN buses of its own tells of them, all buses together."""

from collections.abc import Callable
from typing import TypeVar

from chassis.can_link import Tally
from chassis.metrics import Metric

P = TypeVar("P")


def can_metrics(tally: Callable[[P], Tally]) -> tuple[Metric[P], ...]:
    """Return the rows of a service's table that are about its buses."""
    return (
        Metric(
            "frames_received_total",
            "CAN frames that were read, those that the queue had no room for included",
            lambda parts: tally(parts).received,
        ),
        Metric(
            "frames_sent_total",
            "CAN frames handed to the interface, unsent ones included",
            lambda parts: tally(parts).sent,
        ),
        Metric(
            "frames_unsent_total",
            "CAN frames that the interface would not send",
            lambda parts: tally(parts).unsent,
        ),
        Metric(
            "frames_malformed_total",
            "What arrived and was no classic CAN data frame",
            lambda parts: tally(parts).malformed,
        ),
        Metric(
            "frames_dropped_total",
            "CAN frames that came while the queue or the kernel's buffer was full",
            lambda parts: tally(parts).dropped,
        ),
    )

"""What every service that publishes tells of its publisher."""

from collections.abc import Callable
from typing import TypeVar

from chassis.metrics import Metric
from chassis.publisher import Publisher

P = TypeVar("P")


def publisher_metrics(publisher: Callable[[P], Publisher]) -> tuple[Metric[P], ...]:
    """Return the rows of a service's table that are about the publisher among its parts."""
    return (
        Metric(
            "events_published_total",
            "Events handed to the publisher",
            lambda parts: publisher(parts).published,
        ),
        Metric(
            "events_dropped_total",
            "Events that never got a number: outbox or memory was full, or nobody could have read them",
            lambda parts: publisher(parts).dropped,
        ),
        Metric(
            "events_uncommitted",
            "Events that the MemoryBank has not committed yet",
            lambda parts: publisher(parts).uncommitted,
        ),
        Metric(
            "outbox_bytes",
            "Bytes of these events, on disk and in memory",
            lambda parts: publisher(parts).kept_bytes,
        ),
        Metric(
            "resends_total",
            "How often a source went back to its first uncommitted batch, because no word came",
            lambda parts: publisher(parts).resends,
        ),
    )

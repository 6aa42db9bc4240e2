"""What the charger tells Prometheus."""

from dataclasses import dataclass

from charger.rack import Rack
from chassis.backplane_link import BackplaneLink
from chassis.can_metrics import can_metrics
from chassis.metrics import Metric


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the numbers are."""

    rack: Rack
    backplane: BackplaneLink
    capacity: int


METRICS: tuple[Metric[Parts], ...] = (
    Metric("buses", "CAN buses that have a module of this process", lambda parts: parts.rack.buses),
    Metric("capacity_buses", "Buses that it takes on request at most", lambda parts: parts.capacity),
    Metric("faults", "Injected faults that are in force", lambda parts: parts.rack.faults),
    *can_metrics(lambda parts: parts.rack.passed.frames),
    Metric(
        "frames_refused_total",
        "CAN frames of a known identifier with a wrong length or value",
        lambda parts: parts.rack.passed.refused,
    ),
    Metric(
        "stood_still_seconds_total",
        "Seconds by which modules fell behind because the process stalled",
        lambda parts: parts.rack.passed.stood_still_s,
    ),
    Metric(
        "backplane_malformed_total",
        "Datagrams on the backplane that were none of its kinds",
        lambda parts: parts.backplane.malformed,
    ),
    Metric(
        "backplane_dropped_total",
        "Datagrams on the backplane that arrived while the queue was full",
        lambda parts: parts.backplane.dropped,
    ),
)

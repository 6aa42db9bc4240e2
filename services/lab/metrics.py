"""What the injector tells Prometheus."""

from dataclasses import dataclass

from chassis.can_metrics import can_metrics
from chassis.metrics import Metric
from chassis.performer import Performer
from lab.rogue.backplane import Backplane
from lab.rogue.injector import Injector


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the numbers are."""

    performer: Performer
    backplane: Backplane
    injector: Injector


METRICS: tuple[Metric[Parts], ...] = (
    Metric("injections", "Injections under way here", lambda parts: parts.performer.active),
    Metric("injections_total", "Injections that began here", lambda parts: parts.performer.began),
    Metric(
        "injections_failed_total",
        "Orders for this place that could not be performed",
        lambda parts: parts.performer.failed,
    ),
    Metric(
        "orders_malformed_total", "MQTT messages that were no order", lambda parts: parts.performer.malformed
    ),
    Metric("buses", "CAN buses that charge points lease now", lambda parts: len(parts.backplane.buses)),
    Metric("connected", "1 while the broker is reached", lambda parts: parts.performer.connected),
    *can_metrics(lambda parts: parts.injector.tally),
)

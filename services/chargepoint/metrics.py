"""What a charge point tells Prometheus, and who asks for its health. Id tags are no part of it."""

from dataclasses import dataclass
from typing import Any

from chargepoint.station import Station
from chassis.can_link import Tally
from chassis.can_metrics import can_metrics
from chassis.metrics import Metric
from chassis.publisher import Publisher
from chassis.publisher_metrics import publisher_metrics


@dataclass(slots=True)
class Parts:
    """Where the numbers are; a Reset makes another station, whose counts begin anew."""

    publisher: Publisher
    station: Station

    @property
    def tally(self) -> Tally:
        """What passed on the buses of all connectors."""
        return sum((outlet.tally for outlet in self.station.outlets), Tally())

    def health(self) -> dict[str, Any]:
        """Return what /healthz says. A charge point works on while everything around it is away."""
        return {
            "ok": True,
            "service": "chargepoint",
            "csms": self.station.client.is_online,
            "publisher": {"connected": self.publisher.connected, "dropped": self.publisher.dropped},
            "connectors": [
                {
                    "connector": outlet.number,
                    "status": str(outlet.connector.status),
                    "module": outlet.connector.module.present,
                }
                for outlet in self.station.outlets
            ],
        }


METRICS: tuple[Metric[Parts], ...] = (
    Metric("connectors", "Connectors", lambda parts: len(parts.station.outlets)),
    Metric(
        "modules",
        "Connectors whose charger module is heard",
        lambda parts: sum(outlet.connector.module.present for outlet in parts.station.outlets),
    ),
    Metric(
        "transactions",
        "Connectors with a transaction",
        lambda parts: sum(outlet.connector.transaction is not None for outlet in parts.station.outlets),
    ),
    Metric(
        "queued_messages",
        "Messages of transactions that wait for the CSMS",
        lambda parts: len(parts.station.queue),
    ),
    Metric(
        "meter_values_dropped_total",
        "MeterValues that had to make room in this queue",
        lambda parts: parts.station.queue.dropped,
    ),
    Metric(
        "posts_dropped_total",
        "Messages outside of transactions for which no CSMS was there",
        lambda parts: parts.station.client.dropped_posts,
    ),
    Metric(
        "connected",
        "1 while it is reached",
        lambda parts: {"csms": parts.station.client.is_online, "broker": parts.publisher.connected},
        "to",
        ("csms", "broker"),
    ),
    *can_metrics(lambda parts: parts.tally),
    Metric(
        "frames_refused_total",
        "CAN frames of a known identifier with a wrong length or value",
        lambda parts: sum(outlet.refused for outlet in parts.station.outlets),
    ),
    *publisher_metrics(lambda parts: parts.publisher),
)

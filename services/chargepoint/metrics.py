"""What a chargepoint process tells Prometheus, and who asks for its health. Id tags are no part of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chargepoint.fleet import Fleet
from chargepoint.outlet import Outlet
from chassis.can_link import Tally
from chassis.can_metrics import can_metrics
from chassis.metrics import Metric
from chassis.publisher import Publisher
from chassis.publisher_metrics import publisher_metrics


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the numbers are; a Reset makes another station, whose counts begin anew."""

    publisher: Publisher
    fleet: Fleet

    @property
    def outlets(self) -> Iterator[Outlet]:
        """The connectors of all charge points."""
        for station in self.fleet.stations:
            yield from station.outlets

    @property
    def online(self) -> int:
        """How many charge points have a connection on which the CSMS accepted them."""
        return sum(station.client.is_online for station in self.fleet.stations)

    @property
    def tally(self) -> Tally:
        """What passed on the buses of all connectors."""
        return sum((outlet.tally for outlet in self.outlets), Tally())

    def health(self) -> dict[str, Any]:
        """Return what /healthz says. A charge point works on while everything around it is away."""
        stations = self.fleet.stations
        told: dict[str, Any] = {
            "ok": True,
            "service": "chargepoint",
            "csms": self.online == len(stations),
            "publisher": {"connected": self.publisher.connected, "dropped": self.publisher.dropped},
        }
        if len(stations) > 1:
            modules = sum(outlet.connector.module.present for outlet in self.outlets)
            return told | {"charge_points": len(stations), "online": self.online, "modules": modules}
        told["connectors"] = [
            {
                "connector": outlet.number,
                "status": str(outlet.connector.status),
                "module": outlet.connector.module.present,
            }
            for outlet in self.outlets
        ]
        return told


METRICS: tuple[Metric[Parts], ...] = (
    Metric("charge_points", "Charge points of this process", lambda parts: len(parts.fleet.stations)),
    Metric(
        "charge_points_online",
        "Charge points with a connection on which the CSMS accepted them",
        lambda parts: parts.online,
    ),
    Metric("connectors", "Connectors", lambda parts: sum(1 for _ in parts.outlets)),
    Metric(
        "modules",
        "Connectors whose charger module is heard",
        lambda parts: sum(outlet.connector.module.present for outlet in parts.outlets),
    ),
    Metric(
        "transactions",
        "Connectors with a transaction",
        lambda parts: sum(outlet.connector.transaction is not None for outlet in parts.outlets),
    ),
    Metric(
        "queued_messages",
        "Messages of transactions that wait for the CSMS",
        lambda parts: sum(len(station.queue) for station in parts.fleet.stations),
    ),
    Metric(
        "meter_values_dropped_total",
        "MeterValues that had to make room in this queue",
        lambda parts: sum(station.queue.dropped for station in parts.fleet.stations),
    ),
    Metric(
        "posts_dropped_total",
        "Messages outside of transactions for which no CSMS was there",
        lambda parts: sum(station.client.dropped_posts for station in parts.fleet.stations),
    ),
    Metric(
        "connected",
        "1 while it is reached, the CSMS by every charge point",
        lambda parts: {
            "csms": parts.online == len(parts.fleet.stations),
            "broker": parts.publisher.connected,
        },
        "to",
        ("csms", "broker"),
    ),
    *can_metrics(lambda parts: parts.tally),
    Metric(
        "frames_refused_total",
        "CAN frames of a known identifier with a wrong length or value",
        lambda parts: sum(outlet.refused for outlet in parts.outlets),
    ),
    *publisher_metrics(lambda parts: parts.publisher),
)

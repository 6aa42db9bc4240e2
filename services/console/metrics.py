"""What the console tells Prometheus."""

from dataclasses import dataclass

from chassis.metrics import Metric
from console.can_listener import CanListener
from console.live import Live
from console.mqtt_listener import MqttListener

SERVICES = ("can", "csms", "memorybank", "broker")


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the numbers are."""

    live: Live
    can: CanListener
    mqtt: MqttListener


METRICS: tuple[Metric[Parts], ...] = (
    Metric("connectors", "Connectors on the page", lambda parts: len(parts.live.fleet)),
    Metric("buses", "CAN buses that are listened to", lambda parts: parts.can.buses),
    Metric("pages", "Open pages", lambda parts: parts.live.pages),
    Metric("frames_total", "CAN frames heard and understood", lambda parts: parts.live.heard),
    Metric(
        "malformed_total",
        "CAN frames and anomalies that could not be read",
        lambda parts: parts.can.malformed + parts.mqtt.malformed,
    ),
    Metric(
        "messages_dropped_total",
        "Messages that slow pages did not get; they got the whole picture instead",
        lambda parts: parts.live.dropped,
    ),
    Metric(
        "connected",
        "1 while it is reached",
        lambda parts: {str(name): state.working for name, state in parts.live.services.items()},
        "to",
        SERVICES,
    ),
)

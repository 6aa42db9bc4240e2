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
    Metric("buses", "CAN buses that are announced", lambda parts: parts.can.buses),
    Metric("pages", "Open pages", lambda parts: parts.live.pages),
    Metric("logs", "Connectors whose message log is open", lambda parts: len(parts.live.logs)),
    Metric("frames_total", "CAN frames heard and understood", lambda parts: parts.live.heard),
    Metric(
        "datagrams_dropped_total",
        "Frames and leases that the kernel had no room for, under a flood",
        lambda parts: parts.can.dropped,
    ),
    Metric("frames_sent_total", "CAN frames sent by hand", lambda parts: parts.can.sent),
    Metric("events_total", "Events of MQTT for open message logs", lambda parts: parts.mqtt.events),
    Metric(
        "malformed_total",
        "CAN frames, datagrams, anomalies and batches that could not be read",
        lambda parts: parts.can.malformed + parts.mqtt.malformed,
    ),
    Metric(
        "messages_dropped_total",
        "Messages that slow pages did not get; they got the whole picture instead",
        lambda parts: parts.live.dropped,
    ),
    Metric(
        "log_lines_dropped_total",
        "Lines of message logs that pages did not get; the log says so",
        lambda parts: parts.live.dropped_entries,
    ),
    Metric(
        "leases_refused_total",
        "Leases beyond as many connectors as the page takes",
        lambda parts: parts.live.fleet.refused,
    ),
    Metric(
        "connected",
        "1 while it is reached",
        lambda parts: {str(name): state.working for name, state in parts.live.services.items()},
        "to",
        SERVICES,
    ),
)

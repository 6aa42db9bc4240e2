"""What the CSMS tells Prometheus: no charge point, no id tag, nothing of scenarios, which are the truth."""

from dataclasses import dataclass, field

from chassis.metrics import Metric
from chassis.publisher import Publisher
from chassis.publisher_metrics import publisher_metrics
from contracts.events import AnyEvent, CommandSent, OcppMessageSeen
from csms.connections import Connections
from csms.ocpp_server import OcppServer

_OUTCOMES = {
    "Accepted": "accepted",
    "Answered": "accepted",
    "Scheduled": "accepted",
    "RebootRequired": "accepted",
    "Unlocked": "accepted",
    "Timeout": "timeout",
    "ConnectionLost": "lost",
}
OUTCOMES = ("accepted", "refused", "timeout", "lost")
DIRECTIONS = ("received", "sent")


@dataclass(slots=True)
class Traffic:
    """What passed, counted by the events that the CSMS records of it."""

    messages: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DIRECTIONS, 0))
    errors: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DIRECTIONS, 0))
    answers: int = 0
    round_trips_s: float = 0.0
    commands: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))

    def count(self, event: AnyEvent) -> None:
        """Take note of an event that is about to be published."""
        match event:
            case OcppMessageSeen():
                self.messages[event.direction] += 1
                if event.message_type in ("call_error", "unreadable"):
                    self.errors[event.direction] += 1
                if event.direction == "received" and event.round_trip_s is not None:
                    self.answers += 1
                    self.round_trips_s += event.round_trip_s
            case CommandSent():
                self.commands[_OUTCOMES.get(event.outcome, "refused")] += 1


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the numbers are."""

    connections: Connections
    publisher: Publisher
    ocpp: OcppServer
    traffic: Traffic


METRICS: tuple[Metric[Parts], ...] = (
    Metric("charge_points", "Charge points that are connected", lambda parts: len(parts.connections)),
    Metric(
        "connections_refused_total",
        "Connections of charge points that were refused",
        lambda parts: parts.ocpp.refused,
    ),
    Metric(
        "messages_total",
        "OCPP messages, calls and answers",
        lambda parts: parts.traffic.messages,
        "direction",
        DIRECTIONS,
    ),
    Metric(
        "messages_in_error_total",
        "Those that were a CALLERROR or could not be read",
        lambda parts: parts.traffic.errors,
        "direction",
        DIRECTIONS,
    ),
    Metric(
        "answers_total",
        "Answers of charge points to calls of ours",
        lambda parts: parts.traffic.answers,
    ),
    Metric(
        "round_trip_seconds_total",
        "Seconds waited for these answers, all together; by answers_total it is the mean",
        lambda parts: parts.traffic.round_trips_s,
    ),
    Metric(
        "commands_total",
        "Commands by what became of them",
        lambda parts: parts.traffic.commands,
        "outcome",
        OUTCOMES,
    ),
    Metric(
        "connected",
        "1 while it is reached",
        lambda parts: {"broker": parts.publisher.connected},
        "to",
        ("broker",),
    ),
    *publisher_metrics(lambda parts: parts.publisher),
)

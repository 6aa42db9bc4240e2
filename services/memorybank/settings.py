"""The MemoryBank's settings."""

from dataclasses import dataclass

from chassis.http import HttpSettings
from chassis.mqtt import MqttSettings
from chassis.settings import at_least, group, setting, within


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the MemoryBank reads from its environment."""

    mqtt: MqttSettings = group(MqttSettings)
    http: HttpSettings = group(HttpSettings)
    database_url: str = setting(
        "DATABASE_URL",
        "PostgreSQL as memorybank_writer: postgresql://user:password@host:port/chargebench",
        secret=True,
    )
    database_reader_url: str = setting(
        "DATABASE_READER_URL", "The same database as memorybank_reader, for the HTTP API", secret=True
    )
    http_port: int = setting(
        "MEMORYBANK_HTTP_PORT", "Port of the read-only HTTP API", default=9002, check=within(1, 65535)
    )
    batch_messages: int = setting(
        "BATCH_MESSAGES",
        "MQTT messages that one transaction stores at most",
        default=500,
        check=within(1, 100_000),
    )
    batch_s: float = setting(
        "BATCH_S",
        "Seconds for which messages are gathered before they are stored",
        default=0.05,
        check=within(0, 10),
    )
    queue_mb: int = setting(
        "QUEUE_MB",
        "Megabytes of messages kept in memory while the database is slow or away; what comes beyond is left "
        "to its source to send again",
        default=64,
        check=within(1, 65536),
    )
    rated_current_a: float = setting(
        "RATED_CURRENT_A",
        "Most current of a connector, A; severity counts full-load cycles of it",
        default=300.0,
        check=at_least(1),
    )
    reversal_gate_a: float = setting(
        "REVERSAL_GATE_A",
        "Amperes by which the current must come back to count as a reversal",
        default=20.0,
        check=at_least(0.1),
    )
    reversal_threshold: int = setting(
        "REVERSAL_THRESHOLD",
        "Reversals within 60 s that are an anomaly",
        default=8,
        check=within(3, 1000),
    )

"""The MemoryBank's settings."""

from dataclasses import dataclass

from chassis.grafana_address import address_complaint, token_complaint
from chassis.guard import HttpSettings
from chassis.mqtt import MqttSettings
from chassis.settings import SettingsError, at_least, group, one_of, setting, within
from memorybank import detector_configuration, share
from memorybank.detector import AnyDetector
from memorybank.detectors import found
from memorybank.share import Share


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
    memorybank_share: str = setting(
        "MEMORYBANK_SHARE",
        "Which share of the charge points this MemoryBank remembers, `number/of`: where several share the "
        "work, each is given another number of the same `of`, up to 16",
        default="1/1",
        check=share.complaint,
    )
    batch_messages: int = setting(
        "BATCH_MESSAGES",
        "MQTT messages that one transaction stores at most",
        default=2000,
        check=within(1, 100_000),
    )
    batch_s: float = setting(
        "BATCH_S",
        "Seconds for which messages are gathered before they are stored, under a steady flow",
        default=0.1,
        check=within(0, 10),
    )
    queue_mb: int = setting(
        "QUEUE_MB",
        "Megabytes of messages kept in memory while the database is slow or away; what comes beyond is left "
        "to its source to send again",
        default=64,
        check=within(1, 65536),
    )
    retention_days: int = setting(
        "RETENTION_DAYS",
        "Days for which events, readings and their rollups over 10 s are kept; 0: without end",
        default=30,
        check=within(0, 36_500),
    )
    retention_rollup_days: int = setting(
        "RETENTION_ROLLUP_DAYS",
        "Days for which the rollups over a minute and an hour are kept; 0: without end",
        default=400,
        check=within(0, 36_500),
    )
    retention_gb: float = setting(
        "RETENTION_GB",
        "GB on disk above which the oldest days (RETENTION_SPAN) are dropped, never today and yesterday; "
        "0: no bound",
        default=20.0,
        check=within(0, 1_000_000),
    )
    retention_span: str = setting(
        "RETENTION_SPAN",
        "What is dropped at once: a day or an hour, of which the present and the last one stay. hour: for "
        "fleets of which two days do not fit in RETENTION_GB",
        default="day",
        check=one_of("day", "hour"),
    )
    detector_settings: str = setting(
        "DETECTOR_SETTINGS",
        "A TOML file that turns detectors off and sets their thresholds (docs/detectors.md); empty: all, as "
        "they are",
        default="",
    )
    learn_quarantine_minutes: float = setting(
        "LEARN_QUARANTINE_MINUTES",
        "Minutes for which nothing may have been found before and after a session, that it is learned from",
        default=10.0,
        check=within(1, 1440),
    )
    learn_every_minutes: float = setting(
        "LEARN_EVERY_MINUTES",
        "Minutes between two versions of what is learned, at least",
        default=10.0,
        check=within(1, 1440),
    )
    rated_current_a: float | None = setting(
        "RATED_CURRENT_A",
        "Most current of a connector, A, for every detector that asks. Empty: 300, or as DETECTOR_SETTINGS "
        "says",
        default=None,
        check=at_least(1),
    )
    reversal_gate_a: float | None = setting(
        "REVERSAL_GATE_A",
        "Amperes by which the current must come back to count as a reversal (detector `reversals`). Empty: "
        "its own, or as DETECTOR_SETTINGS says",
        default=None,
        check=at_least(0.1),
    )
    reversal_threshold: int | None = setting(
        "REVERSAL_THRESHOLD",
        "Reversals within 60 s that are an anomaly (detector `reversals`). Empty: its own, or as "
        "DETECTOR_SETTINGS says",
        default=None,
        check=at_least(3),
    )

    grafana_url: str = setting(
        "GRAFANA_URL",
        "Grafana to which every anomaly is written as an annotation of the whole organisation, e.g. "
        "`http://grafana:3000`; empty: none. Goes together with GRAFANA_TOKEN",
        default="",
        check=address_complaint,
    )
    grafana_token: str = setting(
        "GRAFANA_TOKEN",
        "Token of a service account with the role Editor there",
        default="",
        check=token_complaint,
        secret=True,
    )

    def demand_safety(self) -> None:
        """Refuse an address without a token, a token without an address, and wrong detector settings."""
        if bool(self.grafana_url) != bool(self.grafana_token):
            missing = "GRAFANA_TOKEN" if self.grafana_url else "GRAFANA_URL"
            raise SettingsError(f"GRAFANA_URL and GRAFANA_TOKEN go together: {missing} is missing")
        self.detectors()

    def detectors(self) -> tuple[AnyDetector, ...]:
        """Return the detectors as all these settings say. Raises SettingsError."""
        return detector_configuration.overridden(
            detector_configuration.load(self.detector_settings, found()),
            {
                ("*", "rated_a"): self.rated_current_a,
                ("reversals", "gate_a"): self.reversal_gate_a,
                ("reversals", "threshold"): self.reversal_threshold,
            },
        )

    @property
    def share(self) -> Share:
        """The share that this MemoryBank remembers."""
        return Share.parse(self.memorybank_share)

"""What the MemoryBank tells Prometheus and who asks for its health: no charge point and no source by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chassis.metrics import Metric, Number
from memorybank.annotator import Annotator
from memorybank.ingest import Ingest
from memorybank.retention import Retention
from memorybank.store import Store
from memorybank.verdicts import OUTCOMES, Verdicts


@dataclass(slots=True)
class Parts:
    """Where the numbers are. There is no ingest until the database has answered for the first time."""

    store: Store
    retention: Retention | None = None
    """None: another one of those who share the work does it."""
    ingest: Ingest | None = None
    verdicts: Verdicts | None = None
    annotator: Annotator | None = None
    """None: Grafana is told nothing."""

    def health(self) -> dict[str, Any]:
        """Return what /healthz says: ok while events can be taken and stored."""
        broker = self.ingest is not None and self.ingest.consumer.connected
        return {
            "ok": broker and self.store.connected,
            "service": "memorybank",
            "broker": broker,
            "database": self.store.connected,
            "problem": self.store.problem,
            "retention_problem": self.retention.problem if self.retention else None,
            "lag_s": self.ingest.lag_s if self.ingest else None,
            "dropped": self.ingest.consumer.dropped if self.ingest else 0,
            "gaps": self.ingest.gaps if self.ingest else 0,
            "verdicts": self.verdicts.by_outcome if self.verdicts else {},
            "annotations": _annotations(self.annotator),
        }


def _annotations(annotator: Annotator | None) -> dict[str, Any] | None:
    if annotator is None:
        return None
    return {
        "waiting": annotator.waiting,
        "written": annotator.written,
        "dropped": annotator.dropped,
        "problem": annotator.problem,
    }


def _annotator(name: str, doc: str, read: Callable[[Annotator], Number]) -> Metric[Parts]:
    return Metric(name, doc, lambda parts: None if parts.annotator is None else read(parts.annotator))


def _ingest(name: str, doc: str, read: Callable[[Ingest], Number]) -> Metric[Parts]:
    return Metric(name, doc, lambda parts: None if parts.ingest is None else read(parts.ingest))


METRICS: tuple[Metric[Parts], ...] = (
    _ingest(
        "lag_seconds",
        "Seconds from event time to commit in the latest transaction, of its slowest source",
        lambda ingest: ingest.lag_s,
    ),
    _ingest("events_stored_total", "Events stored, readings apart", lambda ingest: ingest.events_stored),
    _ingest("readings_stored_total", "Readings stored", lambda ingest: ingest.readings_stored),
    _ingest("transactions_total", "Transactions that stored something", lambda ingest: ingest.transactions),
    _ingest(
        "gap_events_total",
        "Events that are missing: their sources went on without them",
        lambda ingest: ingest.gaps,
    ),
    _ingest(
        "duplicate_events_total",
        "Events that arrived again and were not stored again",
        lambda ingest: ingest.duplicates,
    ),
    _ingest(
        "ahead_events_total",
        "Events left to their source to send again, because what precedes them was not there",
        lambda ingest: ingest.ahead,
    ),
    _ingest("poison_total", "Messages and events set aside with a reason", lambda ingest: ingest.poison),
    _ingest(
        "detector_failures_total",
        "Readings on which a detector failed; they are stored all the same",
        lambda ingest: ingest.detector_failures,
    ),
    _ingest(
        "learned_versions_total",
        "Versions of what is learned, since ever",
        lambda ingest: ingest.learning.version,
    ),
    _ingest(
        "learned_sessions_total",
        "Sessions that were learned from",
        lambda ingest: ingest.learning.learned_sessions,
    ),
    _ingest(
        "refused_sessions_total",
        "Sessions that were not learned from: an anomaly was near, or too many waited",
        lambda ingest: ingest.learning.refused_sessions,
    ),
    Metric(
        "verdicts_total",
        "Messages of foreign detectors, by what became of them",
        lambda parts: None if parts.verdicts is None else parts.verdicts.by_outcome,
        "outcome",
        OUTCOMES,
    ),
    _ingest(
        "waiting_messages",
        "MQTT messages in memory that wait to be stored",
        lambda ingest: ingest.consumer.waiting_messages,
    ),
    _ingest(
        "waiting_bytes",
        "Bytes of these messages; QUEUE_MB bounds them",
        lambda ingest: ingest.consumer.waiting_bytes,
    ),
    _ingest(
        "messages_dropped_total",
        "MQTT messages left to their source to send again, because too many waited",
        lambda ingest: ingest.consumer.dropped,
    ),
    _ingest(
        "rollup_lag_events",
        "Numbers stored but not in the rollups yet",
        lambda ingest: ingest.rollup_lag,
    ),
    Metric(
        "partitions_dropped_total",
        "Partitions that retention dropped",
        lambda parts: None if parts.retention is None else parts.retention.dropped_partitions,
    ),
    Metric(
        "retention_failing",
        "1 while retention cannot do all it should",
        lambda parts: None if parts.retention is None else parts.retention.problem is not None,
    ),
    _annotator(
        "waiting_annotations",
        "Anomalies that wait to be told to Grafana",
        lambda annotator: annotator.waiting,
    ),
    _annotator(
        "annotations_written_total",
        "Annotations added to Grafana or changed there",
        lambda annotator: annotator.written,
    ),
    _annotator(
        "annotations_dropped_total",
        "Anomalies of which Grafana was not told: too many waited, or it rejected them",
        lambda annotator: annotator.dropped,
    ),
    _annotator(
        "annotation_retries_total",
        "Times that Grafana did not take an annotation and is asked again",
        lambda annotator: annotator.retries,
    ),
    Metric("store_retries_total", "Transactions tried again", lambda parts: parts.store.retries),
    Metric(
        "connected",
        "1 while it is reached; of the database: while it takes what it is given",
        lambda parts: {
            "database": parts.store.connected,
            "broker": parts.ingest is not None and parts.ingest.consumer.connected,
        },
        "to",
        ("database", "broker"),
    ),
)

"""Which anomalies Grafana is told of, and in which words: pure, and what waits is bounded."""

import html
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis.grafana_region import Region
from contracts.events import Anomaly

TAG = "chargebench"
"""Carried by all: who puts it into a dashboard's annotation query sees every anomaly."""
MOST_WAITING = 1000
_AGAIN_AFTER = timedelta(seconds=60)
"""How far the end of an open anomaly's region may be behind while nothing else of it changes."""
_LONGEST_TAG = 100
"""Grafana's columns on MySQL hold no longer key or value."""


def own_tag(identity: UUID) -> str:
    """Return the tag by which an anomaly's annotation is found again, whoever wrote it."""
    return f"anomaly:{identity}"


def region(anomaly: Anomaly) -> Region:
    """Return what Grafana shows of an anomaly; one that is open ends where it was last seen."""
    ends_at = anomaly.ended_at or anomaly.updated_at
    # Grafana shows the text as HTML, and splits a tag at its colon; the name comes from outside.
    place = f"{anomaly.charge_point_id} / {anomaly.connector}"
    name = anomaly.charge_point_id.replace(":", "_")[:_LONGEST_TAG]
    return Region(
        start_ms=int(anomaly.started_at.timestamp() * 1000),
        end_ms=int(ends_at.timestamp() * 1000),
        text=html.escape(f"{place}: {anomaly.explanation}", quote=False),
        tags=(TAG, anomaly.kind, anomaly.severity, name, own_tag(anomaly.id)),
    )


def is_as(found: dict[str, Any], wanted: Region) -> bool:
    """Return whether an annotation, as Grafana gives it, says what it should."""
    said = (found.get("time"), found.get("timeEnd"), found.get("text"))
    tags = found.get("tags") or ()
    return said == (wanted.start_ms, wanted.end_ms, wanted.text) and {*wanted.tags[:3]} <= {*tags}


@dataclass(slots=True)
class Waiting:
    """The anomalies of which Grafana must be told yet, each as it is by now, whatever it was before."""

    most: int = MOST_WAITING
    dropped: int = 0
    """Anomalies given up because too many waited, the longest waiting first."""
    _waiting: dict[UUID, Anomaly] = field(default_factory=dict)
    _told: dict[UUID, Anomaly] = field(default_factory=dict)
    """Those that are open, as Grafana knows them."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, anomaly: Anomaly) -> None:
        """Take an anomaly's change, if it is worth telling."""
        told = self._told.get(anomaly.id)
        if anomaly.id not in self._waiting and told is not None and not _is_news(anomaly, told):
            return
        self._waiting[anomaly.id] = anomaly
        if len(self._waiting) > self.most:
            self.drop(next(iter(self._waiting.values())))

    def first(self) -> Anomaly | None:
        """Return the one to tell next."""
        return next(iter(self._waiting.values()), None)

    def mark_told(self, anomaly: Anomaly) -> None:
        """Note that Grafana knows it as it was when `first` gave it."""
        if self._waiting.get(anomaly.id) is anomaly:
            del self._waiting[anomaly.id]
        if anomaly.phase == "closed":
            self._told.pop(anomaly.id, None)
        else:
            self._told[anomaly.id] = anomaly

    def drop(self, anomaly: Anomaly) -> None:
        """Give it up as it is now; a later change of it is taken again."""
        self.dropped += 1
        self._told.pop(anomaly.id, None)
        if self._waiting.get(anomaly.id) is anomaly:
            del self._waiting[anomaly.id]


def _is_news(anomaly: Anomaly, told: Anomaly) -> bool:
    return (
        anomaly.phase == "closed"
        or anomaly.severity != told.severity
        or anomaly.updated_at - told.updated_at >= _AGAIN_AFTER
    )

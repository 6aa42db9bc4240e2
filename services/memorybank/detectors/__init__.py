"""The detectors: pure steps over the readings of one connector, each in a file of its own.

They see what was measured and nothing else: no sender, no label, no scenario. To add one, write its file and
name it where `watch.Watch` is made.
"""

from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar
from uuid import NAMESPACE_URL, UUID, uuid5

from contracts.events import Anomaly, Reading

S = TypeVar("S")


class Detector(Protocol[S]):
    """One kind of anomaly on one connector; `S` is a frozen state, handed in and out."""

    @property
    def kind(self) -> str:
        """The name of what it finds."""

    def start(self) -> S:
        """Return the state before the first reading."""

    def step(self, state: S, reading: Reading) -> tuple[S, tuple[Anomaly, ...]]:
        """Take the connector's next reading (with charge point, connector and current) by event time."""

    def end(self, state: S) -> tuple[S, tuple[Anomaly, ...]]:
        """Close what is open, since the readings stopped coming."""

    def resume(self, state: S, anomaly: Anomaly) -> S:
        """Return the state in which `anomaly`, opened before a restart, is open still."""


def anomaly_id(charge_point_id: str, connector: int, kind: str, started_at: datetime) -> UUID:
    """Return the anomaly's id; the same facts give the same id, so that a repetition adds nothing."""
    instant = started_at.astimezone(UTC).isoformat()
    return uuid5(NAMESPACE_URL, f"chargebench:{kind}/{connector}/{instant}/{charge_point_id}")


AnyDetector = Detector[Any]

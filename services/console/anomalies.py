"""The anomalies that are open or recent, by the latest word on each; what changed is drained for the page."""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from contracts.events import Anomaly

MAX_ANOMALIES = 2000
FORGET_AFTER_S = 600.0
"""An anomaly is shown for so long after its end."""


class Anomalies:
    """Bounded; time is an argument (seconds since the epoch)."""

    def __init__(self) -> None:
        self._known: dict[UUID, tuple[Anomaly, float]] = {}
        self._new: dict[UUID, Anomaly] = {}

    def hear(self, anomaly: Anomaly, at_s: float) -> None:
        """Take the MemoryBank's word on an anomaly; an older word on the same one is passed over."""
        known = self._known.get(anomaly.id)
        if known is not None and _is_older(anomaly, known[0]):
            return
        self._known[anomaly.id] = (anomaly, at_s)
        if known is None or known[0] != anomaly:
            self._new[anomaly.id] = anomaly
        while len(self._known) > MAX_ANOMALIES:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._new.pop(oldest, None)

    def know_open(self, anomalies: Iterable[Anomaly], asked_at_s: float) -> None:
        """Take the list of all open anomalies: whatever else was heard before it was asked for has ended."""
        listed = {anomaly.id: anomaly for anomaly in anomalies}
        for anomaly in listed.values():
            self.hear(anomaly, asked_at_s)
        for known, heard_at_s in list(self._known.values()):
            if known.phase != "closed" and known.id not in listed and heard_at_s < asked_at_s:
                ended = msgspec.structs.replace(known, phase="closed", ended_at=known.updated_at)
                self.hear(ended, asked_at_s)

    def sweep(self, now_s: float) -> None:
        """Forget what ended long ago."""
        for known, heard_at_s in list(self._known.values()):
            if known.phase == "closed" and now_s - heard_at_s > FORGET_AFTER_S:
                del self._known[known.id]

    def drain(self) -> list[Anomaly]:
        """Return those that changed since the last call."""
        changed, self._new = list(self._new.values()), {}
        return changed

    def all(self) -> list[Anomaly]:
        """Return all of them; what `drain` returns is left as it is."""
        return [anomaly for anomaly, _ in self._known.values()]


def _is_older(word: Anomaly, known: Anomaly) -> bool:
    # A close may carry the instant of the last update; the close is the later word.
    closed = known.phase == "closed" and word.phase != "closed"
    return word.updated_at < known.updated_at or (closed and word.updated_at == known.updated_at)

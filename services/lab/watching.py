"""The detectors and what they learn, as the MemoryBank runs them, but on the clock of the events."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from contracts.events import AnyEvent, Reading
from memorybank.detector import AnyDetector
from memorybank.learning import Learning
from memorybank.watch import Finding, Watch

_EVERY = timedelta(minutes=1)


class Watching:
    """Watch and Learning together; `learning` is there to be looked at."""

    def __init__(self, detectors: Iterable[AnyDetector]) -> None:
        self.learning = Learning()
        self._watch = Watch(tuple(detectors), learning=self.learning)
        self._advanced_at: datetime | None = None

    def observe(self, event: AnyEvent) -> list[Finding]:
        """Take the next event; return what is told of it."""
        findings = self._watch.observe(event, event.at.timestamp())
        # By the bus alone: a charge point's clock may be wrong.
        if isinstance(event, Reading) and event.origin == "can" and self._is_time(event.at):
            self.learning.advance(event.at)
        return findings

    def _is_time(self, now: datetime) -> bool:
        if self._advanced_at is not None and timedelta(0) <= now - self._advanced_at < _EVERY:
            return False
        self._advanced_at = now
        return True

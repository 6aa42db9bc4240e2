"""Judges: whoever looks at a stretch of life and gives alarms, ours and the baselines alike."""

from collections.abc import Iterable, Mapping

from contracts.events import AnyEvent
from lab.score.baselines import BASELINES, Scorer, threshold
from lab.score.matching import MERGE, Alarm
from lab.watching import Watching
from memorybank.detector import AnyDetector


class Ours:
    """Our detectors, or some of them, as the MemoryBank runs them: learning as they go."""

    def __init__(self, detectors: Iterable[AnyDetector]) -> None:
        self._watching = Watching(detectors)
        self.alarms: list[Alarm] = []

    def take(self, event: AnyEvent) -> None:
        """Take the next event of the bench."""
        for finding in self._watching.observe(event):
            anomaly = finding.anomaly
            if anomaly.phase == "opened":
                self.alarms.append(Alarm(anomaly.charge_point_id, anomaly.kind, anomaly.detected_at))


class Baselines:
    """Baselines at every charge point of a bench. Without thresholds: it gathers peaks by the minute."""

    def __init__(
        self, names: Iterable[str], seed: int, thresholds: Mapping[str, float] | None = None
    ) -> None:
        self._makers = {name: BASELINES[name] for name in names}
        self._seed = seed
        self._thresholds = thresholds
        self._scorers: dict[str, dict[str, Scorer]] = {}
        self._alarmed: dict[tuple[str, str], float] = {}
        self.alarms: dict[str, list[Alarm]] = {name: [] for name in self._makers}
        self._peaks: dict[str, dict[tuple[str, int], float]] = {name: {} for name in self._makers}

    def take(self, event: AnyEvent) -> None:
        """Take the next event of the bench."""
        place = event.charge_point_id
        if place is None:
            return
        scorers = self._scorers.get(place)
        if scorers is None:
            scorers = self._scorers[place] = {
                name: make(self._seed + len(self._scorers)) for name, make in self._makers.items()
            }
        for name, scorer in scorers.items():
            score = scorer.score(event)
            if score is None:
                continue
            if self._thresholds is None:
                minute = (place, int(event.at.timestamp() // 60))
                peaks = self._peaks[name]
                peaks[minute] = max(score, peaks.get(minute, score))
            elif score > self._thresholds[name]:
                self._alarm(name, place, event)

    def _alarm(self, name: str, place: str, event: AnyEvent) -> None:
        at_s, key = event.at.timestamp(), (name, place)
        before_s = self._alarmed.get(key)
        # One that goes on is told again every minute: an event that began meanwhile may have no other.
        if before_s is None or at_s - before_s > MERGE.total_seconds():
            self._alarmed[key] = at_s
            self.alarms[name].append(Alarm(place, "", event.at))

    def thresholds(self, days: float) -> dict[str, float]:
        """Return the threshold of each baseline, from the benign life taken so far."""
        return {name: threshold(list(peaks.values()), days) for name, peaks in self._peaks.items()}

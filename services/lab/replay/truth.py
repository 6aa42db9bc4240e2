"""What was told of a data set beside its truth, by the rules of the scores. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from contracts.events import Anomaly, ScenarioLabel
from lab.score.matching import Alarm, TrueEvent, belongs
from lab.score.truth import benign_runs, true_events


@dataclass(frozen=True, slots=True)
class Beside:
    """What the truth says of an anomaly; `run` None: nothing ran there and then.

    A false alarm's run is one of benign life or a hard negative, which it came during.
    """

    verdict: Literal["found", "found under another name", "false alarm"]
    run: TrueEvent | None


class Truth:
    """The runs of a data set, by their labels.

    `accepted`: right names by scenario (else the anomaly's own). A run without an end lasted to `until`.
    """

    def __init__(
        self, labels: Iterable[ScenarioLabel], accepted: Mapping[str, frozenset[str]], until: datetime
    ) -> None:
        labels = list(labels)
        self.provoked = true_events(labels, accepted, until)
        self._benign = benign_runs(labels, until)

    def beside(self, anomaly: Anomaly) -> Beside:
        """Return the run that explains an anomaly, or that none does."""
        run = _run_of(anomaly, self.provoked)
        if run is None:
            return Beside("false alarm", _run_of(anomaly, self._benign))
        return Beside("found" if anomaly.kind in run.accepted else "found under another name", run)

    def missed(self, anomalies: Iterable[Anomaly]) -> list[TrueEvent]:
        """Return the runs that provoked something and that no anomaly belongs to, in order of time."""
        found = {id(_run_of(anomaly, self.provoked)) for anomaly in anomalies}
        return [run for run in self.provoked if id(run) not in found]


def _run_of(anomaly: Anomaly, runs: Iterable[TrueEvent]) -> TrueEvent | None:
    alarm = Alarm(anomaly.charge_point_id, anomaly.kind, anomaly.detected_at)
    return next((run for run in runs if belongs(alarm, run)), None)

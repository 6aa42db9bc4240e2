"""One run as it goes: kept in the state, its ground truth published."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from contracts.events import AnyEvent, ScenarioLabel
from csms.state import State
from csms.state.runs import Run, RunState


class RunRecord:
    """Keeps `run` up to date; every change is durable, so that a crash leaves a label that can be ended."""

    def __init__(self, run: Run, state: State, publish: Callable[[AnyEvent], None]) -> None:
        self.run = run
        self._state = state
        self._publish = publish

    def begin(self) -> None:
        """Keep it for the first time; the label starts only with the first command."""
        self._keep(self.run)

    def commanded(self) -> None:
        """A command of the scenario goes out now."""
        at = datetime.now(UTC)
        is_first = self.run.first_command_at is None
        self._keep(replace(self.run, first_command_at=self.run.first_command_at or at, last_command_at=at))
        if is_first:
            self._label("started", at)

    def completed_cycle(self) -> None:
        """A charge point lived one cycle to its end."""
        self._keep(replace(self.run, cycles=self.run.cycles + 1, reason=None))

    def stumbled(self, reason: str) -> None:
        """A step failed; the run goes on."""
        self._keep(replace(self.run, reason=reason))

    def end(self, state: RunState, reason: str | None) -> None:
        """The run is over: keep that, and end its label if it ever started."""
        if self.run.last_command_at is not None:
            self._label("ended", self.run.last_command_at)
        self._keep(replace(self.run, state=state, reason=reason, ended_at=datetime.now(UTC)))

    def _keep(self, run: Run) -> None:
        self.run = run
        self._state.runs.save(run)

    def _label(self, phase: str, at: datetime) -> None:
        run = self.run
        self._publish(
            ScenarioLabel(
                at=at,
                charge_point_id=run.charge_point_ids[0] if len(run.charge_point_ids) == 1 else None,
                run_id=run.run_id,
                scenario=run.scenario,
                anomaly=run.anomaly,
                phase="started" if phase == "started" else "ended",
                charge_point_ids=list(run.charge_point_ids),
                parameters=run.parameters,
                seed=run.seed,
            )
        )

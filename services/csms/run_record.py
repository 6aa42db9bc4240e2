"""One run as it goes: kept in the state, its ground truth published."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from contracts.events import AnyEvent, Reading, ScenarioLabel
from contracts.injections import Injected
from csms.state import State
from csms.state.runs import Run, RunState

EFFECT_A = 1.0
"""A current that differs by more from the one at the first command shows the scenario's effect."""


class RunRecord:
    """Keeps `run` up to date; every change is durable, so that a crash leaves a label that can be ended.

    When its effect showed first and last goes into the label of its end: by what injectors told, else by the
    readings.
    """

    def __init__(self, run: Run, state: State, publish: Callable[[AnyEvent], None]) -> None:
        self.run = run
        self._state = state
        self._publish = publish
        self._before_a: dict[str, float] = {}
        self._seen: tuple[datetime, datetime] | None = None
        self._injected: tuple[datetime, datetime] | None = None

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

    def read(self, reading: Reading) -> None:
        """Take note of a reading of one of its charge points: it may show the effect."""
        charge_point_id, current_a = reading.charge_point_id, reading.current_a
        if charge_point_id is None or current_a is None:
            return
        first_at = self.run.first_command_at
        if first_at is None or reading.at < first_at:
            self._before_a[charge_point_id] = current_a
        elif abs(current_a - self._before_a.get(charge_point_id, 0.0)) > EFFECT_A:
            self._seen = _spanning(self._seen, reading.at)

    def injected(self, word: Injected) -> None:
        """Take note that an injection began or ended."""
        if word.phase != "failed":
            self._injected = _spanning(self._injected, word.at)

    def completed_cycle(self) -> None:
        """A charge point lived one cycle to its end."""
        self._keep(replace(self.run, cycles=self.run.cycles + 1, reason=None))

    def stumbled(self, reason: str) -> None:
        """A step failed; the run goes on."""
        self._keep(replace(self.run, reason=reason))

    def end(self, state: RunState, reason: str | None) -> None:
        """The run is over: keep that, and end its label if it ever started."""
        effect = self._injected or self._seen
        if effect is not None:
            self.run = replace(self.run, physical_started_at=effect[0], physical_ended_at=effect[1])
        if self.run.last_command_at is not None:
            self._label("ended", self.run.last_command_at)
        self._keep(replace(self.run, state=state, reason=reason, ended_at=datetime.now(UTC)))

    def _keep(self, run: Run) -> None:
        self.run = run
        self._state.runs.save(run)

    def _label(self, phase: Literal["started", "ended"], at: datetime) -> None:
        run = self.run
        self._publish(
            ScenarioLabel(
                at=at,
                charge_point_id=run.charge_point_ids[0] if len(run.charge_point_ids) == 1 else None,
                run_id=run.run_id,
                scenario=run.scenario,
                anomaly=run.anomaly,
                phase=phase,
                charge_point_ids=list(run.charge_point_ids),
                parameters=run.parameters,
                seed=run.seed,
                physical_started_at=run.physical_started_at,
                physical_ended_at=run.physical_ended_at,
            )
        )


def _spanning(span: tuple[datetime, datetime] | None, at: datetime) -> tuple[datetime, datetime]:
    """Return the span widened to hold an instant."""
    return (at, at) if span is None else (min(span[0], at), max(span[1], at))

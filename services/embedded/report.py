"""What a bench did since it started: a table for people, a verdict for scripts. Pure, but for `show`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Console
from rich.table import Table

from chassis.terminal import plural
from console.answers import ScenarioRun
from console.truth import AFTERMATH_S, causes
from csms.default_plan import planned

PEAK_A = 85.0
"""What the base scenario's two seconds of charging reach by the default ramp law."""
PEAK_BY_OTHER_LAWS_A = 20.0
TROUGH_A = 5.0
DETECTABLE_AFTER_S = 45.0
"""The base scenario must be seen by then; a run of it that was shorter cannot demand it.

It takes half of this; in a bench's first minute it begins staggered, when the charge points have connected.
"""
BASE = "repeated-current-fluctuation"


@dataclass(frozen=True, slots=True)
class Remembered:
    """An anomaly as the memory tells it; `ended_at` None: it lasts."""

    charge_point_id: str
    kind: str
    started_at: datetime
    detected_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChargePointReport:
    """One charge point's part: rows stored by origin, extremes of its current, anomalies."""

    charge_point_id: str
    observed: int = 0
    reported: int = 0
    peak_a: float = 0.0
    trough_a: float = 0.0
    anomalies: tuple[Remembered, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What happened on all charge points between `started_at` and `ended_at`."""

    started_at: datetime
    ended_at: datetime
    charge_points: list[ChargePointReport]
    gaps: int
    """Events that are missing, as was noticed meanwhile."""
    restored: bool = False
    """Whether the memory was a restored backup at the start: then what is missing came after the backup."""
    runs: tuple[ScenarioRun, ...] = ()
    """What ran meanwhile or shortly before, by the plan or by somebody's wish: the ground truth."""

    def failures(self, scenario_plan: str, peak_a: float = PEAK_A) -> list[str]:
        """Return what did not work, a line each; an empty list: the whole chain did.

        `peak_a` is what a charge point that lives the base scenario must reach.
        """
        lines = []
        if self.gaps and not self.restored:
            missing = plural(self.gaps, "event is", "events are")
            lines.append(f"{missing} missing from the memory")
        for report in self.charge_points:
            name = report.charge_point_id
            if not report.observed:
                lines.append(f"{name}: no reading arrived from its CAN bus")
            if not report.reported:
                lines.append(f"{name}: no MeterValues arrived over OCPP")
            if scenario_plan == "default":
                lines += [f"{name}: {what}" for what in self._against_the_plan(report, peak_a)]
        return lines

    def remarks(self, scenario_plan: str) -> list[str]:
        """Return what of the plan was not judged, and what was found of other runs than the plan's."""
        if scenario_plan != "default":
            return []
        lines = []
        for report in self.charge_points:
            run = self._base_run(report.charge_point_id)
            if run is not None and self._was_cut_short(run):
                lines.append(
                    f"{report.charge_point_id}: {BASE} was stopped after {self._lasted_s(run):.0f} s "
                    f"({run.reason}): whether it is found was not judged"
                )
            provoked = [of for one in report.anomalies if (of := self._by_hand(one))]
            if provoked:
                names = ", ".join(sorted(set().union(*provoked)))
                found = plural(len(provoked), "anomaly", "anomalies")
                lines.append(f"{report.charge_point_id}: {found} of what was run there by hand: {names}")
        return lines

    def _against_the_plan(self, report: ChargePointReport, peak_a: float) -> Iterator[str]:
        if _plans_base(report.charge_point_id):
            yield from self._against_the_base_scenario(report, peak_a)
        unexplained = [
            one.kind
            for one in report.anomalies
            if one.detected_at >= self.started_at and not self._causes(one)
        ]
        if unexplained:
            yield f"{plural(len(unexplained), 'false alarm')}: {', '.join(unexplained)}"

    def _against_the_base_scenario(self, report: ChargePointReport, peak_a: float) -> Iterator[str]:
        run = self._base_run(report.charge_point_id)
        if run is None:
            yield f"{BASE} did not run"
        elif not self._was_cut_short(run):
            if report.peak_a < peak_a or report.trough_a > TROUGH_A:
                yield (
                    f"its current went from {report.trough_a:.0f} to {report.peak_a:.0f} A, "
                    f"not from 0 to {peak_a:.0f} A or more"
                )
            is_found = any(self._is_during(one, run) for one in report.anomalies)
            if self._lasted_s(run) >= DETECTABLE_AFTER_S and not is_found:
                yield "the fluctuation was not detected"

    def _base_run(self, charge_point_id: str) -> ScenarioRun | None:
        """Return the plan's run of the base scenario, the longest where a CSMS began it again; or None."""
        plan = planned(charge_point_id)
        if plan is None or plan[0] != BASE:
            return None
        of_plan = [
            run
            for run in self.runs
            if (run.scenario, run.seed, run.charge_point_ids) == (BASE, plan[2], [charge_point_id])
            and self._was_going_on(run)
        ]
        return max(of_plan, key=self._lasted_s, default=None)

    def _was_going_on(self, run: ScenarioRun) -> bool:
        return run.ended_at is None or run.ended_at >= self.started_at

    def _causes(self, anomaly: Remembered) -> list[ScenarioRun]:
        # What a bench before ran on the same memory explains only what began in its time.
        began_before = anomaly.started_at < self.started_at
        return causes(anomaly, (run for run in self.runs if began_before or self._was_going_on(run)))

    def _lasted_s(self, run: ScenarioRun) -> float:
        """Return for how long a run gave commands."""
        if run.first_command_at is None:
            return 0.0
        return max(0.0, ((run.ended_at or self.ended_at) - run.first_command_at).total_seconds())

    def _was_cut_short(self, run: ScenarioRun) -> bool:
        """Return whether somebody stopped it before it had to be found."""
        return run.state == "stopped" and self._lasted_s(run) < DETECTABLE_AFTER_S

    def _is_during(self, anomaly: Remembered, run: ScenarioRun) -> bool:
        # One that stood when the bench began, shortly after the one before, goes on.
        last_at = (run.ended_at or self.ended_at) + timedelta(seconds=AFTERMATH_S)
        lasted = anomaly.ended_at is None or run.started_at is None or anomaly.ended_at >= run.started_at
        return lasted and anomaly.started_at < last_at

    def _by_hand(self, anomaly: Remembered) -> set[str]:
        """Return the scenarios that explain an anomaly, unless the plan's own does."""
        names = {run.scenario for run in self._causes(anomaly)}
        return set() if BASE in names and _plans_base(anomaly.charge_point_id) else names


def _plans_base(charge_point_id: str) -> bool:
    plan = planned(charge_point_id)
    return plan is not None and plan[0] == BASE


def show(report: Report, remarks: list[str], failures: list[str]) -> None:
    """Print the table and the verdict."""
    console = Console(highlight=False)
    seconds = (report.ended_at - report.started_at).total_seconds()
    table = Table(title=f"What happened in {seconds:.0f} s")
    for heading in ("charge point", "CAN readings", "MeterValues", "lowest A", "highest A", "anomalies"):
        table.add_column(heading, justify="left" if heading == "charge point" else "right")
    for row in report.charge_points:
        table.add_row(
            row.charge_point_id,
            str(row.observed),
            str(row.reported),
            f"{row.trough_a:.1f}",
            f"{row.peak_a:.1f}",
            str(len(row.anomalies)),
        )
    console.print(table)
    if report.gaps and report.restored:
        which = "that came after the restored backup"
        missing = plural(report.gaps, f"event {which} is", f"events {which} are")
        console.print(f"{missing} not in the memory")
    for line in remarks:
        console.print(f"· {line}", markup=False, soft_wrap=True)
    for line in failures:
        console.print(f"✗ {line}", style="bold red", markup=False, soft_wrap=True)
    if not failures:
        console.print("✓ the chain worked, and every event of this run is in the memory", style="bold green")

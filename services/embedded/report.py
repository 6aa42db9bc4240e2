"""What a bench did since it started, from its own memory: a table for people, a verdict for scripts."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from rich.console import Console
from rich.table import Table

PEAK_A = 85.0
"""What the base scenario's two seconds of charging reach by the default ramp law."""
PEAK_BY_OTHER_LAWS_A = 20.0
TROUGH_A = 5.0
DETECTABLE_AFTER_S = 60.0
"""The base scenario must be seen within a minute; a shorter run cannot demand it."""

_CHAIN = """
SELECT charge_point_id,
       count(*) FILTER (WHERE origin = 'can') AS observed,
       count(*) FILTER (WHERE origin = 'ocpp') AS reported,
       max(current_a) FILTER (WHERE origin = 'can') AS peak_a,
       min(current_a) FILTER (WHERE origin = 'can') AS trough_a
FROM dash.metrics WHERE at >= %s GROUP BY charge_point_id
"""
_ANOMALIES = """
SELECT charge_point_id, count(*) FROM dash.anomalies
WHERE coalesce(ended_at, now()) >= %s GROUP BY charge_point_id
"""
_LOSSES = "SELECT coalesce(sum(lost), 0) FROM dash.gaps WHERE noticed_at >= %s"


@dataclass(frozen=True, slots=True)
class ChargePointReport:
    """One charge point's part: rows stored by origin, extremes of its current, anomalies."""

    charge_point_id: str
    observed: int = 0
    reported: int = 0
    peak_a: float = 0.0
    trough_a: float = 0.0
    anomalies: int = 0


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

    def failures(self, scenario_plan: str, peak_a: float = PEAK_A) -> list[str]:
        """Return what did not work, a line each; an empty list: the whole chain did.

        `peak_a` is what a charge point that lives the base scenario must reach.
        """
        lines = []
        if self.gaps and not self.restored:
            lines.append(f"{self.gaps} events are missing from the memory")
        long_enough = (self.ended_at - self.started_at).total_seconds() >= DETECTABLE_AFTER_S
        for number, report in enumerate(self.charge_points, start=1):
            name = report.charge_point_id
            if not report.observed:
                lines.append(f"{name}: no reading arrived from its CAN bus")
            if not report.reported:
                lines.append(f"{name}: no MeterValues arrived over OCPP")
            if scenario_plan != "default":
                continue
            provoked = number % 2 == 1
            if provoked and (report.peak_a < peak_a or report.trough_a > TROUGH_A):
                lines.append(
                    f"{name}: its current went from {report.trough_a:.0f} to {report.peak_a:.0f} A, "
                    f"not from 0 to {peak_a:.0f} A or more"
                )
            if provoked and long_enough and not report.anomalies:
                lines.append(f"{name}: the fluctuation was not detected")
            if not provoked and report.anomalies:
                lines.append(f"{name}: {report.anomalies} false alarms")
        return lines


def collect(
    url: str, charge_point_ids: list[str], started_at: datetime, ended_at: datetime, *, restored: bool
) -> Report:
    """Ask the memory; raises psycopg.Error."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        chain = {row[0]: row[1:] for row in connection.execute(_CHAIN, (started_at,))}
        anomalies: dict[str, int] = dict(connection.execute(_ANOMALIES, (started_at,)).fetchall())
        losses = connection.execute(_LOSSES, (started_at,)).fetchone()
    reports = []
    for name in charge_point_ids:
        observed, reported, peak_a, trough_a = chain.get(name, (0, 0, None, None))
        reports.append(
            ChargePointReport(
                name, observed, reported, peak_a or 0.0, trough_a or 0.0, anomalies.get(name, 0)
            )
        )
    return Report(started_at, ended_at, reports, int(losses[0]) if losses else 0, restored)


def show(report: Report, failures: list[str]) -> None:
    """Print the table and the verdict."""
    console = Console()
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
            str(row.anomalies),
        )
    console.print(table)
    if report.gaps and report.restored:
        console.print(f"{report.gaps} events that came after the restored backup are not in the memory")
    for line in failures:
        console.print(f"✗ {line}", style="bold red")
    if not failures:
        console.print("✓ the chain worked, and every event of this run is in the memory", style="bold green")

"""The scores in a terminal: tables that can be read in 80 columns, the whole stands in the report."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from chassis.screen import Column, Screen
from chassis.terminal import plural
from lab.score import report
from lab.score.scores import Scores

_ANOMALIES = (
    Column("no.", "number", drop=3),
    Column("scenario", "scenario"),
    Column("events", "events", 0, drop=4),
    Column("recall (95 %)", "recall"),
    Column("delay, p95 s", "delay_s"),
    Column("from physical start s", "physical_delay_s", drop=6),
    Column("name right", "named", drop=2),
    Column("alarms an event", "alarms", drop=5),
    Column("false beside", "false_alarms", 0, drop=1),
)
_BENIGN = (
    Column("no.", "number", drop=4),
    Column("life", "scenario"),
    Column("days", "days", drop=3),
    Column("false alarms", "false_alarms", 0),
    Column("rate", "rate", drop=2),
    Column("95 % interval", "interval"),
    Column("which", "which", folds=True, drop=1),
)


def show(console: Console, scores: Scores) -> None:
    """Show what our detectors did, then each that is not ours, then all in words."""
    screen = Screen(console)
    for judge in ("", *scores["foreign"]):
        for title, columns, kinds, row in (
            ("Anomalies", _ANOMALIES, scores["rows"], _anomaly),
            ("Life without anomalies: false alarms, a charge-point-day", _BENIGN, scores["benign"], _benign),
        ):
            rows = [row(kind["foreign"][judge] if judge else kind) for kind in kinds]
            if rows:
                screen.table(f"{judge}: {title}" if judge else title, columns, rows)
    if scores["rows"]:
        console.print("Delays: from the first command to the first alarm, median and 95th percentile.")
    if "learning" in scores:
        console.print(report.learning_words(scores["learning"]))
    if "paces" in scores:
        console.print(report.paces_words(scores["paces"]))
    for reason, count in scores["complaints"].items():
        console.print(f"{plural(count, 'time')}: {reason}", markup=False)
    console.print(scores["verdict"], markup=False)


def _anomaly(row: Mapping[str, Any]) -> dict[str, Any]:
    recall, interval = row["recall"], row["recall_interval"]
    return {
        "number": row["number"],
        "scenario": row["scenario"],
        "events": row["events"],
        "recall": None if recall is None else f"{recall:.3f} ({interval[0]:.2f}…{interval[1]:.2f})",
        "delay_s": _spread(row["delay_from_command_s"]),
        "physical_delay_s": _spread(row["delay_from_physical_start_s"]),
        "named": None if row["named_share"] is None else f"{row['named_share']:.0%}",
        "alarms": _number(row["alarms_per_event"]),
        "false_alarms": row["false_alarms"],
    }


def _benign(row: Mapping[str, Any]) -> dict[str, Any]:
    interval = row["false_alarms_interval"]
    return {
        "number": row["number"],
        "scenario": row["scenario"],
        "days": _number(row["charge_point_days"]),
        "false_alarms": row["false_alarms"],
        "rate": _number(row["false_alarms_per_charge_point_day"]),
        "interval": None if interval is None else " … ".join(f"{end:.3g}" for end in interval),
        "which": ", ".join(f"{kind} {count}" for kind, count in sorted(row["false_kinds"].items())),
    }


def _spread(value: Mapping[str, float] | None) -> str | None:
    return None if value is None else f"{value['median']:.0f}, {value['p95']:.0f}"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.3g}"

"""The data card: what a data set is, how it was made, what its columns say, where its limits are. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lab.data_set.tables import TABLES, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How a data set was made."""

    command: str
    version: str
    begin_at: datetime
    days: float
    charge_points: int
    seed: int
    scenarios: tuple[str, ...]
    mix: str | None
    every_h: float
    lasts_s: float | None
    sample_interval_s: int
    shows_wire: bool
    occupied_share: float


def text(made: Made, rows: Mapping[str, int]) -> str:
    """Return the card, Markdown. It holds no instant of making, so that equal data sets have equal cards."""
    return "\n".join(
        (
            "# EV-charging data set, simulated by ChargeBench",
            "",
            "Charge points charging as they do, and being attacked: what a watcher on the CAN bus and at the",
            "CSMS sees of it, and, apart, the truth of what was done.",
            "",
            "## How it was made",
            f"`{made.command}` with ChargeBench {made.version}; the same command makes the same data again.",
            "",
            *_parameters(made),
            "",
            "Each charge point's whole chain is computed from the cores of the bench's real services:",
            "scenario steps, OCPP commands, transactions, limits, CAN frames, power stage, vehicle, meter.",
            "",
            "## Files",
            *(line for table in TABLES for line in _described(table, rows.get(table.name, 0))),
            "Rows stand hour by hour of their arrival, within an hour charge point by charge point.",
            "`lab.data_set.reader.events(directory)` yields them as events in the order of arrival.",
            "",
            "## Known limits",
            "- Simulated: vehicles, chargers and drivers are models. No network but a constant latency.",
            "- Idle time is jumped over: from 10 s after everything came to rest until 5 s before the next",
            "  thing happens there are no rows. A gap without a running transaction says nothing.",
            "- While a current stands it is stepped by whole seconds: within 0.3 A of steps of 0.1 s.",
            *(
                []
                if made.shows_wire
                else [
                    "- CAN frames and the messages that carry MeterValues are left out (`--wire` keeps them)."
                ]
            ),
            "",
            "## Licence",
            "CC0 1.0. No person's data is in it.",
            "",
        )
    )


def _parameters(made: Made) -> list[str]:
    runs = ", ".join(made.scenarios) or "none: benign life only"
    lasts = "as long as its file says" if made.lasts_s is None else f"{made.lasts_s:g} s"
    lives = "one of them at a charge point about every"
    pace = {lives: f"{made.every_h:g} h, for {lasts}"}
    if made.mix is not None:
        pace = {"mix": f"{made.mix}, each run for {lasts}"}
    values = {
        "charge points": made.charge_points,
        "days": f"{made.days:g}, from {made.begin_at.isoformat()}",
        "seed": made.seed,
        "scenarios": runs,
        **pace,
        "MeterValues every": f"{made.sample_interval_s} s",
        "share of time in which something happens": f"{made.occupied_share:.1%}",
    }
    return [
        "| Parameter | Value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in values.items()),
    ]


def _described(table: Table, rows: int) -> list[str]:
    return [
        f"### {table.name}.parquet, {rows:,} rows",
        f"{table.about[0].upper()}{table.about[1:]}.",
        "",
        "| Column | What it says |",
        "|---|---|",
        *(f"| `{column.name}` | {column.about} |" for column in table.columns),
        "",
    ]

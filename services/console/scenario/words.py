"""Scenarios and their runs as rows of tables and of files. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from console.answers import Scenario, ScenarioRun

SHORT_ID = 8


def kind(scenario: Scenario) -> str:
    """Return what a scenario is for: an anomaly, a hard negative, benign."""
    if scenario.anomaly is not None:
        return "anomaly"
    return "hard negative" if scenario.hard_negative else "benign"


def order(scenario: Scenario) -> tuple[int, int, str]:
    """Return what sorts the catalogue: A1 … A22, H1 … H9, the rest."""
    number = scenario.number
    group = "AH".find(number[:1]) if number else 2
    return group, int(number[1:]) if number[1:].isdigit() else 0, scenario.name


def scenario_row(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as a row of the catalogue."""
    return {
        "number": scenario.number or None,
        "name": scenario.name,
        "kind": kind(scenario),
        "title": scenario.title,
        "ends": ending(scenario),
    }


def ending(scenario: Scenario) -> str:
    """Return how it ends."""
    if scenario.repeat is None:
        return "when it is stopped"
    return "by itself" if scenario.repeat == 1 else f"after {scenario.repeat} cycles"


def parameter_rows(scenario: Scenario) -> list[dict[str, Any]]:
    """Return the parameters of a scenario as rows."""
    return [
        {
            "name": name,
            "default": f"{parameter.get('default', 0):g}",
            "range": f"{parameter.get('minimum', 0):g} … {parameter.get('maximum', 0):g}",
            "unit": parameter.get("unit", ""),
            "description": parameter.get("description", ""),
        }
        for name, parameter in scenario.parameters.items()
    ]


def lasted_s(run: ScenarioRun, now: datetime) -> float | None:
    """Return how long a run has lasted, in seconds."""
    if run.started_at is None:
        return None
    return max(0.0, ((run.ended_at or now) - run.started_at).total_seconds())


def run_row(run: ScenarioRun, now: datetime) -> dict[str, Any]:
    """Return a run as a row of the list."""
    return {
        "run": run.run_id[:SHORT_ID],
        "scenario": run.scenario,
        "where": where(run),
        "state": run.state,
        "started_at": run.started_at,
        "lasted_s": lasted_s(run, now),
        "cycles": run.cycles,
        "seed": run.seed,
        "parameters": assignments(run.parameters),
        "reason": run.reason,
    }


def where(run: ScenarioRun, most: int = 3) -> str:
    """Return the charge points of a run, many as a number."""
    ids = run.charge_point_ids
    return ", ".join(ids) if len(ids) <= most else f"{ids[0]} … ({len(ids)})"


def assignments(parameters: Mapping[str, float]) -> str:
    """Return parameters as they are typed."""
    return " ".join(f"{name}={value:g}" for name, value in parameters.items())


def label_row(run: ScenarioRun, scenario: Scenario | None) -> dict[str, Any]:
    """Return a run with the label of its truth, flat but for lists and parameters; instants in ISO 8601."""
    row: dict[str, Any] = msgspec.to_builtins(run)
    return {
        "run_id": row.pop("run_id"),
        "scenario": row.pop("scenario"),
        "number": scenario.number if scenario else "",
        "anomaly": row.pop("anomaly"),
        "accepted": scenario.accepted if scenario else [],
        "hard_negative": scenario.hard_negative if scenario else False,
        **row,
    }

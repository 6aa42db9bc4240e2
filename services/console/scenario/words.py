"""Scenarios and their runs as rows of tables and of files. Pure."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from chassis.terminal import plural
from console.answers import Mix, MixRun, Scenario, ScenarioRun
from console.scenario.place import NoSuchThing

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


def lasted_s(run: ScenarioRun | MixRun, now: datetime) -> float | None:
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
        "mix": None if run.mix_run_id is None else run.mix_run_id[:SHORT_ID],
        "reason": run.reason,
    }


def short_id(run: ScenarioRun | MixRun) -> str:
    """Return what a run is called on the command line."""
    return (run.run_id if isinstance(run, ScenarioRun) else run.mix_run_id)[:SHORT_ID]


def name(run: ScenarioRun | MixRun) -> str:
    """Return the name of what runs."""
    return run.scenario if isinstance(run, ScenarioRun) else run.name


def run_line(run: ScenarioRun, now: datetime) -> str:
    """Return how a run fares."""
    return _line(run, plural(run.cycles, "cycle"), now)


def mix_line(run: MixRun, now: datetime) -> str:
    """Return how a mix fares."""
    return _line(run, plural(run.runs, "run"), now)


def _line(run: ScenarioRun | MixRun, done: str, now: datetime) -> str:
    since = "for" if run.state == "running" else "after"
    line = f"{name(run)} on {where(run)}: {run.state} {since} {lasted_s(run, now) or 0.0:.0f} s, {done}"
    return line if run.reason is None else f"{line} ({run.reason})"


def sequence_text(scenarios: Sequence[Scenario], given: Mapping[str, float], pause_s: float) -> str:
    """Return scenarios in sequence as the text of a mix; each takes those of the parameters that it has.

    Raises NoSuchThing where none has one of them.
    """
    unknown = [name for name in given if not any(name in scenario.parameters for scenario in scenarios)]
    if unknown:
        raise NoSuchThing(f"{', '.join(unknown)}: none of these scenarios has such a parameter")
    title = " ".join(scenario.name for scenario in scenarios)
    lines = [
        'name = "sequence"',
        f"title = {json.dumps(title)}",
        'description = "As typed"',
        'order = "sequence"',
        f"pause_s = {pause_s}",
    ]
    for scenario in scenarios:
        values = [f"{name} = {value}" for name, value in given.items() if name in scenario.parameters]
        lines += [
            "[[runs]]",
            f"scenario = {json.dumps(scenario.name)}",
            f"parameters = {{ {', '.join(values)} }}",
        ]
    if any(scenario.together for scenario in scenarios):
        lines.insert(4, "together = true")
    return "\n".join(lines) + "\n"


_BUSY, _LASTS = 409, "lasts_s"


def refusal(status: int, detail: str, *, replaces: bool) -> str:
    """Return why the CSMS started nothing, with what to type instead."""
    if status == _BUSY and not replaces:
        return f"{detail}; --replace stops it first"
    if detail.startswith(_LASTS):
        return "--for" + detail.removeprefix(_LASTS)
    return detail.replace("without an end: give count or lasts_s", "without an end: give --count or --for")


def mix_row(mix: Mix) -> dict[str, Any]:
    """Return a mix as a row of the list."""
    return {
        "name": mix.name,
        "order": mix.order,
        "runs": len(mix.runs),
        "title": mix.title,
        "scenarios": " ".join(dict.fromkeys(str(entry.get("scenario")) for entry in mix.runs)),
    }


def entry_rows(mix: Mix, lasting: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the runs of a mix as rows; `lasting`: a scenario's own seconds, where the mix gives none."""
    weights = [entry.get("weight", 1.0) for entry in mix.runs]
    return [
        {
            "number": number,
            "scenario": entry["scenario"],
            "share": 100.0 * weight / sum(weights),
            "lasts_s": entry.get("lasts_s") or lasting.get(entry["scenario"]),
            "parameters": " ".join(
                f"{name}={span(value)}" for name, value in (entry.get("parameters") or {}).items()
            ),
        }
        for number, (entry, weight) in enumerate(zip(mix.runs, weights, strict=True), 1)
    ]


def span(value: Any) -> str:
    """Return a number of a mix, or the two between which it is drawn."""
    return f"{value['from']:g} … {value['to']:g}" if isinstance(value, Mapping) else f"{value:g}"


def where(run: ScenarioRun | MixRun, most: int = 3) -> str:
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

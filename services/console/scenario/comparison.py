"""Runs side by side: a row a fact, a column a run. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chassis.screen import short
from console.answers import ScenarioRun
from console.scenario import detected, words
from console.scenario.detected import Found

DIFFERS = "≠"


def heading(run: ScenarioRun) -> str:
    """Return what names a run's column."""
    return run.run_id[: words.SHORT_ID]


def rows(runs: Sequence[ScenarioRun], finds: Sequence[Found], now: datetime) -> list[dict[str, Any]]:
    """Return {fact, run ids …, differs}; `differs` marks what is not the same in all runs."""
    parts = [
        (_asked(run), _parameters(run), _happened(run, found, now))
        for run, found in zip(runs, finds, strict=True)
    ]
    facts = [{name: text for part in told for name, text in part.items()} for told in parts]
    # Part by part, so that parameters that only one has stand among the others'.
    names = dict.fromkeys(name for part in zip(*parts, strict=True) for told in part for name in told)
    return [
        {
            "fact": name,
            **{run.run_id: told.get(name) for run, told in zip(runs, facts, strict=True)},
            "differs": DIFFERS if len({told.get(name) for told in facts}) > 1 else "",
        }
        for name in names
    ]


def _asked(run: ScenarioRun) -> dict[str, str | None]:
    return {
        "scenario": run.scenario,
        "on": words.where(run),
        "state": run.state,
        "seed": str(run.seed),
    }


def _parameters(run: ScenarioRun) -> dict[str, str | None]:
    return {name: f"{value:g}" for name, value in run.parameters.items()}


def _happened(run: ScenarioRun, found: Found, now: datetime) -> dict[str, str | None]:
    first = detected.first(found)
    return {
        "started (UTC)": None if run.started_at is None else short(run.started_at, 1),
        "lasted": _seconds(words.lasted_s(run, now)),
        "cycles": str(run.cycles),
        "first command after": _between(run.started_at, run.first_command_at),
        "effect shows after": _between(run.first_command_at, run.physical_started_at),
        "effect lasts": _between(run.physical_started_at, run.physical_ended_at),
        "truth": run.anomaly or "benign",
        "detected": None if first is None else f"{first.kind} on {first.charge_point_id}",
        "after first command": None if first is None else _seconds(first.after_command_s),
        "after physical start": None if first is None else _seconds(first.after_physical_s),
        "detections": None if found.detections is None else str(len(found.detections)),
        "verdict": found.verdict,
    }


def _between(since: datetime | None, until: datetime | None) -> str | None:
    return None if since is None or until is None else _seconds((until - since).total_seconds())


def _seconds(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:.1f} s"

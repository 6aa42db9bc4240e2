"""`chargebench scenario`, and `console-scenario` in the console's container: `--help` says what there is."""

import argparse
import asyncio
import io
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from chassis.screen import Column, Screen
from console.answers import Scenario, ScenarioRun
from console.apis import ApiError, ApiRefused
from console.scenario import comparison, detected, export, words
from console.scenario.arguments import parse
from console.scenario.detected import Found
from console.scenario.following import Progress, follow, interrupted
from console.scenario.lab_link import LabLink, NoSuchThing
from console.scenario.place import find
from console.top.place import NoSuchPlace

EXIT_FAILED, EXIT_WRONG, EXIT_INTERRUPTED = 1, 2, 130

_SCENARIOS = (
    Column("no.", "number"),
    Column("name", "name"),
    Column("kind", "kind"),
    Column("title", "title", folds=True, drop=1),
    Column("ends", "ends", drop=2),
)
_PARAMETERS = (
    Column("parameter", "name"),
    Column("default", "default"),
    Column("range", "range"),
    Column("unit", "unit"),
    Column("what it is", "description", folds=True),
)
_RUNS = (
    Column("run", "run"),
    Column("scenario", "scenario"),
    Column("on", "where", folds=True),
    Column("state", "state"),
    Column("started (UTC)", "started_at", drop=3),
    Column("lasted s", "lasted_s", 0, drop=2),
    Column("cycles", "cycles", 0, drop=4),
    Column("seed", "seed", 0, drop=6),
    Column("parameters", "parameters", folds=True, drop=7),
    Column("reason", "reason", folds=True, drop=5),
)


async def _perform(asked: argparse.Namespace, screen: Screen) -> int:
    place = find(asked.url, asked.home, os.environ, Path.cwd())
    async with LabLink(place) as link:
        return await _COMMANDS[asked.command](link, screen, asked)


async def _list(link: LabLink, screen: Screen, asked: argparse.Namespace) -> int:
    wanted = [word.lower() for word in asked.words]
    shown = [
        scenario
        for scenario in sorted(await link.scenarios(), key=words.order)
        if all(word in f"{scenario.number} {scenario.name} {scenario.title}".lower() for word in wanted)
    ]
    screen.table(
        f"Scenarios: {len(shown)}",
        _SCENARIOS,
        map(words.scenario_row, shown),
        facts=map(msgspec.to_builtins, shown),
    )
    return 0


async def _show(link: LabLink, screen: Screen, asked: argparse.Namespace) -> int:
    scenario = await link.scenario(asked.scenario)
    truth = "benign" if scenario.anomaly is None else ", or ".join((scenario.anomaly, *scenario.accepted))
    for name, text in (
        (f"{scenario.number} {scenario.name}".strip(), scenario.title),
        ("what happens", scenario.description),
        ("imitates", scenario.imitates),
        ("source", scenario.source),
        ("truth", truth),
        ("ends", words.ending(scenario)),
    ):
        screen.line(f"{name}: {' '.join(text.split())}")
    screen.table(
        "Parameters", _PARAMETERS, words.parameter_rows(scenario), facts=[msgspec.to_builtins(scenario)]
    )
    return 0


async def _run(link: LabLink, screen: Screen, asked: argparse.Namespace) -> int:
    await link.scenario(asked.scenario)  # a name mistyped is told with what was meant
    wish = {
        "scenario": asked.scenario,
        "charge_point_ids": await _chosen(link, asked),
        "parameters": dict(asked.set),
        "seed": asked.seed,
        "replace": asked.replace,
        "lasts_s": asked.lasts_s,
    }
    with interrupted() as stop:
        run = await link.start(wish)
        if asked.json:
            screen.objects([msgspec.to_builtins(run)])
        if asked.detach:
            screen.line(f"run {run.run_id[: words.SHORT_ID]}: {run.scenario} on {words.where(run)}")
            return 0
        run = await follow(link, run, stop, Progress(silent=asked.json))
    if asked.json:
        screen.objects([msgspec.to_builtins(run)])
    undone = "; what it did is undone" if stop.is_set() else ""
    screen.line(f"run {run.run_id[: words.SHORT_ID]} {run.state}: {run.reason or run.scenario}{undone}")
    if stop.is_set():
        return EXIT_INTERRUPTED
    return EXIT_FAILED if run.state == "failed" else 0


async def _chosen(link: LabLink, asked: argparse.Namespace) -> list[str]:
    if not asked.all:
        return list(asked.on)
    ids = [one.charge_point_id for one in await link.charge_points() if one.enrolled and one.connected]
    if not ids:
        raise NoSuchThing("no charge point of the bench's own is connected")
    return ids


async def _stop(link: LabLink, screen: Screen, asked: argparse.Namespace) -> int:
    if not asked.runs:
        stopped = await link.stop_all()
        if asked.json:
            screen.objects([msgspec.to_builtins(stopped)])
        screen.line(
            f"stopped {stopped.stopped_runs} runs and {stopped.stopped_transactions} transactions; "
            "what they did is undone"
        )
        return 0
    ended = [await link.stop(run.run_id) for run in await link.found(asked.runs)]
    _show_runs(screen, ended)
    return 0


async def _runs(link: LabLink, screen: Screen, asked: argparse.Namespace) -> int:
    _show_runs(screen, await link.runs(asked.on, asked.since, asked.limit))
    return 0


def _show_runs(screen: Screen, runs: list[ScenarioRun]) -> None:
    now = datetime.now(UTC)
    screen.table(
        f"Runs: {len(runs)}",
        _RUNS,
        (words.run_row(run, now) for run in runs),
        facts=map(msgspec.to_builtins, runs),
    )


async def _compare(link: LabLink, screen: Screen, asked: argparse.Namespace) -> int:
    runs = await link.found(asked.runs)
    scenarios = {scenario.name: scenario for scenario in await link.scenarios()}
    now = datetime.now(UTC)
    finds = [await _found(link, run, scenarios.get(run.scenario), now) for run in runs]
    facts = [
        {"run": msgspec.to_builtins(run), "found": msgspec.to_builtins(found)}
        for run, found in zip(runs, finds, strict=True)
    ]
    columns = (
        Column("", "fact"),
        *(Column(comparison.heading(run), run.run_id, folds=True) for run in runs),
        Column("", "differs", drawn=True),
    )
    screen.table("Runs side by side", columns, comparison.rows(runs, finds, now), facts=facts)
    return 0


async def _found(link: LabLink, run: ScenarioRun, scenario: Scenario | None, now: datetime) -> Found:
    alone = run.charge_point_ids[0] if len(run.charge_point_ids) == 1 else None
    try:
        anomalies = await link.anomalies(alone, *detected.stretch(run, now))
    except ApiError as error:
        print(f"what was detected is not known: {error}", file=sys.stderr)
        return Found(verdict="not known", detections=None)
    return detected.found(run, scenario, anomalies, now)


async def _export(link: LabLink, screen: Screen, asked: argparse.Namespace) -> int:
    runs = await (link.found(asked.runs) if asked.runs else link.runs(asked.on, asked.since))
    scenarios = {scenario.name: scenario for scenario in await link.scenarios()}
    rows = [words.label_row(run, scenarios.get(run.scenario)) for run in runs]
    export.write(asked.file, export.text(rows, export.form_of(asked.file, asked.format)))
    if asked.file != export.STDOUT:
        screen.line(f"{len(rows)} runs with their labels in {asked.file}")
    return 0


_COMMANDS = {
    "list": _list,
    "show": _show,
    "run": _run,
    "stop": _stop,
    "runs": _runs,
    "compare": _compare,
    "export": _export,
}


def main(line: list[str] | None = None, prog: str = "chargebench scenario") -> int:
    """Run the command line, whose first word is the command's own name; return the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that is not UTF-8 still shows the numbers
    asked = parse((line or sys.argv)[1:], prog)
    prog = f"{prog} {asked.command}"
    try:
        return asyncio.run(_perform(asked, Screen(as_json=asked.json)))
    except ApiRefused as error:
        more = "; the token is in $CHARGEBENCH_TOKEN or --home" if "token" in error.detail else ""
        print(f"{prog}: {error}{more}", file=sys.stderr)
    except (NoSuchPlace, NoSuchThing, ApiError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
    except BrokenPipeError:  # as `… | head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"{prog}: {asked.file}: {error.strerror or error}", file=sys.stderr)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_WRONG


if __name__ == "__main__":
    sys.exit(main(prog="console-scenario"))

"""`chargebench scenario`, and `console-scenario` in the console's container: `--help` says what there is."""

import argparse
import asyncio
import io
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from chassis.screen import Block, Column, Screen, short
from chassis.terminal import plural
from console.answers import MixRun, Scenario, ScenarioRun
from console.apis import ApiError, ApiRefused
from console.scenario import comparison, detected, export, performing, showing, words
from console.scenario.arguments import parse
from console.scenario.detected import Found
from console.scenario.export import CannotWrite
from console.scenario.lab_link import SHORTEST_ID, LabLink, named
from console.scenario.place import NoSuchThing, find
from console.top.place import NoSuchPlace

EXIT_WRONG, EXIT_INTERRUPTED = 2, 130

_SCENARIOS = (
    Column("no.", "number"),
    Column("name", "name"),
    Column("kind", "kind", drop=2),
    Column("title", "title", folds=True, drop=1),
    Column("ends", "ends", drop=3),
)
_MIXES = (
    Column("name", "name"),
    Column("order", "order"),
    Column("runs", "runs", 0),
    Column("title", "title", folds=True, drop=1),
    Column("scenarios", "scenarios", folds=True, drop=2),
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
    Column("mix", "mix", drop=8),
    Column("reason", "reason", folds=True, drop=5),
)


async def perform(line: list[str], prog: str) -> int:
    """Do what is asked for, tell in one line what cannot be done, and return the exit status."""
    asked = parse(line, prog)
    try:
        place = find(asked.url, asked.home, os.environ, Path.cwd())
        async with LabLink(place) as link:
            return await _COMMANDS[asked.command](link, Screen(as_json=asked.json), asked)
    except ApiRefused as error:
        more = "; the token is in $CHARGEBENCH_TOKEN or --home" if "token" in error.detail else ""
        print(f"{prog} {asked.command}: {error}{more}", file=sys.stderr)
    except (NoSuchPlace, NoSuchThing, ApiError, CannotWrite) as error:
        print(f"{prog} {asked.command}: {error}", file=sys.stderr)
    return EXIT_WRONG


async def _list(link: LabLink, screen: Screen, asked: argparse.Namespace) -> int:
    if asked.mixes:
        mixes = await link.mixes()
        screen.table(
            f"Mixes: {len(mixes)}", _MIXES, map(words.mix_row, mixes), facts=map(msgspec.to_builtins, mixes)
        )
        return 0
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
    one = await link.scenario_or_mix(asked.name)
    if isinstance(one, Scenario):
        showing.scenario(screen, one)
    else:
        lasting = {scenario.name: scenario.lasts_s for scenario in await link.scenarios()}
        showing.mix(screen, one, lasting)
    return 0


async def _stop(link: LabLink, screen: Screen, asked: argparse.Namespace) -> int:
    if not asked.runs:
        stopped = await link.stop_all()
        if asked.json:
            screen.objects([msgspec.to_builtins(stopped)])
        screen.line(
            f"stopped {plural(stopped.stopped_runs, 'run')} and "
            f"{plural(stopped.stopped_transactions, 'transaction')}; what they did is undone"
        )
        return 0
    mixes = {one.mix_run_id: one for one in await link.running_mixes()}
    for beginning in asked.runs:
        of_mix = [
            mix_run_id
            for mix_run_id in mixes
            if len(beginning) >= SHORTEST_ID and mix_run_id.startswith(beginning)
        ]
        if len(of_mix) == 1:
            ended: ScenarioRun | MixRun = await link.stop_mix(of_mix[0])
        else:
            (run,) = await link.found([beginning])
            ended = await link.stop(run.run_id)
        if asked.json:
            screen.objects([msgspec.to_builtins(ended)])
        where = f"{words.name(ended)} on {words.where(ended)}"
        screen.line(f"run {words.short_id(ended)} stopped: {where}; what it did is undone")
    return 0


async def _runs(link: LabLink, screen: Screen, asked: argparse.Namespace) -> int:
    show_runs(screen, await link.runs(asked.on, asked.since, asked.limit), datetime.now(UTC))
    return 0


def show_runs(screen: Screen, runs: list[ScenarioRun], now: datetime) -> None:
    """Show runs; where their table is too wide, each as a short block."""
    screen.table(
        f"Runs: {len(runs)}",
        _RUNS,
        (words.run_row(run, now) for run in runs),
        facts=map(msgspec.to_builtins, runs),
        block=_run_block,
    )


def _run_block(row: Mapping[str, Any]) -> Block:
    began: datetime | None = row["started_at"]
    head = [row["run"], row["scenario"], row["where"], row["state"]]
    head += [] if began is None else [f"{short(began)}, {row['lasted_s']:,.0f} s"]
    head += [plural(row["cycles"], "cycle"), f"seed {row['seed']}"]
    head += [] if row["mix"] is None else [f"mix {row['mix']}"]
    return Block(head, "; ".join(text for text in (row["parameters"], row["reason"]) if text))


async def _compare(link: LabLink, screen: Screen, asked: argparse.Namespace) -> int:
    known = await link.runs()
    runs = named(known, asked.runs)
    scenarios = {scenario.name: scenario for scenario in await link.scenarios()}
    now = datetime.now(UTC)
    finds = [await _found(link, run, scenarios.get(run.scenario), known, now) for run in runs]
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


async def _found(
    link: LabLink, run: ScenarioRun, scenario: Scenario | None, known: list[ScenarioRun], now: datetime
) -> Found:
    alone = run.charge_point_ids[0] if len(run.charge_point_ids) == 1 else None
    try:
        anomalies = await link.anomalies(alone, *detected.stretch(run, now))
    except ApiError as error:
        print(f"what was detected is not known: {error}", file=sys.stderr)
        return Found(verdict="not known", detections=None)
    return detected.found(run, scenario, anomalies, known, now)


async def _export(link: LabLink, screen: Screen, asked: argparse.Namespace) -> int:
    runs = await (link.found(asked.runs) if asked.runs else link.runs(asked.on, asked.since))
    scenarios = {scenario.name: scenario for scenario in await link.scenarios()}
    rows = [words.label_row(run, scenarios.get(run.scenario)) for run in runs]
    export.write(asked.file, export.text(rows, asked.format))
    if asked.file != export.STDOUT:
        runs_told = plural(len(rows), "run with its labels", "runs with their labels")
        screen.line(f"{runs_told} in {asked.file}")
    return 0


_COMMANDS = {
    "list": _list,
    "show": _show,
    "run": performing.run,
    "stop": _stop,
    "runs": _runs,
    "compare": _compare,
    "export": _export,
}


def main(line: list[str] | None = None, prog: str = "chargebench scenario") -> int:
    """Run the command line, whose first word is the command's own name; return the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that is not UTF-8 still shows the numbers
    try:
        return asyncio.run(perform((line or sys.argv)[1:], prog))
    except BrokenPipeError:  # as `… | head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(prog="console-scenario"))
